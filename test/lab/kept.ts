/** After a start: is everything there that was acknowledged, and nothing half done? */
import type { Row } from '@skerry/contract'
import { type Client, createClient } from '@skerry/sdk'
import { until } from '../harness/site.ts'
import { type LabSite, SLOW_MS } from './lab-site.ts'
import type { Promises } from './writers.ts'

const ALL = 100_000
const AT_REST = new Set(['Running', 'Stopped', 'Destroyed'])

/** One line for each broken promise; none: all were kept. Takes up what was open. */
export async function broken(site: LabSite, promised: Promises): Promise<string[]> {
  // The session, too, was acknowledged.
  const client = createClient({ baseUrl: site.url, session: site.client.session, fetch: patient })
  const jobs = await Promise.all([...promised.jobs].map((uuid) => jobOf(client, uuid)))
  promised.jobs.clear()
  const lost = [...jobs.flat(), ...(await zonesOf(client, promised, site)), ...(await vmsOf(client, promised))]
  return [...lost, ...(await contradictions(client))]
}

/** A connection that was kept open to the machine before the cut, or that a busy machine drops, says nothing: it is asked again. */
function patient(...request: Parameters<typeof fetch>): Promise<Response> {
  return until('an answer', SLOW_MS, () => fetch(...request))
}

/** A job goes on where it was, or is undone; either way it ends. */
async function jobOf(client: Client, uuid: string): Promise<string[]> {
  try {
    const { state, api, error } = await client.waitJob(uuid)
    return state === 'stuck' ? [`job ${uuid} (${api}) is stuck: ${JSON.stringify(error)}`] : []
  } catch (error) {
    return [`job ${uuid} was accepted and is lost: ${(error as Error).message}`]
  }
}

async function zonesOf(client: Client, promised: Promises, { world }: LabSite): Promise<string[]> {
  const { inventories } = await client.query('zone', { limit: ALL })
  const found = new Map(inventories.map((zone) => [zone['uuid'] as string, zone]))
  const own = found.get(world.zone)
  const count = Number(own?.['description'] ?? 0)
  const { asked, acknowledged } = promised.counter
  const wrongCount = count < acknowledged || count > asked
  promised.counter = { asked: count, acknowledged: count }
  for (const uuid of promised.open) if (found.has(uuid)) promised.zones.set(uuid, String(found.get(uuid)!['name']))
  return [
    ...(wrongCount ? [`the counter is ${count}; ${acknowledged} was acknowledged, ${asked} asked for`] : []),
    ...[...promised.zones].flatMap(([uuid, name]) => (found.get(uuid)?.['name'] === name ? [] : [`zone ${uuid} is lost`])),
    ...[...promised.goneZones].flatMap((uuid) => (found.has(uuid) ? [`zone ${uuid} was deleted and is there`] : [])),
  ]
}

async function vmsOf(client: Client, promised: Promises): Promise<string[]> {
  const found = new Map((await atRest(client)).map((vm) => [vm['uuid'] as string, vm]))
  const lost = [...promised.vms].flatMap((uuid) => (found.has(uuid) ? [] : [`VM instance ${uuid} is lost`]))
  const back = [...promised.goneVms].flatMap((uuid) => (found.has(uuid) ? [`VM instance ${uuid} was expunged and is there`] : []))
  const halves = [...found.values()].flatMap(half)
  for (const [uuid, { state }] of found) if (promised.open.has(uuid) && state !== 'Destroyed') promised.vms.add(uuid)
  promised.open.clear()
  return [...lost, ...back, ...halves]
}

/** A job whose acceptance nobody heard of goes on, too. */
async function atRest(client: Client): Promise<Row[]> {
  let found: Row[] = []
  await until('VM instances at rest', SLOW_MS, async () => {
    found = (await client.query('vmInstance', { limit: ALL })).inventories
    return found.every((vm) => AT_REST.has(vm['state'] as string))
  })
  return found
}

/** What one commit made together must be there together. */
function half(vm: Row): string[] {
  const nics = vm['vmNics'] as Row[] | undefined
  const volumes = vm['allVolumes'] as Row[] | undefined
  const whole =
    nics?.length === 1 && typeof nics[0]?.['ip'] === 'string' && volumes?.length === 1 && Boolean(vm['rootVolumeUuid'])
  return whole ? [] : [`VM instance ${vm['uuid']} (${vm['state']}) is half made: ${JSON.stringify({ nics, volumes })}`]
}

/** Counters against recounts, addresses against NICs, the graph against what the host holds. Agents may need a moment. */
async function contradictions(client: Client): Promise<string[]> {
  let last: unknown[] = []
  const none = async () => {
    last = (await client.auditHosts()).differences
    return last.length === 0
  }
  return until('an audit without differences', SLOW_MS, none).then(
    () => [],
    () => last.map((difference) => `audit: ${JSON.stringify(difference)}`),
  )
}
