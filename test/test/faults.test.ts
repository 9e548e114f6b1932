/** Each fault of the README's table that can be made in one process: what shows it, in its time, and that it goes when it is mended. */
import {
  type Alarm,
  type ConditionCode,
  conditionKinds,
  type Heartbeat,
  type Row,
  type SiteCondition,
  subjects,
} from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SimTime } from '../harness/sim-time.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const MINUTE_MS = 60_000
/** A pass over a host comes at least this often. */
const PASS_MS = 30_000
const YEAR_MS = 365 * 86_400_000

let time: SimTime
let site: SmallSite
let world: SmallWorld
let vm: string
const alarms: string[] = []
const lastBeat = new Map<string, Heartbeat>()
const storeDisk = fakeDisk()

beforeAll(async () => {
  time = new SimTime()
  site = await startSmallSite({ time, disk: storeDisk })
  site.broker.connect().subscribe(subjects.alarmOfAll, (m) => {
    const { change, condition } = m.data as Alarm
    alarms.push(`${change} ${condition.code} ${condition.uuid ?? '-'}`)
  })
  site.broker
    .connect()
    .subscribe(subjects.heartbeatOfAll, (m) => void lastBeat.set((m.data as Heartbeat).agentUuid, m.data as Heartbeat))
  world = await makeSmallWorld(site)
  vm = await site.client.uuid('CreateVmInstance', vmParams('web'))
})
afterAll(async () => {
  await site?.stop()
  time?.stop()
})
beforeEach(() => healthy())

const vmParams = (name: string): Row => ({
  ...{ name, imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering },
})
const held = () => site.controller.conditions.list()
const graph = () => site.controller.state.graph
const state = () => graph().get('vmInstance', vm)?.['state']
const running = () => time.until('a running VM', MINUTE_MS, () => state() === 'Running')

/** A fault is over when nothing is wrong any more; none of these may leave a failure that nobody waited for. */
async function healthy(): Promise<void> {
  try {
    await time.until('a site without conditions', 10 * MINUTE_MS, () => {
      if (held().some((c) => c.code === 'background-failure')) throw new Error('something failed in the background')
      return held().length === 0
    })
  } catch (error) {
    const left = held().map((c) => c.message)
    throw new Error(left.join('\n'), { cause: error })
  }
}

/** The condition, once it is there. Simulated time has no noise, so it must be there in its stated time. */
async function appears(code: ConditionCode, about: string | null): Promise<SiteCondition> {
  const { visibleMs } = conditionKinds[code]
  const began = time.nowMs()
  const found = await time.until(`${code} of ${about}`, 10 * visibleMs, () =>
    held().find((c) => c.code === code && c.uuid === about),
  )
  expect(time.nowMs() - began).toBeLessThanOrEqual(visibleMs)
  expect(alarms).toContain(`raised ${code} ${about ?? '-'}`)
  return found
}

async function goes(code: ConditionCode, about: string | null): Promise<void> {
  await time.until(`an end of ${code}`, 10 * MINUTE_MS, () => !held().some((c) => c.code === code && c.uuid === about))
  expect(alarms).toContain(`cleared ${code} ${about ?? '-'}`)
}

/** `/v1`, as an operator asks. */
async function ask(path: string): Promise<Row> {
  const response = await fetch(`${site.url}/v1${path}`, { headers: { Authorization: `Bearer ${site.client.session}` } })
  return (await response.json()) as Row
}
const volumeOf = (vmUuid: string) => graph().get('volume', graph().get('vmInstance', vmUuid)!['rootVolumeUuid'] as string)!

describe('faults', () => {
  it('disk-full', async () => {
    storeDisk.capacity = 0
    const condition = await appears('disk-full', null)
    expect(condition.severity).toBe('critical')
    const refused = await site.client.exchange('CreateZone', { name: 'no room' })
    expect(JSON.stringify(refused.last.body)).toContain('disk-full')
    expect(await ask('/zones?q=name=zone')).toMatchObject({ inventories: [{ name: 'zone' }] })
    expect((await fetch(`${site.url}/readyz`)).status).toBe(503)
    storeDisk.capacity = Number.POSITIVE_INFINITY
    await goes('disk-full', null)
    await site.client.uuid('CreateZone', { name: 'room again' })
  })

  it('nats-gone', async () => {
    const kinds = ['kvm', 'storage', 'vrouter'] as const
    for (const kind of kinds) site.machine.bus(kind).disconnect()
    site.bus.disconnect()
    await time.until('nats-away', 10 * MINUTE_MS, () => held().some((c) => c.code === 'nats-away'))
    await time.until('silent agents', 10 * MINUTE_MS, () => held().filter((c) => c.code === 'agent-disconnected').length === 3)
    expect(held().map((c) => c.code)).toEqual(expect.arrayContaining(['host-disconnected', 'vm-unknown']))
    expect(site.machine.libvirt.inventory().map((d) => d.state)).toContain('running')
    site.bus.reconnect()
    // What was missed is published when NATS is back; what held then goes on being shown.
    await time.until('the alarm', MINUTE_MS, () => alarms.includes('cleared nats-away -'))
    expect(alarms).toContain(`raised vm-unknown ${vm}`)
    for (const kind of kinds) site.machine.bus(kind).reconnect()
    await running()
  })

  it('agent-dead', async () => {
    const agent = site.machine.agents.kvm
    site.machine.bus('kvm').disconnect()
    const condition = await appears('agent-disconnected', agent)
    expect(condition.message).toContain('agent-kvm on host host')
    await appears('host-disconnected', world.host)
    await appears('vm-unknown', vm)
    const { conditions } = (await ask(`/conditions?resourceUuid=${world.host}`)) as { conditions: SiteCondition[] }
    expect(conditions.map((c) => c.code).sort()).toEqual(['agent-disconnected', 'host-disconnected', 'vm-unknown'])
    site.machine.bus('kvm').reconnect()
    await goes('vm-unknown', vm)
    await goes('host-disconnected', world.host)
  })

  it('deleted-while-away', async () => {
    const other = await site.client.uuid('CreateVmInstance', vmParams('other'))
    await site.client.call('DestroyVmInstance', { uuid: other })
    site.machine.bus('storage').disconnect()
    await appears('agent-disconnected', site.machine.agents.storage)
    await site.client.call('ExpungeVmInstance', { uuid: other })
    const condition = await appears('removal-waiting', site.machine.agents.storage)
    expect(condition.message).toMatch(/1 deleted resources wait for agent-storage/)
    site.machine.bus('storage').reconnect()
    await goes('removal-waiting', site.machine.agents.storage)
  })

  it.each([YEAR_MS, -YEAR_MS])('clock-jump by %i ms', async (jump) => {
    site.machine.advance(jump)
    const condition = await appears('agent-clock-differs', site.machine.agents.storage)
    expect(condition.message).toMatch(/31536000 s (ahead|behind)/)
    expect(state()).toBe('Running')
    site.machine.advance(-jump)
    await goes('agent-clock-differs', site.machine.agents.storage)
  })

  it('guest-powers-off', async () => {
    site.machine.libvirt.guestPowersOff(vm)
    await time.until('a stopped VM', 10 * MINUTE_MS, () => state() === 'Stopped')
    expect(graph().get('vmInstance', vm)).toMatchObject({ stateCause: 'guest' })
    expect(held()).toEqual([])
    await site.client.call('StartVmInstance', { uuid: vm })
  })

  it('guest-crashes', async () => {
    site.machine.libvirt.guestCrashes(vm)
    const condition = await appears('vm-crashed', vm)
    expect(condition.message).toBe('vm web on host host crashed')
    await site.client.call('StartVmInstance', { uuid: vm })
    await goes('vm-crashed', vm)
  })

  it('guest-destroyed-by-hand', async () => {
    await site.machine.libvirt.call('domainDestroy', { uuid: vm }, { timeoutMs: 1_000 })
    await appears('vm-ended', vm)
    // Whoever stops it says that it is to stay off.
    await site.client.call('StopVmInstance', { uuid: vm })
    await goes('vm-ended', vm)
    await site.client.call('StartVmInstance', { uuid: vm })
  })

  it('volume-deleted', async () => {
    const volume = volumeOf(vm)
    const { disk } = site.machine.host
    const path = volume['installPath'] as string
    const file = disk.files.get(path)!
    disk.files.delete(path)
    const condition = await appears('volume-lost', volume['uuid'] as string)
    expect(condition.resourceUuids).toEqual(expect.arrayContaining([vm, world.host]))
    disk.files.set(path, file)
    await goes('volume-lost', volume['uuid'] as string)
  })

  it('storage-missing', async () => {
    const { disk } = site.machine.host
    const within = (path: string) => path === '/data/images' || path.startsWith('/data/images/')
    const files = [...disk.files].filter(([path]) => within(path))
    const folders = [...disk.folders].filter(([path]) => within(path))
    for (const [path] of files) disk.files.delete(path)
    for (const [path] of folders) disk.folders.delete(path)
    const condition = await appears('storage-missing', world.backupStorage)
    expect(condition.message).toContain('/data/images')
    for (const [path, mode] of folders) disk.folders.set(path, mode)
    for (const [path, file] of files) disk.files.set(path, file)
    await goes('storage-missing', world.backupStorage)
  })

  it('storage-full', async () => {
    const { disk } = site.machine.host
    const total = disk.totalBytes
    const used = disk.usedBytes()
    disk.totalBytes = Math.ceil(used / 0.95)
    await appears('storage-nearly-full', world.primaryStorage)
    disk.totalBytes = used + 1
    const condition = await appears('storage-full', world.primaryStorage)
    expect(condition.message).toContain('/data/primary')
    disk.totalBytes = total
    await goes('storage-full', world.primaryStorage)
  })

  it('undo-fails', async () => {
    const { storage } = site.machine.agents
    site.machine.bus('storage').disconnect()
    const more = { url: 'file:///data/home/tiny.qcow2', format: 'qcow2', backupStorageUuids: [world.backupStorage] }
    // The download finds no agent, and neither does what would remove its remains.
    const answer = await site.client.exchange('AddImage', { name: 'second', ...more })
    expect(answer.last.status).not.toBe(200)
    const [job] = [...graph().by('job', 'state', 'stuck')]
    const condition = await appears('job-stuck', job!)
    expect(condition.message).toMatch(/AddImage.* is stuck at step /)
    site.machine.bus('storage').reconnect()
    await goes('agent-disconnected', storage)
    const headers = { Authorization: `Bearer ${site.client.session}`, 'Content-Type': 'application/json' }
    await fetch(`${site.url}/v1/jobs/${job}/actions`, { method: 'PUT', headers, body: JSON.stringify({ retryJob: {} }) })
    await goes('job-stuck', job!)
  })

  it('start-fails', async () => {
    const { libvirt } = site.machine
    await site.client.call('StopVmInstance', { uuid: vm })
    const off = libvirt.failOn('domainCreate')
    const answer = await site.client.exchange('StartVmInstance', { uuid: vm })
    off()
    expect(JSON.stringify(answer.last.body)).toContain('domainCreate fails on demand')
    await healthy()
    await site.client.call('StartVmInstance', { uuid: vm })
  })

  it('libvirt-away', async () => {
    const agent = site.machine.agents.kvm
    site.machine.libvirt.disconnect()
    const condition = await appears('agent-blind', agent)
    expect(condition.message).toMatch(/agent-kvm on host host cannot see what is on its host: vm: /)
    expect(state()).toBe('Running')
    site.machine.libvirt.reconnect()
    await goes('agent-blind', agent)
  })

  it.each(['bridge', 'rules', 'dnsmasq'] as const)('network-by-hand: %s', async (what) => {
    const { host } = site.machine
    const differences = async () => ((await ask('/audit/hosts'))['differences'] as Row[]).length
    expect(await differences()).toBe(0)
    const net = host.network.in('')
    if (what === 'bridge')
      for (const link of net.links.filter(({ name }) => name.startsWith('skbr'))) host.network.dropLink(net, link)
    else if (what === 'rules') for (const netns of ['', ...host.network.namespaces.keys()]) host.ruleset(netns).tables.clear()
    else for (const { pid } of host.processTable.all()) host.processTable.kill(pid)
    expect(await differences()).toBeGreaterThan(0)
    const began = time.nowMs()
    while ((await differences()) > 0) {
      expect(time.nowMs() - began).toBeLessThan(10 * PASS_MS)
      await time.sleep(2_000)
    }
  })

  it('other-version', async () => {
    const { kvm } = site.machine.agents
    // One heartbeat of an older build; the next is of this one again.
    site.broker.connect().publish(subjects.heartbeat('kvm', kvm), { ...lastBeat.get(kvm), version: '0.0.9' })
    const condition = await appears('agent-version-differs', kvm)
    expect(condition.message).toContain('0.0.9')
    await goes('agent-version-differs', kvm)
  })

  it('host-boots', async () => {
    await site.machine.reboot()
    const off = site.machine.libvirt.failOn('domainCreate')
    for (const kind of ['storage', 'vrouter', 'kvm'] as const) await site.machine.begin(kind)
    const condition = await appears('resource-failed', vm)
    expect(condition.message).toContain('domainCreate fails on demand')
    off()
    await goes('resource-failed', vm)
    await running()
  })
})
