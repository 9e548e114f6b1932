/** What every `Haproxy` does, real or fake. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Files, type Haproxy, type HaproxyListener, haproxyDigest, haproxyFiles, renderHaproxy } from '../../src/index.ts'

export interface HaproxyWorld {
  haproxy: Haproxy
  files: Files
  dir: string
  netns: string
  /** As an agent after a restart. */
  again(): Haproxy
  /** Kills the process without a word. */
  kill(pid: number): void
  /** A certificate with its key, and its name. */
  pem(name: string): Promise<string>
}

const [WEB, SECURE] = ['1'.repeat(32), '2'.repeat(32)] as const
const server = (n: number, weight = 100) => ({ name: String(n).repeat(32), ip: '127.0.0.1', port: 8_000 + n, weight })
const health = {
  ...{ kind: 'http', port: null, method: 'GET', path: '/a?b&c#d', statuses: ['200-299', '404'] },
  ...{ intervalSeconds: 1, timeoutSeconds: 1, rise: 1, fall: 1 },
} as const satisfies HaproxyListener['health']
const listener = (change: Partial<HaproxyListener> = {}): HaproxyListener => ({
  ...{ name: WEB, mode: 'tcp', ip: '127.0.0.1', port: 80, tls: null, algorithm: 'roundrobin', idleSeconds: 60 },
  ...{ maxConnections: 1_000, httpMode: 'http-server-close', cookie: null, health: null, servers: [server(1)] },
  ...change,
})

export function haproxySuite(title: string, make: () => Promise<{ world: HaproxyWorld; cleanUp(): Promise<void> }>): void {
  describe(`haproxy (${title})`, () => {
    let world: HaproxyWorld
    let cleanUp: () => Promise<void>
    const write = async (listeners: readonly HaproxyListener[]) => {
      for (const { name } of listeners) {
        await world.files.write(`${world.dir}/${haproxyFiles.allow(name)}`, '0.0.0.0/0\n')
        await world.files.write(`${world.dir}/${haproxyFiles.deny(name)}`, '')
      }
      await world.haproxy.configure(world.dir, renderHaproxy(listeners))
      return haproxyDigest(listeners)
    }
    const view = () => world.haproxy.at(world.dir).view()
    const servers = async (of: string = WEB) => (await view())?.servers[of]
    beforeAll(async () => {
      ;({ world, cleanUp } = await make())
    })
    afterAll(async () => {
      await world.haproxy.stop(world.dir)
      await cleanUp()
    })

    it('is not there before it is started, and then tells what it runs', async () => {
      expect([await world.haproxy.running(world.dir), await view()]).toEqual([undefined, undefined])
      const digest = await write([listener()])
      await world.haproxy.start(world)
      expect(await view()).toEqual({ digest, servers: { [WEB]: [{ ...server(1), up: null }] } })
    })

    it('is found again by an agent that did not start it, and started once', async () => {
      const found = await world.haproxy.running(world.dir)
      expect(await world.again().running(world.dir)).toEqual(found)
      await world.again().start(world)
      expect(await world.haproxy.running(world.dir)).toEqual(found)
    })

    it('takes servers and gives them up while it runs', async () => {
      const runtime = world.haproxy.at(world.dir)
      const before = await world.haproxy.running(world.dir)
      await runtime.addServer(WEB, server(2, 5), null)
      await runtime.setWeight(WEB, server(1).name, 7)
      expect(await servers()).toEqual([
        { ...server(1, 7), up: null },
        { ...server(2, 5), up: null },
      ])
      await runtime.removeServer(WEB, server(2).name)
      await runtime.removeServer(WEB, server(2).name)
      expect(await servers()).toEqual([{ ...server(1, 7), up: null }])
      expect(await world.haproxy.running(world.dir)).toEqual(before)
      await expect(runtime.addServer(WEB, server(1), null)).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('has another list of addresses at once', async () => {
      const runtime = world.haproxy.at(world.dir)
      const file = haproxyFiles.allow(WEB)
      expect(await runtime.list(file)).toEqual(['0.0.0.0/0'])
      const many = Array.from({ length: 250 }, (_, n) => `10.0.${n}.0/24`)
      for (const entries of [many, ['192.0.2.7'], []]) {
        await runtime.setList(file, entries)
        expect(await runtime.list(file)).toEqual(entries)
      }
    })

    it('takes another configuration by a reload, and another certificate without one', async () => {
      const dir = world.dir
      await world.files.write(`${dir}/${haproxyFiles.certificate(SECURE)}`, await world.pem('one'), 0o600)
      const cookie = { name: 'SRV', how: 'insert', idleSeconds: 60 } as const
      const tls = { min: 'TLSv1.2', max: 'TLSv1.3' } as const
      const secure = listener({ ...{ name: SECURE, mode: 'http', port: 443, tls, cookie, health }, servers: [] })
      const digest = await write([listener({ algorithm: 'source' }), secure])
      const before = await world.haproxy.running(dir)
      await world.haproxy.reload(dir, digest)
      expect((await view())?.digest).toBe(digest)
      expect(await world.haproxy.running(dir)).toEqual(before)
      await world.haproxy.at(dir).setCertificate(haproxyFiles.certificate(SECURE), await world.pem('two'))
      await world.haproxy.at(dir).addServer(SECURE, server(3), health)
      await vi.waitFor(async () => expect((await servers(SECURE))?.[0]?.up).not.toBeNull())
    })

    it('keeps what it had when the text is none that it understands', async () => {
      const before = await world.files.read(`${world.dir}/${haproxyFiles.conf}`)
      if (title === 'real') {
        await expect(world.haproxy.configure(world.dir, 'nonsense\n')).rejects.toMatchObject({ code: 'host-command-failed' })
        expect(await world.files.read(`${world.dir}/${haproxyFiles.conf}`)).toBe(before)
      }
      for (const bad of [{ name: 'a b' }, { ip: 'x' }, { health: { ...health, path: "/'\n" } }])
        expect(() => renderHaproxy([listener(bad as Partial<HaproxyListener>)])).toThrow(/listeners/)
    })

    it('is started again after it was killed, and stopped with all that it left', async () => {
      world.kill((await world.haproxy.running(world.dir))!.pid)
      await vi.waitFor(async () => expect(await world.haproxy.running(world.dir)).toBeUndefined())
      await world.haproxy.start(world)
      expect(Object.keys((await view())!.servers).sort()).toEqual([WEB, SECURE])
      await world.haproxy.stop(world.dir)
      await world.haproxy.stop(world.dir)
      expect([await world.haproxy.running(world.dir), await view()]).toEqual([undefined, undefined])
    })
  })
}
