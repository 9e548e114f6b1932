/** A whole Debian as the demo's guest, with the built programs: it takes what it is told, and people log in, copy files and leave. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { realHost } from '@skerry/host'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildDebian } from '../src/debian/build.ts'
import { layoutOf } from '../src/layout.ts'
import { readUpSettings, type Settings } from '../src/settings.ts'
import { contextName } from '../src/steps/person.ts'

const run = promisify(execFile)
const dist = join(import.meta.dirname, '../../../dist')
const programs = [
  'qemu-system-x86_64',
  'libvirtd',
  'virtlogd',
  'virsh',
  'nats-server',
  'dnsmasq',
  'ip',
  'nft',
  'ssh',
  'scp',
  'ssh-keygen',
]

let dir: string
let env: Record<string, string>

const script = async (program: 'up' | 'down', ...args: string[]) =>
  (await run(process.execPath, [join(dist, 'deploy', `${program}.js`), ...args], { env, maxBuffer: 2 ** 24 })).stdout
/** Of `skerry`; a failure is an answer. */
const skerry = (...args: string[]) =>
  run(process.execPath, [join(dist, 'cli/main.js'), ...args], { env, maxBuffer: 2 ** 24 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
const inGuest = async (...command: string[]) => {
  const { code, stdout, stderr } = await skerry('ssh', 'hello', '--ssh-arg=-oBatchMode=yes', '--', ...command)
  expect(code, stderr).toBe(0)
  return stdout.trim()
}

describe.runIf(requireOrSkip('a Debian guest', { root: true, programs }))('a Debian guest', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skdeb-'))
    await chmod(dir, 0o711)
    env = {
      PATH: process.env['PATH'] ?? '',
      HOME: dir,
      XDG_CONFIG_HOME: join(dir, 'config'),
      SKERRY_STATE_DIR: join(dir, 's'),
      SKERRY_HTTP_PORT: String(await freePort()),
      SKERRY_NATS_ADDR: `127.0.0.1:${await freePort()}`,
      SKERRY_LIBVIRT: 'own',
      SKERRY_DEMO_CIDR: '10.0.143.0/24',
    }
    env['SKERRY_CONTEXT'] = contextName((readUpSettings([], env) as Settings).siteName)
    // one image for all runs: building it takes minutes
    const { path } = await buildDebian({ ...realHost(), cacheDir: join(tmpdir(), 'skerry-guest') })
    const { cache } = layoutOf(join(dir, 's'))
    await realHost().files.makeDir(cache)
    await run('cp', ['-rT', join(path, '../..'), cache])
  })
  afterAll(async () => {
    await script('down', '--purge').catch(() => undefined) // the last test has done it, unless one before it failed
    await rm(dir, { recursive: true, force: true })
  })

  test('is made by one command, which ends when one can log in', async () => {
    expect(await script('up', '--guest', 'debian')).toMatch(/hello {2}Running {2}10\.0\.143\.\d+ +Linux hello /)
  })

  test('has its name, its user and its network from what the host told it, and nothing in it failed', async () => {
    expect(JSON.parse(await inGuest('cloud-init', 'status', '--wait', '--format', 'json'))).toMatchObject({
      status: 'done',
      errors: [],
    })
    expect(await inGuest('hostname; id -un; sudo -n id -un')).toBe('hello\ndebian\nroot')
    expect(await inGuest('systemctl', '--failed', '--no-legend', '--plain')).toBe('')
    expect(await inGuest('ip', '-4', '-o', 'addr', 'show', 'scope', 'global')).toContain('inet 10.0.143.')
    expect(await inGuest('getent', 'hosts', 'hello')).not.toBe('')
    expect(
      Number(await inGuest('stat', '-f', '-c', '%b*%S', '/').then((text) => text.split('*').reduce((a, b) => a * Number(b), 1))),
    ).toBeGreaterThan(3.5e9)
  })

  test('takes and gives files whole, by the block that --print-config shows', async () => {
    const [config, sent, back] = ['ssh_config', 'sent', 'back'].map((name) => join(dir, name)) as [string, string, string]
    const { stdout } = await skerry('ssh', 'hello', '--print-config')
    await writeFile(config, stdout)
    await writeFile(sent, randomBytes(20_000_000))
    await run('scp', ['-q', '-B', '-F', config, sent, 'hello:/tmp/file'], { env })
    await run('scp', ['-q', '-B', '-F', config, 'hello:/tmp/file', back], { env })
    expect((await readFile(sent)).equals(await readFile(back))).toBe(true)
  })

  test('says by its exit codes what went wrong', async () => {
    expect(await skerry('ssh', 'hello', '--', 'exit', '7')).toMatchObject({ code: 7 })
    expect(await skerry('ssh', 'nobody@hello', '--ssh-arg=-oBatchMode=yes', '--', 'true')).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('Permission denied'),
    })
    expect(await skerry('tunnel', 'hello', '2299')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('connection refused'),
    })
  })

  test('obeys the power button, is the same host after its next boot, and is not logged in to while it is off', async () => {
    await skerry('stop', 'vm', 'hello', '--wait')
    expect(await skerry('ssh', 'hello', '--', 'true')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('skerry start vm hello'),
    })
    // up waits for its login again; an unknown host key would be refused
    expect(await skerry('start', 'vm', 'hello', '--wait')).toMatchObject({ code: 0 })
    expect(await script('up')).toMatch(/hello {2}Running .*Linux hello /)
    expect(await inGuest('last', '-x', '-F', 'shutdown')).toContain('shutdown')
  })

  test('goes with everything, keys of hosts too', async () => {
    await script('down', '--purge')
    expect(await realHost().files.list(join(dir, 'config/skerry'))).toBeUndefined()
  })
})
