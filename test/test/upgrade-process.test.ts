/** A controller process over a log that a newer version wrote: it says so, ends, and leaves every byte as it was. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const GOLDEN = join(ROOT, 'controller/test/golden/log-v1')
const SEGMENT = 'log-000000000000007.seg'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-newer-'))
  await mkdir(join(dir, 'log'))
  for (const name of await readdir(GOLDEN)) if (name !== 'state.json') await cp(join(GOLDEN, name), join(dir, 'log', name))
  // What a newer version was about to write when it was ended.
  await writeFile(join(dir, 'log/snapshot-000000000000012.ndjson.tmp'), 'unfinished')
})
afterEach(() => rm(dir, { recursive: true }))

const contents = async () => {
  const names = (await readdir(join(dir, 'log'))).sort()
  return Promise.all(names.map(async (name) => [name, (await readFile(join(dir, 'log', name))).toString('base64')]))
}

/** Runs the controller till it ends by itself. */
function controller(): Promise<{ code: number | string | null | undefined; out: string }> {
  const argv = ['--import', 'tsx', join(ROOT, 'controller/src/main.ts'), '--state-dir', dir, '--http-port', '0']
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { cwd: ROOT, timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, out: stdout + stderr }),
    )
  })
}

function frame(payload: string): Buffer {
  const bytes = Buffer.from(payload)
  const head = Buffer.alloc(8)
  head.writeUInt32LE(bytes.length, 0)
  head.writeUInt32LE(crc32(bytes), 4)
  return Buffer.concat([head, bytes])
}

describe('a controller over what a newer version wrote', () => {
  test('refuses to start over a record of its log, says what helps, and changes nothing', async () => {
    const segment = join(dir, 'log', SEGMENT)
    const prev = '0'.repeat(32)
    const newer = `{"contract":99,"incarnation":2,"seq":13,"epoch":4,"prev":"${prev}","durable":12,"commit":{"ops":[],"new":true}}`
    await writeFile(segment, Buffer.concat([await readFile(segment), frame(newer)]))
    const before = await contents()
    const { code, out } = await controller()
    expect(code).toBe(1)
    expect(out).toContain('log-newer')
    expect(out).toContain('contract version 99')
    expect(out).toContain('Start the newer version again')
    expect(await contents()).toEqual(before)
  })
})
