/** `skerry ssh` and `skerry tunnel`: what they hand to ssh, and bytes through the door's own WebSocket. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import type { ChannelEnd } from '@skerry/console'
import { SkerryError } from '@skerry/contract'
import { listen } from '@skerry/controller/http'
import { requireOrSkip } from '@skerry/testkit'
import { describe, expect, it } from 'vitest'
import { saveContext } from '../src/contexts.ts'
import { type World, world } from './cli-world.ts'

const SELF = ['/usr/bin/node', "/opt/it's 50% here/main.js"] as const

/** What ssh was started with. */
function watched(io: World['io'], answer: number | Error = 0) {
  const started: { cmd: string; argv: readonly string[] }[] = []
  const foreground = async (cmd: string, argv: readonly string[]) => {
    started.push({ cmd, argv })
    if (answer instanceof Error) throw answer
    return answer
  }
  Object.assign(io, { foreground, self: SELF })
  return started
}

const running = (w: World, more = {}) => w.engine.add('vmInstance', { name: 'hello', state: 'Running', ...more })
const optionsIn = (argv: readonly string[]) =>
  Object.fromEntries(argv.flatMap((arg, at) => (argv[at - 1] === '-o' ? [arg.split(/=(.*)/s).slice(0, 2)] : [])))

describe('skerry ssh', () => {
  it('starts ssh with a tunnel as its way, and keeps the host key under the uuid of the VM', () =>
    world(async (w) => {
      const vm = running(w)
      const started = watched(w.io, 7)
      expect(await w.skerry('ssh', 'hello')).toMatchObject({ code: 7, err: '' })
      const [{ cmd, argv }] = started as [(typeof started)[0]]
      expect(cmd).toBe('ssh')
      expect(optionsIn(argv)).toEqual({
        ProxyCommand: `/usr/bin/node '/opt/it'\\''s 50%% here/main.js' tunnel ${vm['uuid']} 22`,
        HostKeyAlias: `skerry-${vm['uuid']}`,
        UserKnownHostsFile: `"${w.io.configFolder}/known_hosts-default"`,
        StrictHostKeyChecking: 'accept-new',
      })
      expect(argv.slice(-2)).toEqual(['--', 'hello'])
    }))

  it('hands on user, key, port, options and command', () =>
    world(async (w) => {
      const vm = running(w)
      const started = watched(w.io)
      await w.skerry('ssh', 'me@hello', '-p', '2222', '-i', '/keys/a b', '--ssh-arg=-v', '--ssh-arg=-L80:x:80', '--', 'ls', '-la')
      const { argv } = started[0]!
      expect(optionsIn(argv)).toMatchObject({ User: 'me', IdentityFile: '"/keys/a b"' })
      expect(optionsIn(argv)['ProxyCommand']).toMatch(new RegExp(`tunnel ${vm['uuid']} 2222$`))
      expect(argv.slice(-6)).toEqual(['-v', '-L80:x:80', '--', 'hello', 'ls', '-la'])
    }))

  it('takes user and key from what is there: a tag on the VM, or on its image, and the context', () =>
    world(
      async (w) => {
        const image = w.engine.add('image', { name: 'debian' })
        const vm = running(w, { imageUuid: image['uuid'] })
        w.engine.add('userTag', { resourceUuid: image['uuid'], tag: 'ssh-user::debian' })
        await saveContext(w.io.configFolder, 'ship', { url: 'http://127.0.0.1:8080', session: SESSION_OF(w), sshKey: '/s/key' })
        const started = watched(w.io)
        await w.skerry('ssh', 'hello')
        expect(optionsIn(started[0]!.argv)).toMatchObject({ User: 'debian', IdentityFile: '"/s/key"' })
        expect(optionsIn(started[0]!.argv)['ProxyCommand']).toContain(` tunnel --context ship ${vm['uuid']} 22`)
        w.engine.add('userTag', { resourceUuid: vm['uuid'], tag: 'ssh-user::own' })
        await w.skerry('ssh', 'hello')
        expect(optionsIn(started[1]!.argv)).toMatchObject({ User: 'own' })
        await w.skerry('ssh', 'hello', '-l', 'third')
        expect(optionsIn(started[2]!.argv)).toMatchObject({ User: 'third' })
      },
      { loggedIn: true },
    ))

  it.runIf(requireOrSkip('what ssh makes of it', { programs: ['ssh'] }))('is understood by ssh itself, spaces and all', () =>
    world(async (w) => {
      const vm = running(w)
      w.io.configFolder = join(w.folder, 'with a space and 5%')
      const started = watched(w.io)
      await w.skerry('ssh', 'me@hello', '-i', '/keys/a b%', '--', 'ls')
      const { stdout } = await promisify(execFile)('ssh', ['-G', '-F', 'none', ...started[0]!.argv])
      const read = Object.fromEntries(stdout.split('\n').map((line) => line.split(/ (.*)/s).slice(0, 2)))
      expect(read).toMatchObject({
        hostname: 'hello',
        user: 'me',
        hostkeyalias: `skerry-${vm['uuid']}`,
        stricthostkeychecking: 'accept-new',
        proxycommand: `/usr/bin/node '/opt/it'\\''s 50%% here/main.js' tunnel ${vm['uuid']} 22`,
      })
      expect(stdout).toContain(`userknownhostsfile ${w.io.configFolder}/known_hosts-default\n`)
      expect(stdout).toContain('identityfile /keys/a b%%\n')
    }),
  )

  it('prints a block for ssh_config that says the same, and starts nothing', () =>
    world(async (w) => {
      const vm = running(w, { name: 'front shop' })
      const started = watched(w.io)
      const { code, out } = await w.skerry('ssh', 'me@front shop', '--print-config')
      expect(code).toBe(0)
      expect(out.split('\n')).toEqual([
        `Host ${vm['uuid']}`,
        expect.stringMatching(/^ {2}ProxyCommand \/usr\/bin\/node /),
        `  HostKeyAlias skerry-${vm['uuid']}`,
        `  UserKnownHostsFile "${w.io.configFolder}/known_hosts-default"`,
        '  StrictHostKeyChecking accept-new',
        '  User me',
        '',
      ])
      expect(started).toEqual([])
    }))

  it('refuses what can lead nowhere before it starts anything', () =>
    world(async (w) => {
      const started = watched(w.io)
      running(w)
      w.engine.add('vmInstance', { name: 'off', state: 'Stopped' })
      expect(await w.skerry('ssh', 'off')).toMatchObject({ code: 4, err: expect.stringContaining('only a running one') })
      expect(await w.skerry('ssh', 'nobody')).toMatchObject({ code: 3 })
      expect(await w.skerry('ssh', 'hello', '-p', '70000')).toMatchObject({
        code: 2,
        err: expect.stringContaining('no TCP port'),
      })
      expect(await w.skerry('ssh', '-oProxyCommand=x@hello')).toMatchObject({ code: 2 })
      expect(await w.skerry('ssh', 'hello', '-l', '-oX')).toMatchObject({ code: 2 })
      expect(started).toEqual([])
    }))

  it('says what to install where there is no ssh', () =>
    world(async (w) => {
      running(w)
      watched(w.io, Object.assign(new Error('spawn ssh ENOENT'), { code: 'ENOENT' }))
      expect((await w.skerry('ssh', 'hello')).err).toContain('openssh-client')
    }))
})

const SESSION_OF = (w: World) => String(w.io.env['SKERRY_SESSION'])

/** The door with a guest behind every good token. */
async function door(w: World, guest: (end: ChannelEnd) => { send(bytes: Uint8Array): boolean; close(reason: string): void }) {
  const log = { info() {}, warn() {}, error() {} }
  const none = async () => Promise.reject(new Error('no console'))
  const tunnel = async (token: string, end: ChannelEnd) => {
    if (token !== 'c'.repeat(32)) throw new SkerryError('session-invalid', 'used or expired')
    return guest(end)
  }
  const consoles = { open: none, tunnel }
  const at = await listen({ app: w.app, addr: '127.0.0.1', port: 0, defaultPassword: true, consoles, log })
  const [input, output] = [new PassThrough(), new PassThrough()]
  Object.assign(w.io, { fetch: undefined, env: { ...w.io.env, SKERRY_URL: at.url }, streams: () => ({ input, output }) })
  w.engine.volatileToken = 'c'.repeat(32)
  return { input, output, close: () => at.close() }
}

describe('skerry tunnel', () => {
  it('carries stdin and stdout, and ends when the guest does', () =>
    world(async (w) => {
      const vm = running(w)
      const got: Buffer[] = []
      const d = await door(w, (end) => {
        // before the WebSocket is there: as sshd, which greets at once
        end.onBytes(Buffer.from('SSH-2.0-x\r\n'), () => undefined)
        const send = (bytes: Uint8Array) => {
          got.push(Buffer.from(bytes))
          end.onBytes(Buffer.from(`<${Buffer.from(bytes)}>`), () => end.onEnd('the guest has closed the connection'))
          return true
        }
        return { send, close: () => undefined }
      })
      try {
        const ended = w.skerry('tunnel', 'hello', '22')
        let said = ''
        d.output.on('data', (chunk) => (said += chunk))
        await once(d.output, 'data')
        expect(said).toBe('SSH-2.0-x\r\n')
        d.input.write('hi')
        expect(await ended).toEqual({ code: 0, out: '', err: '' })
        expect(said).toBe('SSH-2.0-x\r\n<hi>')
        expect(String(Buffer.concat(got))).toBe('hi')
        const call = w.engine.calls.find(({ api }) => api.api === 'RequestTunnel')
        expect(call?.params).toMatchObject({ vmInstanceUuid: vm['uuid'], port: 22 })
      } finally {
        await d.close()
      }
    }))

  it('fails with the reason when nobody answers behind the port, and when the token is refused', () =>
    world(async (w) => {
      running(w)
      const d = await door(w, (end) => {
        setTimeout(() => end.onEnd('10.0.0.7:22: connection refused'), 10)
        return { send: () => true, close: () => undefined }
      })
      try {
        expect(await w.skerry('tunnel', 'hello', '22')).toMatchObject({
          code: 5,
          err: expect.stringContaining('connection refused'),
        })
        w.engine.volatileToken = 'd'.repeat(32)
        expect(await w.skerry('tunnel', 'hello', '22')).toMatchObject({
          code: 5,
          err: expect.stringContaining('used or expired'),
        })
      } finally {
        await d.close()
      }
    }))
})
