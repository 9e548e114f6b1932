/** A way to a guest's port, from the call to the guest and back, on a site in memory. */
import { once } from 'node:events'
import { consoleTokenText, parseConsoleToken } from '@skerry/console'
import { type Row, routerNetns } from '@skerry/contract'
import { serverKey } from '@skerry/host'
import { createClient } from '@skerry/sdk'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const soon = { timeout: 15_000, interval: 10 }
let site: SmallSite
let world: SmallWorld
let own: OwnClient
let vm: string
let address: string
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  own = new OwnClient(site.url, site.client.session)
  vm = await make('web', [world.l3])
  const [nic] = nicsOf(vm)
  address = String(nic!['ip'])
  // the guest's server: who connects gets a greeting, and back what it sends
  site.machine.host.servers.set(serverKey(routerNetns(world.l3), address, 22), (client) => {
    client.write('SSH-2.0-guest\r\n')
    client.on('data', (bytes: Buffer) => (bytes.includes('bye') ? client.end() : client.write(bytes)))
  })
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const make = (name: string, l3NetworkUuids: string[]) =>
  site.client.uuid('CreateVmInstance', { name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids })
const nicsOf = (uuid: string): Row[] => {
  const { graph } = site.controller.state
  return [...graph.by('vmNic', 'vmInstanceUuid', uuid)].map((key) => graph.get('vmNic', key)! as Row)
}
const request = async (params: Row) => {
  const { status, body } = await own.call('RequestTunnel', { vmInstanceUuid: vm, port: 22, ...params })
  expect(status).toBe(200)
  return body!['inventory'] as Row
}
const url = (token: string) => createClient({ baseUrl: site.url }).tunnelUrl(token)

async function connect(token: string) {
  const socket = new WebSocket(url(token))
  const heard = { text: '', reason: '' }
  socket.on('message', (data) => (heard.text += String(data)))
  socket.on('close', (_code, reason) => (heard.reason = String(reason)))
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return { socket, heard }
}
const refused = (token: string) =>
  new Promise<number | undefined>((resolve) => {
    const socket = new WebSocket(url(token))
    socket.once('unexpected-response', (_, { statusCode }) => resolve(statusCode))
    socket.once('open', () => resolve(101)).once('error', () => undefined)
  })

test('carries bytes both ways, to the address of the VM and the port that was asked for', async () => {
  const told = await request({})
  expect(told).toMatchObject({ address, port: 22, token: expect.any(String) })
  const { socket, heard } = await connect(String(told['token']))
  await vi.waitFor(() => expect(heard.text).toBe('SSH-2.0-guest\r\n'), soon)
  // more in one message than the server takes
  socket.send(Buffer.alloc(2_000_000))
  await once(socket, 'close')
  const again = await connect(String((await request({}))['token']))
  for (let n = 0; n < 100; n++) again.socket.send(Buffer.alloc(20_000, String(n % 10)))
  await vi.waitFor(() => expect(again.heard.text.length).toBe('SSH-2.0-guest\r\n'.length + 2_000_000), soon)
  again.socket.send('bye')
  await vi.waitFor(() => expect(again.heard.reason).toBe('the guest has closed the connection'), soon)
})

test('a token is good once, and a false one never', async () => {
  const token = String((await request({}))['token'])
  const { socket } = await connect(token)
  expect(await refused(token)).toBe(401)
  socket.terminate()
  const { agentUuid, resourceUuid, epoch } = parseConsoleToken(token)
  expect(await refused(consoleTokenText({ agentUuid, resourceUuid, epoch, secret: 'x'.repeat(32) }))).toBe(401)
  expect(await refused('short')).toBe(404)
})

test('nobody who listens is said in words', async () => {
  const { heard } = await connect(String((await request({ port: 2222 }))['token']))
  await vi.waitFor(() => expect(heard.reason).toBe(`${address}:2222: connection refused`), soon)
})

test('each is a job, and neither token nor hash is in the log', async () => {
  const token = String((await request({}))['token'])
  const { secret } = parseConsoleToken(token)
  const { graph } = site.controller.state
  const jobs = [...graph.by('job', 'api', 'RequestTunnel')].map((key) => graph.get('job', key)!)
  expect(jobs.at(-1)).toMatchObject({ state: 'done', accountUuid: expect.any(String) })
  expect(JSON.stringify(jobs)).not.toContain(secret)
})

test.each<[string, Row, number]>([
  ['no such VM', { vmInstanceUuid: 'f'.repeat(32) }, 404],
  ['no port', { port: 0 }, 400],
  ['another port than there is', { port: 65_536 }, 400],
  ['a card of another VM', { vmNicUuid: 'f'.repeat(32) }, 404],
])('%s is refused at once', async (_, params, status) => {
  const asked = await own.call('RequestTunnel', { vmInstanceUuid: vm, port: 22, ...params })
  expect(asked).toMatchObject({ status })
})

test('a VM that is off, or whose network has no router, says what to do', async () => {
  const l3 = await site.client.uuid('CreateL3Network', { name: 'bare', l2NetworkUuid: world.l2 })
  await site.client.call('AddIpRangeByNetworkCidr', { name: 'r', l3NetworkUuid: l3, networkCidr: '10.9.0.0/24' })
  const bare = await make('bare', [l3])
  const unreachable = await own.call('RequestTunnel', { vmInstanceUuid: bare, port: 22 })
  expect(unreachable).toMatchObject({ status: 409, body: { detail: expect.stringContaining('has a router of ours') } })
  await site.client.call('StopVmInstance', { uuid: bare, type: 'cold' })
  const off = await own.call('RequestTunnel', { vmInstanceUuid: bare, port: 22 })
  expect(off).toMatchObject({ status: 409, body: { detail: expect.stringContaining('only a running one') } })
})
