/** A host that booted with nobody to tell it anything: its agents come in any order, and bring back from their ledgers what ran. */
import { specHash } from '@skerry/agent'
import {
  type AgentKind,
  bridgeName,
  type Document,
  isTombstone,
  type Row,
  routerNetns,
  routerPort,
  subjects,
} from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SimTime } from '../harness/sim-time.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const MINUTE = 60_000

let time: SimTime
let site: SmallSite
let world: SmallWorld
/** runs; was stopped by its user; powered itself off */
let guest: string
let stopped: string
let ended: string
beforeAll(async () => {
  time = new SimTime()
  site = await startSmallSite({ time, disk: fakeDisk() })
  world = await makeSmallWorld(site)
  const vm = { imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering }
  ;[guest, stopped, ended] = (await Promise.all(
    ['guest', 'stopped', 'ended'].map((name) => site.client.uuid('CreateVmInstance', { name, ...vm })),
  )) as [string, string, string]
  await site.client.call('StopVmInstance', { uuid: stopped })
  site.machine.libvirt.guestPowersOff(ended)
  await time.until('the report of it', MINUTE, () => stateOf(ended) === 'Stopped')
  await time.sleep(6_000) // its document follows
})
afterAll(async () => {
  await site?.stop()
  time.stop()
})

const stateOf = (uuid: string) => site.controller.state.graph.get('vmInstance', uuid)!['state']
const running = () =>
  site.machine.libvirt
    .inventory()
    .filter((d) => d.state === 'running')
    .map((d) => d.uuid)
const routerDir = () => `/var/lib/skerry/agent-vrouter/routers/${world.l3}`

/** The router serves, is on its bridge, and gives the guest its address. */
async function served(): Promise<boolean> {
  const { host } = site.machine
  if (!(await host.dnsmasq.running(routerDir()))) return false
  const nic = [...site.controller.state.graph.rows('vmNic')]
    .map(([, row]) => row as Row)
    .find((n) => n['vmInstanceUuid'] === guest)!
  const ip = await host.requestLease(routerDir(), nic['mac'] as string)
  const port = (await host.ip.at().links.list()).find((link) => link.name === routerPort(world.l3))
  return ip === nic['ip'] && port?.master === bridgeName(world.l2)
}

async function differences(): Promise<unknown[]> {
  const audit = await fetch(`${site.url}/v1/audit/hosts`, { headers: { Authorization: `Bearer ${site.client.session}` } })
  return ((await audit.json()) as { differences: unknown[] }).differences
}

/** The controller hears the host again: nothing is sent, nothing started again. */
async function reunited(): Promise<void> {
  const [from, calls] = [site.asked.length, site.machine.libvirt.calls.length]
  site.bus.reconnect()
  await time.until('a host without differences', 3 * MINUTE, async () => {
    await time.sleep(500)
    const heard = [...site.controller.state.graph.rows('agent')].every(([, agent]) => agent['status'] === 'Connected')
    return heard && stateOf(guest) === 'Running' && (await differences()).length === 0
  })
  expect([stateOf(stopped), stateOf(ended)]).toEqual(['Stopped', 'Stopped'])
  const sent = site.asked.slice(from).filter(({ subject }) => subject.endsWith('.sync'))
  expect(sent.flatMap(({ data }) => (data as { documents: Document[] }).documents).filter((d) => !isTombstone(d))).toEqual([])
  const acts = site.machine.libvirt.calls.slice(calls).filter(({ op }) => /Create|Destroy|Shutdown|Define/.test(op))
  expect(acts).toEqual([])
}

const orders: AgentKind[][] = [
  ['kvm', 'storage', 'vrouter'],
  ['kvm', 'vrouter', 'storage'],
  ['storage', 'kvm', 'vrouter'],
  ['storage', 'vrouter', 'kvm'],
  ['vrouter', 'kvm', 'storage'],
  ['vrouter', 'storage', 'kvm'],
]

test.each(orders)(
  'first %s, then %s, then %s: what ran runs, has its router and its lease; what was off stays off',
  async (...order) => {
    site.bus.disconnect()
    await site.machine.reboot()
    expect(running()).toEqual([])
    expect(await site.machine.host.ip.netns.list()).not.toContain(routerNetns(world.l3))
    for (const kind of order) {
      await site.machine.begin(kind)
      await time.sleep(7_000)
    }
    await time.until('the guest and its router', MINUTE, async () => running().length > 0 && (await served()))
    expect(running()).toEqual([guest])
    await time.sleep(40_000)
    expect(running()).toEqual([guest])
    await reunited()
  },
)

test('a guest that powered itself off while nobody listened stays off over the boot, and that is told afterwards', async () => {
  await site.client.call('StartVmInstance', { uuid: ended })
  await time.sleep(6_000)
  site.bus.disconnect()
  site.machine.libvirt.guestPowersOff(ended)
  await time.sleep(2_000)
  await site.machine.reboot()
  for (const kind of ['storage', 'kvm', 'vrouter'] as const) await site.machine.begin(kind)
  await time.sleep(MINUTE)
  expect(running()).toEqual([guest])
  site.bus.reconnect()
  await time.until('the report of it', MINUTE, () => stateOf(ended) === 'Stopped')
  expect(site.controller.state.graph.get('vmInstance', ended)!['stateCause']).toBe('guest')
  await time.sleep(6_000) // its document follows
})

test('libvirtd and the disks that come minutes late are waited for, without a failure that sticks', async () => {
  const { machine } = site
  site.bus.disconnect()
  await machine.reboot()
  const { files } = machine.host.disk
  const away = [...files].filter(([path]) => path.startsWith('/data/primary/volumes/'))
  for (const [path] of away) files.delete(path)
  machine.libvirt.disconnect()
  for (const kind of ['kvm', 'storage', 'vrouter'] as const) await machine.begin(kind)
  await time.sleep(2 * MINUTE)
  machine.libvirt.reconnect()
  await time.sleep(2 * MINUTE)
  expect(running()).toEqual([])
  for (const [path, file] of away) files.set(path, file)
  await time.until('the guest and its router', 2 * MINUTE, async () => running().length > 0 && (await served()))
  expect(running()).toEqual([guest])
  await reunited()
})

test('a bridge that somebody removed is made again, with the taps of its guests and the port of its router', async () => {
  const scope = site.machine.host.ip.at()
  await scope.links.del(bridgeName(world.l2))
  await time.until('the bridge with its ports', MINUTE, async () => {
    const ports = (await scope.links.list()).filter((link) => link.master === bridgeName(world.l2)).map((link) => link.name)
    return ports.includes(routerPort(world.l3)) && ports.some((name) => name.startsWith('sktp'))
  })
  expect(running()).toEqual([guest])
})

test('a guest whose disk is shared is not started without its storage lease, whoever is silent', async () => {
  const { machine, bus } = site
  const agent = machine.agents.kvm
  const path = `/var/lib/skerry/agent-kvm/ledger/desired/vm/${guest}.json`
  const text = new TextDecoder().decode(machine.host.disk.files.get(path)!.data)
  const { document, epoch } = JSON.parse(text.split('\n')[0]!) as { document: Document; epoch: number }
  const spec = { ...document.spec, autonomy: 'leased' }
  const leased = {
    ...document,
    spec,
    hash: specHash(spec),
    generation: { ...document.generation, seq: document.generation.seq + 1_000 },
  }
  await bus.request(subjects.do('kvm', agent, 'agent', agent, 'sync'), { documents: [leased], epoch }, { timeoutMs: 5_000 })
  bus.disconnect()
  await machine.reboot()
  for (const kind of ['storage', 'vrouter', 'kvm'] as const) await machine.begin(kind)
  await time.sleep(2 * MINUTE)
  expect(running()).toEqual([])
})
