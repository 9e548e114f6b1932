/**
 * As many agents as one controller is made for, each with its own NATS connection, and VMs on all of them: how long that takes to come
 * up, what it costs while nobody asks for anything, and how soon a change is with its agent.
 */
import { join } from 'node:path'
import { type Bus, connectNats, inboxOfCreds } from '../../../packages/bus/src/index.ts'
import { HEARTBEAT_MS, parseAgentSubject, subjects } from '../../../packages/contract/src/index.ts'
import { makeVms } from './make-vms.ts'
import { type Result, spread } from './result.ts'
import { PARTS, type Part, type Site, startSite } from './site.ts'

export interface AgentsOptions {
  root: string
  dir: string
  /** rounded up to whole hosts */
  agents: number
  vms: number
  /** of idleness that is looked at */
  seconds: number
  env: NodeJS.ProcessEnv
  say(text: string): void
}

const AGENTS_A_HOST = 3
const VMS_A_NETWORK = 4_000
const IN_FLIGHT = 256
/** Until the last words of what was made are said. */
const SETTLE_MS = 4 * HEARTBEAT_MS
/** A beat that comes later than the next but one was due is counted as missed. */
const LATE_MS = 2 * HEARTBEAT_MS
const CHANGES = 200
const CHANGE_MS = 60_000
const MIB = 1024 ** 2

export async function benchAgents(o: AgentsOptions): Promise<{ results: Result[]; voided: string[] }> {
  const hosts = Math.ceil(o.agents / AGENTS_A_HOST)
  const agents = hosts * AGENTS_A_HOST
  const site = await startSite({ ...o, hosts, stateDir: join(o.dir, 'site') })
  try {
    o.say(`up with ${agents} agents on ${hosts} hosts in ${site.upSeconds.toFixed(1)} s; making ${o.vms} VMs`)
    const l3s = await networks(site, Math.ceil(o.vms / VMS_A_NETWORK))
    // a network's router is where its first VM is: one after the other, as networks are made, so that not one host has them all
    await makeVms(site, { count: l3s.length, inFlight: 1, l3s })
    const { seconds, vms } = await makeVms(site, { count: o.vms - l3s.length, inFlight: IN_FLIGHT, l3s, say: o.say })
    o.say(`made in ${seconds.toFixed(0)} s; looking at ${o.seconds} s of idleness`)
    await pause(SETTLE_MS)
    const bus = await listen(site)
    try {
      const idle = await idleness(site, bus, o.seconds)
      const silent = await disconnected(site)
      const changes = await changesOf(site, bus, vms)
      const what = `${agents} agents, ${o.vms} VMs`
      const once = (what: string, unit: string, value: number): Result => row(what, unit, [value])
      const results = [
        once(`up with ${agents} agents`, 's', site.upSeconds),
        row(`${o.vms} VMs made`, '1/s', [vms.length / seconds]),
        ...PARTS.map((part) => once(`${what}: ${part}`, 'MiB RSS', site.rssBytes()[part] / MIB)),
        ...PARTS.map((part) => once(`${what}, idle: ${part}`, '% of a core', idle.cpu[part])),
        once(`${what}, idle: heartbeats`, '1/s', idle.beats / o.seconds),
        judged(once(`${what}, idle: heartbeats missed`, '', idle.missed), 0),
        judged(once(`${what}: agents thought lost`, '', silent), 0),
        row(`${what}: from a call to its agent's word`, 'ms', changes),
      ]
      return { results, voided: [] }
    } finally {
      await bus.close()
    }
  } finally {
    site.end()
  }
}

const row = (what: string, unit: string, values: readonly number[]): Result => ({
  ...{ bench: 'agents', what, unit, skerry: spread(values), goal: '', met: null },
})
const judged = (result: Result, most: number): Result => ({ ...result, goal: `≤ ${most}`, met: result.skerry.median <= most })
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** The demo's network, and more like it beside it: one has not so many addresses. */
async function networks({ client }: Site, count: number): Promise<string[]> {
  const first = await client.get('l3Network', 'net1')
  const made = [String(first['uuid'])]
  const { inventories } = await client.query('networkServiceProvider')
  const provider = inventories.find((one) => (one['networkServiceTypes'] as string[]).includes('DHCP'))
  if (!provider) throw new Error('no network service provider offers DHCP')
  for (let n = 2; n <= count; n++) {
    const { uuid } = (
      await client.call('CreateL3Network', { name: `net${n}`, l2NetworkUuid: String(first['l2NetworkUuid']) }, { wait: true })
    ).inventory
    const range = { name: `net${n}`, l3NetworkUuid: uuid, networkCidr: `10.${137 + n}.0.0/16` }
    await client.call('AddIpRangeByNetworkCidr', range, { wait: true })
    const networkServices = { [String(provider['uuid'])]: ['DHCP'] as 'DHCP'[] }
    await client.call('AttachNetworkServiceToL3Network', { l3NetworkUuid: uuid, networkServices }, { wait: true })
    made.push(uuid)
  }
  return made
}

/** As the operator's command line hears the bus. */
async function listen({ client, natsUrl }: Site): Promise<Bus> {
  const { creds } = await client.call('IssueBusCredentials', {})
  const inboxPrefix = inboxOfCreds(String(creds))
  return connectNats({
    ...{ servers: [natsUrl], name: 'bench', credentials: { creds: String(creds) } },
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  })
}

interface Idle {
  /** of one core */
  cpu: Record<Part, number>
  beats: number
  missed: number
}

async function idleness(site: Site, bus: Bus, seconds: number): Promise<Idle> {
  const last = new Map<string, number>()
  let [beats, missed] = [0, 0]
  const count = (agentUuid: string, now: number) => {
    const gap = now - (last.get(agentUuid) ?? now)
    if (gap > LATE_MS) missed += Math.floor(gap / HEARTBEAT_MS) - 1
    last.set(agentUuid, now)
  }
  const hearing = bus.subscribe(subjects.heartbeatOfAll, ({ subject }) => {
    beats += 1
    count(parseAgentSubject(subject)!.agentUuid, performance.now())
  })
  const before = site.cpuMs()
  await pause(seconds * 1000)
  const after = site.cpuMs()
  await hearing.stop()
  const now = performance.now()
  for (const agentUuid of [...last.keys()]) count(agentUuid, now)
  const share = (part: Part) => (after[part] - before[part]) / (seconds * 10)
  return { cpu: { controller: share('controller'), simulator: share('simulator'), nats: share('nats') }, beats, missed }
}

async function disconnected({ client }: Site): Promise<number> {
  const { total = 0 } = await client.query('agent', { q: ['status!=Connected'], count: true })
  return total
}

/** Milliseconds from the call that gives a VM another name to its agent's word that the new document is carried out; one after another. */
async function changesOf({ client }: Site, bus: Bus, vms: readonly { uuid: string; name: string }[]): Promise<number[]> {
  const waiting = new Map<string, () => void>()
  const hearing = bus.subscribe(subjects.statusOfAll, ({ subject }) => waiting.get(parseAgentSubject(subject)!.rest[1] ?? '')?.())
  const took: number[] = []
  for (let n = 0; n < Math.min(CHANGES, vms.length); n++) {
    const { uuid, name } = vms[Math.floor((n * vms.length) / CHANGES) % vms.length]!
    const began = performance.now()
    const told = new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing was heard of VM ${uuid} for ${CHANGE_MS} ms`)), CHANGE_MS)
      waiting.set(uuid, () => {
        clearTimeout(timer)
        resolve(performance.now() - began)
      })
    })
    await Promise.all([client.call('UpdateVmInstance', { uuid, name: `${name}-${n}` }, { wait: true }), told])
    took.push(await told)
    waiting.delete(uuid)
  }
  await hearing.stop()
  return took
}
