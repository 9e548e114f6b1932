/** A week of offline changes on both sides, from seeds: it merges as DESIGN §6 says, and what nobody changed does not travel. */
import { type Document, isTombstone, type Row, type Status, statusesReply, subjects, type Tombstone } from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { expect, test } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { SimTime } from '../harness/sim-time.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
import { randomFrom, Week } from '../harness/week.ts'

const SEEDS = Array.from({ length: 20 }, (_, n) => n + 1)
const MINUTE = 60_000
const VMS = 4
const ACTIONS = 14

const documentId = (d: Document | Tombstone) => `${d.noun}/${d.uuid} ${d.generation.incarnation}.${d.generation.seq}`

/** What the agents' ledgers hold: noun, uuid and generation of each live document. */
function held({ machine }: SmallSite): Set<string> {
  const found = new Set<string>()
  for (const [path, file] of machine.host.disk.files) {
    if (!path.includes('/ledger/desired/') || !path.endsWith('.json')) continue
    const entry = JSON.parse(new TextDecoder().decode(file.data).split('\n')[0]!) as {
      document: Document | null
      tombstone: unknown
    }
    if (entry.document && !entry.tombstone) found.add(documentId(entry.document))
  }
  return found
}

const sentSince = (site: SmallSite, from: number) =>
  site.asked
    .slice(from)
    .filter(({ subject }) => subject.endsWith('.sync'))
    .flatMap(({ data }) => (data as { documents: (Document | Tombstone)[] }).documents)

async function differences(site: SmallSite): Promise<Row[]> {
  const audit = await fetch(`${site.url}/v1/audit/hosts`, { headers: { Authorization: `Bearer ${site.client.session}` } })
  return ((await audit.json()) as { differences: Row[] }).differences
}

/** Everything in which graph and host are not one. */
async function problems(site: SmallSite, week: Week): Promise<string[]> {
  const { graph } = site.controller.state
  const found: string[] = []
  for (const [uuid, job] of graph.rows('job'))
    if (!['done', 'failed'].includes(job['state'] as string)) found.push(`job ${job['api']} ${uuid} is ${job['state']}`)
  for (const [key, row] of graph.rows('desired')) if (row['tombstone']) found.push(`tombstone ${key} was not carried out`)
  for (const [uuid, agent] of graph.rows('agent'))
    if (agent['status'] !== 'Connected') found.push(`agent ${uuid} is ${agent['status']}`)
  const domains = new Map(week.domains().map(({ uuid, running }) => [uuid, running]))
  for (const [uuid, vm] of week.vms()) {
    if ((vm['state'] === 'Running') !== (domains.get(uuid) ?? false))
      found.push(`vm ${uuid} is ${vm['state']}, and its domain ${domains.get(uuid) ? 'runs' : 'does not'}`)
    if (!['Running', 'Stopped', 'Destroyed'].includes(vm['state'] as string)) found.push(`vm ${uuid} is ${vm['state']}`)
  }
  const ours = new Set(week.vms().map(([uuid]) => uuid))
  for (const uuid of domains.keys())
    if (!ours.has(uuid) && !week.strangers.has(uuid)) found.push(`domain ${uuid} is left of a VM that is no more`)
  if (found.length > 0) return found // an audit asks every agent
  for (const d of await differences(site))
    if (!(d['kind'] === 'domain' && [...week.strangers.keys()].some((uuid) => String(d['id']).includes(uuid))))
      found.push(JSON.stringify(d))
  return [...found, ...site.contradictions().map((c) => JSON.stringify(c))]
}

test.each(SEEDS)('seed %i', async (seed) => {
  const time = new SimTime()
  const random = randomFrom(seed)
  const site = await startSmallSite({ time, disk: fakeDisk() })
  const world = await makeSmallWorld(site)
  const vm = { imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering }
  for (let n = 0; n < VMS; n++) await site.client.call('CreateVmInstance', { name: `vm${n}`, ...vm })
  const week = new Week({ site, time, world, random })
  const { graph } = site.controller.state
  try {
    site.bus.disconnect()
    if (seed % 2 === 0) for (const kind of AGENT_KINDS) site.machine.bus(kind).disconnect()
    await week.pass(ACTIONS)
    await time.until('the end of the calls that could be made', 5 * MINUTE, () =>
      ['processing', 'undoing'].every((state) => graph.countBy('job', 'state', state) === 0),
    )
    await time.sleep(20_000)
    // Silence is no news: once everybody is noted as away, nothing enters the log.
    const silent = site.store.status().durableSeq
    await time.sleep(MINUTE / 2)
    expect(site.store.status().durableSeq).toBe(silent)

    await week.pass(3) // some of it is under way when the two sides hear each other again
    const [known, from, seq] = [held(site), site.asked.length, site.store.status().durableSeq]
    site.bus.reconnect()
    for (const kind of AGENT_KINDS) site.machine.bus(kind).reconnect()
    let left: string[] = []
    await time
      .until('peace', 5 * MINUTE, async () => {
        await time.sleep(250)
        left = await problems(site, week)
        return left.length === 0
      })
      .catch(() => undefined)
    expect(left).toEqual([])
    await merged({ site, week, known, from, seq })
  } catch (error) {
    throw new Error(`seed ${seed}:\n${week.diary.join('\n')}`, { cause: error })
  } finally {
    await Promise.all(week.calls)
    await site.stop()
    time.stop()
  }
})

interface Healed {
  site: SmallSite
  week: Week
  /** documents that agents had when the sides met, requests and commits made before */
  known: Set<string>
  from: number
  seq: number
}

async function merged({ site, week, known, from, seq }: Healed): Promise<void> {
  const { graph } = site.controller.state
  const domains = new Map(week.domains().map(({ uuid, running }) => [uuid, running]))
  for (const [uuid, starts] of week.ended)
    if (week.starts(uuid) === starts) expect([uuid, domains.get(uuid) ?? false]).toEqual([uuid, false])
  for (const [uuid, runs] of week.strangers) expect([uuid, domains.get(uuid)]).toEqual([uuid, runs])

  const sent = sentSince(site, from)
    .filter((d) => !isTombstone(d))
    .map(documentId)
  expect(sent.filter((id) => known.has(id))).toEqual([])
  expect(sent.filter((id, n) => sent.indexOf(id) !== n)).toEqual([])
  for (const status of await statuses(site))
    expect([status.noun, status.uuid, status.condition]).toEqual([
      ...[status.noun, status.uuid],
      week.strangers.has(status.uuid) ? 'Orphaned' : expect.stringMatching(/^(Ready|Gone)$/),
    ])

  const reboots = [...graph.rows('job')].filter(([, job]) => job['api'] === 'RebootVmInstance' && job['state'] === 'done')
  const made = site.machine.libvirt.calls.filter(({ op }) => op === 'domainReboot' || op === 'domainReset')
  expect(made.length).toBeLessThanOrEqual(reboots.length)
  // Transitions only: of agents, hosts, VMs, storage and jobs, each a few times.
  expect(site.store.status().durableSeq - seq).toBeLessThan(250)
}

async function statuses({ bus, machine }: SmallSite): Promise<Status[]> {
  const told = AGENT_KINDS.map(async (kind) => {
    const uuid = machine.agents[kind]
    const reply = await bus.request(subjects.do(kind, uuid, 'agent', uuid, 'statuses'), {}, { timeoutMs: 10_000 })
    return statusesReply.parse(reply.data).statuses
  })
  return (await Promise.all(told)).flat()
}
