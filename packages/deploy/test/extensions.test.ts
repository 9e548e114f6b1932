/** Plugins and workflows of a site: given to `up` once, kept by its later runs, and read again when they change. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chosenExtensions, extensionsFingerprint, files } from '@skerry/host'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readUpSettings, type Settings } from '../src/settings.ts'

let root: string
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), 'skerry-extensions-'))))
afterEach(() => rm(root, { recursive: true, force: true }))
const given = (...argv: string[]) => readUpSettings(argv, {}) as Settings

test('are kept by later runs, until they are given anew or taken away', async () => {
  const [plugins, workflows] = [join(root, 'plugins'), join(root, 'workflows')]
  await Promise.all([plugins, workflows].map((folder) => mkdir(folder)))
  expect(await chosenExtensions(files(), given(), undefined)).toEqual({ plugins: null, workflows: null })
  const first = await chosenExtensions(files(), given('--plugins', plugins, `--workflows=${workflows}`), undefined)
  expect(first).toEqual({ plugins, workflows })
  expect(await chosenExtensions(files(), given(), first)).toEqual(first)
  expect(await chosenExtensions(files(), given('--plugins', 'none'), first)).toEqual({ plugins: null, workflows })
  await expect(chosenExtensions(files(), given('--workflows', join(root, 'no')), first)).rejects.toThrow(
    `--workflows: there is no ${join(root, 'no')}; --workflows none takes away what was given`,
  )
})

test('have another fingerprint when a file of theirs is another', async () => {
  const one = join(root, 'one.mjs')
  await writeFile(one, 'a')
  const of = (plugins: string | null) => extensionsFingerprint(files(), { plugins, workflows: null })
  const [folder, file, none] = [await of(root), await of(one), await of(null)]
  expect(await of(root)).toBe(folder)
  expect(await of(join(root, 'gone'))).toBe(none)
  await writeFile(join(root, 'one.json'), '{}')
  expect([await of(one), await of(root)]).toEqual([expect.not.stringMatching(file), expect.not.stringMatching(folder)])
  const beside = await of(one)
  await writeFile(one, 'b')
  expect(await of(one)).not.toBe(beside)
})
