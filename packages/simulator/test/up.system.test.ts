/** `scripts/up --simulate` as a person runs it who is not root, from its bundles; and `scripts/down`. */
import { execFile } from 'node:child_process'
import { chown, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const REGISTER = join(ROOT, 'packages/plugin/examples/register.mjs')
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const able = requireOrSkip('up --simulate', { programs: ['nats-server', 'flock', 'runuser'] })

interface Ended {
  code: number
  out: string
}

describe.skipIf(!able)('up --simulate', () => {
  let dir: string
  let env: Record<string, string>
  const run = (argv: readonly string[]) =>
    new Promise<Ended>((resolve) => {
      const [cmd = '', ...args] = isRoot ? ['runuser', '-u', 'nobody', '--', ...argv] : argv
      execFile(cmd, args, { env, cwd: '/', maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) || 1 : 0, out: stdout + stderr }),
      )
    })
  const script = (name: string, ...args: string[]) => run([join(ROOT, 'scripts', name), ...args])
  const works = async (ended: Promise<Ended>) => {
    const { code, out } = await ended
    expect({ code, out: code === 0 ? '' : out }).toEqual({ code: 0, out: '' })
    return out
  }

  beforeAll(async () => {
    // nobody may not write into the clone: what up would build is built before
    await new Promise<void>((resolve, reject) => {
      const build = [join(ROOT, 'scripts/build'), 'controller', 'simulator', 'cli'] as const
      execFile(build[0], build.slice(1), (error) => (error ? reject(error) : resolve()))
    })
    dir = await mkdtemp(join(tmpdir(), 'skerry-up-simulate-'))
    if (isRoot) await chown(dir, NOBODY, NOBODY)
    const [http, nats] = [await freePort(), await freePort()]
    env = {
      ...{
        PATH: process.env['PATH'] ?? '',
        HOME: dir,
        XDG_CONFIG_HOME: join(dir, 'config'),
        SKERRY_STATE_DIR: join(dir, 'site'),
      },
      ...{ SKERRY_HTTP_PORT: String(http), SKERRY_NATS_ADDR: `127.0.0.1:${nats}` },
    }
  })
  afterAll(async () => {
    if (env) await script('down', '--purge') // says so when a test before has done it
    if (dir) await rm(dir, { recursive: true, force: true })
  })

  test('makes a site whose VMs run at once; again, it changes nothing; down keeps it, up brings it back, --purge removes it', async () => {
    expect(await works(script('up', '--simulate', '3'))).toContain('3 simulated hosts')
    const vm = ['create', 'vm', 'hello', '--instance-offering', 'small', '--image', 'tiny', '--l3-networks', 'net1', '--wait']
    expect(await works(script('skerry', ...vm))).toContain('Running')
    const added = ['--management-ip', '127.0.0.9', '--cluster', 'cluster1', '--username', 'any', '--password', 'any', '--wait']
    expect(await works(script('skerry', 'add', 'host', 'mine', ...added))).toContain('Connected')
    expect(await works(script('up', '--simulate', '3'))).toContain('4 simulated hosts')
    expect(await works(script('skerry', 'audit', '--hosts'))).toContain('0 differences')

    await works(script('skerry', 'sim', 'set', '--host', 'mine', '--fail', 'libvirt.domainCreate', '--latency', '20ms'))
    const bad = await script('skerry', ...vm.map((arg) => (arg === 'hello' ? 'bad' : arg)), '--host', 'mine')
    expect(bad.code).not.toBe(0)
    expect(bad.out).toContain('domainCreate fails on demand')

    await works(script('down'))
    expect(await readdir(join(dir, 'site'))).toContain('simulated.json')
    expect((await script('skerry', 'get', 'vm')).code).toBe(5)
    const workflows = join(ROOT, 'packages/workflow/examples')
    expect(await works(script('up', '--simulate', '3', '--workflows', workflows, '--plugins', REGISTER))).toContain(
      '4 simulated hosts',
    )
    expect(await works(script('skerry', 'get', 'vm', '-q', 'state=Running'))).toContain('hello')
    expect(await works(script('skerry', 'get', 'site-workflow'))).toContain('vm.nightCopy')
    expect(await works(script('skerry', 'get', 'plugin'))).toContain('register')
    const without = await works(script('up', '--simulate', '3', '--workflows=none', '--plugins=none'))
    expect(without).toContain('the simulator starts again')
    expect(await works(script('skerry', 'get', 'site-workflow'))).not.toContain('vm.nightCopy')
    expect(await works(script('skerry', 'sim', 'list'))).toMatch(/127\.0\.0\.9 .* 20 ms +libvirt\.domainCreate=1/)

    await works(script('down', '--purge'))
    await expect(stat(join(dir, 'site'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readdir(join(dir, 'config/skerry'))).toEqual([])
  })

  test('says that a port is taken, and what helps', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    env['SKERRY_HTTP_PORT'] = String(port)
    const refused = await script('up', '--simulate', '1')
    taken.close()
    expect(refused.code).not.toBe(0)
    expect(refused.out).toContain(`127.0.0.1:${port} is taken`)
    expect(refused.out).toContain('SKERRY_HTTP_PORT=<other port>')
  })
})
