/** `skerry backup`, `restore` and `agent point` on a machine in memory, with real files in a folder of their own. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { backupText } from '@skerry/backup'
import { optionalSiteFiles, siteFiles } from '@skerry/contract'
import { VIEWER_SESSION } from '@skerry/controller/testing'
import { describe, expect, it } from 'vitest'
import { type World, world } from './cli-world.ts'

const header = { skerry: 'backup', v: 1, contract: 1, incarnation: 3, seq: 77, epoch: 0, at: 0, node: 'a'.repeat(32) } as const
const state = () =>
  backupText(header, [
    { part: 'graph', lines: [{ t: 'zone', rows: [['z', 1, { name: 'z' }]] }] },
    { part: 'secrets', lines: [] },
  ])
const PASS = 'pass'
const http = { backup: state }

function keys({ folder }: World): void {
  for (const file of Object.values(siteFiles)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), Buffer.from([0, 255, 1]))
  }
}
const withSite = (test: (w: World, file: string) => Promise<void>, o: Parameters<typeof world>[1] = {}) =>
  world(
    async (w) => {
      keys(w)
      w.files.set(PASS, 'a passphrase of this test\nand a second line\n')
      await test(w, join(w.folder, 'backup'))
    },
    { http, ...o, io: { scryptWorkFactor: 4, ...o.io } },
  )

describe('skerry backup', () => {
  it('writes, reads back and says what is in it; verify says it again', () =>
    withSite(async (w, file) => {
      const made = await w.skerry('backup', file, '--state-dir', w.folder, '--passphrase-file', PASS)
      expect([made.code, made.err]).toEqual([0, ''])
      expect(made.out).toContain(`seq 77, incarnation 3: 1 rows, 0 secrets, ${Object.keys(siteFiles).length} keys`)
      expect(readFileSync(file, 'latin1')).toMatch(/^age-encryption/)
      const again = await w.skerry('backup', 'verify', file, '--passphrase-file', PASS)
      expect([again.code, again.out]).toEqual([0, expect.stringContaining('whole: as of 1970-01-01')])
      expect((await w.skerry('backup', 'verify', file)).err).toContain('give --passphrase-file')
      const bytes = readFileSync(file)
      bytes[bytes.length - 20]! ^= 1
      writeFileSync(file, bytes)
      const bad = await w.skerry('backup', 'verify', file, '--passphrase-file', PASS)
      expect([bad.code, bad.err]).toEqual([1, expect.stringContaining('was changed or cut off')])
    }))

  it('refuses without a passphrase, with a short one, and without a key that a site can’t be without', () =>
    withSite(async (w, file) => {
      const at = ['--state-dir', w.folder]
      expect(await w.skerry('backup', file, ...at)).toMatchObject({ code: 2, err: expect.stringContaining('--without-keys') })
      w.files.set('short', 'short\n')
      expect((await w.skerry('backup', file, ...at, '--passphrase-file', 'short')).err).toContain('at least 12')
      for (const key of Object.values(siteFiles)) {
        rmSync(join(w.folder, key))
        const made = await w.skerry('backup', file, ...at, '--passphrase-file', PASS)
        expect([key, made.code]).toEqual([key, optionalSiteFiles.includes(key) ? 0 : 3])
        keys(w)
      }
    }))

  it('without keys holds none, and needs no passphrase', () =>
    withSite(async (w, file) => {
      const made = await w.skerry('backup', file, '--without-keys')
      expect([made.code, made.out]).toEqual([0, expect.stringContaining('without keys')])
      expect(readFileSync(file, 'utf8')).not.toContain('nats/')
    }))

  it('that breaks off leaves no file', () =>
    withSite(
      async (w, file) => {
        const made = await w.skerry('backup', file, '--without-keys')
        expect(made.code).not.toBe(0)
        expect(() => readFileSync(file)).toThrow(/ENOENT/)
      },
      {
        http: {
          backup: async function* () {
            const [first] = [await state().next()]
            yield (first.value as Buffer).subarray(0, 200)
          },
        },
      },
    ))

  it('is for administrators', () =>
    withSite(async (w, file) => expect(await w.skerry('backup', file, '--without-keys')).toMatchObject({ code: 6 }), {
      io: { env: { SKERRY_SESSION: VIEWER_SESSION } },
    }))
})

describe('skerry restore', () => {
  it('hands the controller’s own program what it needs, and shows its error as its own', () => {
    const asked: (readonly string[])[] = []
    const controller = async (argv: readonly string[]) => {
      asked.push(argv)
      return asked.length === 1
        ? { code: 0, out: 'restored\n', err: '' }
        : { code: 1, out: '', err: '(node) a warning\n{"code":"in-use","message":"it runs","retry":"never"}\n' }
    }
    return world(
      async (w) => {
        const good = await w.skerry('restore', '/b', '--state-dir', '/site', '--passphrase-file', '/p', '--replace')
        expect([good.code, good.out]).toEqual([0, 'restored\n'])
        const dirs = ['--state-dir', '/site/controller', '--site-dir', '/site']
        expect(asked[0]).toEqual(['restore', '/b', ...dirs, '--passphrase-file', '/p', '--replace'])
        const bad = await w.skerry('restore', '/b')
        expect([bad.code, bad.err]).toEqual([4, expect.stringContaining('cannot restore /b: it runs')])
      },
      { io: { controller } },
    )
  })
})

describe('skerry agent point', () => {
  it('says where no agent is', () =>
    world(async (w) => {
      const none = await w.skerry('agent', 'point', '--nats', 'tls://192.0.2.2:4222', '--state-dir', w.folder)
      expect([none.code, none.err]).toEqual([3, expect.stringContaining('no agent is enrolled below')])
    }))
})
