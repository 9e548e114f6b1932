import { mkdtempSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { files } from '../src/index.ts'
import { filesSuite } from './conformance/files.ts'

const root = mkdtempSync(join(tmpdir(), 'skerry-files-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

filesSuite('real', async () => ({ files: files(), dir: mkdtempSync(join(root, 'x')) }))

it('replaces a file by rename: who has the old one open keeps reading the old one', async () => {
  const path = join(root, 'replaced')
  await files().write(path, 'old')
  const before = (await stat(path)).ino
  await files().write(path, 'new')
  expect((await stat(path)).ino).not.toBe(before)
})

it('gives two writers at once a whole file of one of them', async () => {
  const path = join(root, 'raced')
  const contents = ['a'.repeat(50_000), 'b'.repeat(50_000)]
  await Promise.all(contents.map((content) => files().write(path, content)))
  expect(contents).toContain(await files().read(path))
})
