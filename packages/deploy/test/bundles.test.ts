/** The built programs, each copied alone into an empty folder. */
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../..')
const NAMES = ['agent-kvm', 'agent-storage', 'agent-vrouter', 'controller', 'cli', 'supervisor']
let folder: string

beforeAll(async () => {
  await run(join(root, 'scripts/build'), NAMES)
  folder = await mkdtemp(join(tmpdir(), 'skerry-bundles-'))
  for (const name of NAMES) await cp(join(root, 'dist', name), join(folder, name), { recursive: true })
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a program says and how it ends, started in its own folder with nothing else in reach. */
async function start(name: string, args: string[]): Promise<{ code: number; output: string }> {
  const options = { cwd: join(folder, name), env: { PATH: process.env['PATH'] ?? '', HOME: folder }, timeout: 20_000 }
  try {
    const { stdout, stderr } = await run(process.execPath, ['main.js', ...args], options)
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, output: stdout + stderr }
  }
}

test.each(['agent-kvm', 'agent-storage', 'agent-vrouter'])('%s starts alone and asks to be enrolled', async (name) => {
  const { code, output } = await start(name, ['--state-dir', join(folder, `state-${name}`)])
  expect(output).toContain('this agent is not enrolled')
  expect(code).toBe(1)
})

test.each(['controller', 'cli'])('%s starts alone and tells its version', async (name) => {
  expect(await start(name, ['--version'])).toEqual({ code: 0, output: '0.1.0\n' })
})

test('the supervisor starts alone and says what it needs', async () => {
  expect((await start('supervisor', [])).output).toContain('usage: main.js')
})

test('the FFI addon loads from the bundle of agent-kvm, once for both of its names', async () => {
  const code = `const ref = require('ref-napi'); process.exit(ref === require('@2060.io/ref-napi') && ref.alloc('int', 7).deref() === 7 && require('ffi-napi').types.int ? 0 : 1)`
  await run(process.execPath, ['--input-type=commonjs', '-e', code], { cwd: join(folder, 'agent-kvm') })
})

test('agent-kvm reaches libvirt by koffi where the addon of ffi-napi is missing, and says so', async () => {
  const lame = join(folder, 'agent-kvm-lame')
  await cp(join(folder, 'agent-kvm'), lame, { recursive: true })
  await rm(join(lame, 'node_modules/@2060.io/ffi-napi/build'), { recursive: true })
  const child = fork(join(lame, 'child.js'), ['test:///default', '1', 'auto'], { env: {}, execArgv: [], silent: true })
  try {
    const [started] = await once(child, 'message')
    expect(started).toEqual({ t: 'started', ffi: 'koffi', passedOver: [expect.stringMatching(/^ffi-napi: .+/)] })
    expect((await once(child, 'message'))[0]).toEqual({ t: 'connected' })
  } finally {
    child.kill('SIGKILL')
  }
})

test('a bundle holds no symbolic links, so that it can be copied by any means', async () => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  expect(entries.filter((entry) => entry.isSymbolicLink())).toEqual([])
})

test('a second build changes nothing and says so', async () => {
  const { stdout } = await run(join(root, 'scripts/build'), NAMES)
  expect(stdout).toBe('bundles are up to date\n')
})
