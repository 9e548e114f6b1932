/** Writers that note what the controller acknowledged, until it stops answering. */
import type { Row } from '@skerry/contract'
import { type Client, createClient } from '@skerry/sdk'
import { newUuid } from '../harness/zstack-client.ts'
import type { LabSite } from './lab-site.ts'

/** What was acknowledged, and what was asked for and not answered: that may have happened or not. */
export class Promises {
  /** name by uuid */
  readonly zones = new Map<string, string>()
  readonly goneZones = new Set<string>()
  readonly vms = new Set<string>()
  readonly goneVms = new Set<string>()
  /** Jobs that were accepted; each must be known and must come to an end. */
  readonly jobs = new Set<string>()
  readonly open = new Set<string>()
  /** Of one zone's description, which counts up. */
  counter = { asked: 0, acknowledged: 0 }
  acknowledged = 0
}

export interface Writing {
  /** Resolves when the writers have noticed that nobody answers any more. Rejects when one met another failure. */
  ended: Promise<void>
}

export type WriterKind = 'zones' | 'counter' | 'vms'
const KINDS: readonly WriterKind[] = ['zones', 'counter', 'vms']

/** Several at once, so that groups of commits form. */
export function startWriters(site: LabSite, to: Promises, kinds: readonly WriterKind[] = KINDS): Writing {
  const client = createClient({ baseUrl: site.url, session: site.client.session })
  const writers = { zones: [zones, zones], counter: [counter], vms: [vms, vms] }
  const all = kinds.flatMap((kind) => writers[kind])
  return { ended: Promise.all(all.map((writer) => untilCut(() => writer({ client, site, to })))).then(() => undefined) }
}

interface Writer {
  client: Client
  site: LabSite
  to: Promises
}

async function untilCut(write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await write()
    } catch (error) {
      if (!isCut(error)) throw error
      return
    }
  }
}

/** Nobody listens, or the connection broke; an answer, whatever it says, is no cut. */
const isCut = (error: unknown): boolean =>
  error instanceof Error && (error.constructor.name === 'UnreachableError' || (error instanceof TypeError && isNetwork(error)))
const isNetwork = (error: TypeError) => /fetch failed|terminated/.test(error.message)

/** Calls, notes the job where there is one, and resolves when it has ended well. */
async function done({ client, to }: Writer, api: string, params: Row): Promise<void> {
  const answer = await client.call(api, params)
  const accepted = 'location' in answer ? (answer['job'] as { uuid: string }) : undefined
  if (accepted) {
    to.jobs.add(accepted.uuid)
    const job = await client.waitJob(accepted.uuid)
    if (job.state !== 'done') throw new Error(`${api} ended ${job.state}: ${JSON.stringify(job.error)}`)
  }
  to.acknowledged += 1
}

async function zones(writer: Writer): Promise<void> {
  const { to } = writer
  const uuid = newUuid()
  to.open.add(uuid)
  await done(writer, 'CreateZone', { name: `zone ${uuid}`, resourceUuid: uuid })
  to.open.delete(uuid)
  to.zones.set(uuid, `zone ${uuid}`)
  if (to.zones.size % 3 !== 0) return
  const [old = uuid] = to.zones.keys()
  to.zones.delete(old)
  to.open.add(old)
  await done(writer, 'DeleteZone', { uuid: old })
  to.open.delete(old)
  to.goneZones.add(old)
}

async function counter(writer: Writer): Promise<void> {
  const { to, site } = writer
  to.counter.asked += 1
  const asked = to.counter.asked
  await done(writer, 'UpdateZone', { uuid: site.world.zone, description: String(asked) })
  to.counter.acknowledged = asked
}

/** One VM instance is many rows: NIC, address, volume, capacity of host and storage, documents for three agents. */
async function vms(writer: Writer): Promise<void> {
  const { to, site } = writer
  const { offering, image, l3 } = site.world
  const uuid = newUuid()
  const params = { name: `vm ${uuid}`, instanceOfferingUuid: offering, imageUuid: image, l3NetworkUuids: [l3] }
  to.open.add(uuid)
  await done(writer, 'CreateVmInstance', { ...params, resourceUuid: uuid })
  to.open.delete(uuid)
  to.vms.add(uuid)
  if (to.vms.size % 3 !== 0) return
  const [old = uuid] = to.vms
  to.vms.delete(old)
  to.open.add(old)
  await done(writer, 'DestroyVmInstance', { uuid: old })
  await done(writer, 'ExpungeVmInstance', { uuid: old })
  to.open.delete(old)
  to.goneVms.add(old)
}
