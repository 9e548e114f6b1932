/** Tunnels of agent-vrouter on a machine in memory: who shows a token gets one connection to what it was announced for. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { consoleTokenText, hashOfSecret, type OpenTunnel, tunnelBridge } from '@skerry/console'
import { routerNetns, subjects } from '@skerry/contract'
import { fakeHost, serverKey } from '@skerry/host'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Tunnels } from '../src/commands/router.tunnel.ts'

const [agentUuid, router] = ['a'.repeat(32), 'b'.repeat(32)]
const GUEST = { address: '10.0.0.7', port: 22 }
const SECRET = 's'.repeat(32)
const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 })

let host: ReturnType<typeof fakeHost>
let tunnels: Tunnels
let open: OpenTunnel
let clients: Duplex[]
let sessions = 0

beforeEach(async () => {
  host = fakeHost()
  clients = []
  await host.ip.netns.add(routerNetns(router))
  host.servers.set(serverKey(routerNetns(router), GUEST.address, GUEST.port), (client) => {
    clients.push(client)
    client.write('SSH-2.0-fake\r\n')
    client.on('data', (bytes: Buffer) => client.write(`<${bytes}>`))
  })
  const broker = memoryBroker()
  const bus = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'vrouter', uuid: agentUuid } }))
  tunnels = new Tunnels({ host, bus: () => bus, timers: realTimers, agentUuid })
  bus.serve(subjects.do('vrouter', agentUuid, 'router', router, 'tunnel'), async ({ data }) => {
    const { id, input } = data as { id: string; input: object }
    return { id, output: await command('tunnel', input) }
  })
  const proxy = broker.connect(rightsOf({ kind: 'console-proxy', id: 'UPROXY' }))
  open = tunnelBridge({ bus: proxy, timers: realTimers, newId: () => (++sessions).toString(16).padStart(32, '0') })
})
afterEach(() => tunnels.close())

function command(verb: 'allow-tunnel' | 'tunnel', input: object, uuid = router) {
  const found = tunnels.commands().find((one) => one.verb === verb)!
  const quiet = { progress: () => undefined, log: null as never, signal: new AbortController().signal }
  return found.run({ id: 'x', uuid, input, ...quiet })
}
const allow = (o: Partial<typeof GUEST> & { ttlMs?: number } = {}) =>
  command('allow-tunnel', { tokenHash: hashOfSecret(SECRET), ttlMs: 60_000, ...GUEST, ...o })
const token = consoleTokenText({ agentUuid, resourceUuid: router, epoch: 1, secret: SECRET })

function near() {
  const heard = { text: '', ended: '' }
  const end = {
    onBytes: (bytes: Uint8Array, taken: () => void) => {
      heard.text += Buffer.from(bytes)
      taken()
    },
    onRoom: () => undefined,
    onEnd: (reason: string) => void (heard.ended = reason),
  }
  return { heard, end }
}

test('a token opens one connection, which carries bytes both ways', async () => {
  await allow()
  const { heard, end } = near()
  const channel = await open(token, end)
  await until(() => expect(heard.text).toBe('SSH-2.0-fake\r\n'))
  channel.send(Buffer.from('hello'))
  await until(() => expect(heard.text).toBe('SSH-2.0-fake\r\n<hello>'))
  await expect(open(token, near().end)).rejects.toMatchObject({ code: 'session-invalid' })
  expect(clients).toHaveLength(1)
})

test('leaving lets the guest go, and the guest that closes ends it with the reason', async () => {
  await allow()
  const channel = await open(token, near().end)
  await until(() => expect(clients).toHaveLength(1))
  const gone = once(clients[0]!, 'end')
  channel.close('the client left')
  await gone
  await allow()
  const { heard, end } = near()
  await open(token, end)
  await until(() => expect(clients).toHaveLength(2))
  clients[1]!.end()
  await until(() => expect(heard.ended).toBe('the guest has closed the connection'))
})

test('nobody behind the port is said in words', async () => {
  await allow({ port: 2222 })
  const { heard, end } = near()
  await open(token, end)
  await until(() => expect(heard.ended).toBe('10.0.0.7:2222: connection refused'))
})

test('a token of another router, an expired one and a router that is not there are refused', async () => {
  await allow()
  const input = { session: 'f'.repeat(32), token: SECRET }
  await expect(command('tunnel', input, 'c'.repeat(32))).rejects.toMatchObject({ code: 'session-invalid' })
  await allow({ ttlMs: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await expect(open(token, near().end)).rejects.toMatchObject({ code: 'session-invalid' })
  await allow()
  await host.ip.netns.del(routerNetns(router))
  await expect(open(token, near().end)).rejects.toMatchObject({ code: 'illegal-state' })
  expect(clients).toEqual([])
})

test('a repeat of the request that opened it opens nothing more', async () => {
  await allow()
  const input = { session: 'e'.repeat(32), token: SECRET }
  expect(await command('tunnel', input)).toEqual(GUEST)
  expect(await command('tunnel', input)).toEqual(GUEST)
  expect(clients).toHaveLength(1)
})

test('the end of the agent ends them all', async () => {
  await allow()
  const { heard, end } = near()
  await open(token, end)
  tunnels.close()
  await until(() => expect(heard.ended).toBe('the agent is ending'))
})
