/** OpenSSH's own client and server with a site in memory between them: `skerry ssh` as people have it, without a guest's boot. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import { realHost, type Spawned, serverKey } from '@skerry/host'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/site.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'

const { exec } = realHost()
const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const CEILING_MS = 60_000

let site: SmallSite
let dir: string
let port: number
let vm: string
let sshd: Spawned | undefined

const keygen = async (name: string) => {
  await rm(join(dir, name), { force: true })
  await exec.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)], { timeoutMs: CEILING_MS })
}

/** With another host key each time. */
async function startServer(): Promise<void> {
  sshd?.kill('SIGKILL')
  await sshd?.exited
  await keygen('host')
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${dir}/host`,
    `AuthorizedKeysFile ${dir}/me.pub`,
    `PidFile ${dir}/pid`,
  ]
  const more = ['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no']
  await writeFile(join(dir, 'sshd_config'), `${[...lines, ...more].join('\n')}\n`)
  sshd = await exec.spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'sshd_config')], { logFile: join(dir, 'sshd.log') })
  const greets = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('data', () => resolve(true)).once('error', () => resolve(false))
      socket.once('close', () => resolve(false)).once('data', () => socket.destroy())
    })
  await until('a greeting of sshd', CEILING_MS, greets)
}

/** `skerry ssh` with these arguments, and this on its stdin. */
async function ssh(args: readonly string[], input: Uint8Array = new Uint8Array()) {
  const env = {
    ...{ PATH: process.env['PATH'] ?? '', HOME: dir, XDG_CONFIG_HOME: join(dir, 'config') },
    ...{ SKERRY_URL: site.url, SKERRY_SESSION: site.client.session ?? '' },
  }
  const quiet = ['--ssh-arg=-oBatchMode=yes', '-i', join(dir, 'me')]
  const child = spawn(process.execPath, [CLI, 'ssh', ...quiet, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => void out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => void err.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  return { code, out: Buffer.concat(out), err: String(Buffer.concat(err)) }
}

const can = requireOrSkip('ssh and sshd', { root: true, programs: ['ssh', 'ssh-keygen', 'sshd'] })
describe.runIf(can)('skerry ssh', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-ssh-'))
    port = await freePort()
    await mkdir('/run/sshd', { recursive: true })
    await keygen('me')
    site = await startSmallSite()
    const { offering, image, l3 } = await makeSmallWorld(site)
    const params = { name: 'web', instanceOfferingUuid: offering, imageUuid: image, l3NetworkUuids: [l3] }
    const { inventory } = await site.client.call('CreateVmInstance', params)
    const { uuid, vmNics } = inventory as { uuid: string; vmNics: { ip: string }[] }
    vm = uuid
    const [nic] = vmNics
    site.machine.host.servers.set(serverKey(routerNetns(l3), nic!.ip, 22), (client) => {
      const server = connect(port, '127.0.0.1')
      server.on('error', () => client.destroy())
      client.on('close', () => server.destroy())
      client.pipe(server).pipe(client)
    })
    await startServer()
  })
  afterAll(async () => {
    sshd?.kill('SIGKILL')
    await sshd?.exited
    await site?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('logs in, runs a command, and ends with its exit code', async () => {
    const said = await ssh(['root@web', '--', 'echo sum-$((40+2)); exit 7'])
    expect({ ...said, out: String(said.out) }).toMatchObject({ code: 7, out: 'sum-42\n' })
  })

  test('carries megabytes whole, both ways at once', async () => {
    const bytes = randomBytes(5_000_000)
    const { code, out } = await ssh(['root@web', '--', 'cat'], bytes)
    expect(code).toBe(0)
    expect(out.equals(bytes)).toBe(true)
  })

  test('knows the guest again by its uuid, and refuses another in its place', async () => {
    const known = join(dir, 'config/skerry/known_hosts-default')
    // fails where there is no such host; names may be hashed
    await exec.run('ssh-keygen', ['-F', `skerry-${vm}`, '-f', known], { timeoutMs: CEILING_MS })
    await startServer()
    expect(await ssh(['root@web', '--', 'true'])).toMatchObject({
      code: 255,
      err: expect.stringContaining('IDENTIFICATION HAS CHANGED'),
    })
  })
})
