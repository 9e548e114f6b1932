/**
 * Writers of resources over HTTP, and what must be there of what they were told. Each writer has one call under way; a call whose
 * answer never came is made again with the same id, or, where it had none, looked up: it happened whole or not at all.
 */
import { PREFIX, type Row } from '@skerry/contract'
import type { LoneController, Reply } from './lone-controller.ts'
import { apiNamed, newUuid, sentFor } from './zstack-client.ts'

/** What a client knows of a resource. */
interface Known {
  uuid: string
  table: Table
  name: string
  description: string | null
  zone?: string
}

type Table = 'zone' | 'cluster' | 'diskOffering' | 'l2Network'
const QUERIES: Record<Table, string> = {
  zone: 'QueryZone',
  cluster: 'QueryCluster',
  diskOffering: 'QueryDiskOffering',
  l2Network: 'QueryL2Network',
}
const CREATES: Record<Table, string> = {
  zone: 'CreateZone',
  cluster: 'CreateCluster',
  diskOffering: 'CreateDiskOffering',
  l2Network: 'CreateL2NoVlanNetwork',
}
const PARAMS: Record<Table, Row> = {
  zone: {},
  cluster: { hypervisorType: 'KVM' },
  diskOffering: { diskSize: 1 },
  l2Network: { physicalInterface: 'none' },
}
const UPDATES: Record<Table, string> = {
  zone: 'UpdateZone',
  cluster: 'UpdateCluster',
  diskOffering: 'UpdateDiskOffering',
  l2Network: 'UpdateL2Network',
}
const DELETES: Record<Table, string> = {
  zone: 'DeleteZone',
  cluster: 'DeleteCluster',
  diskOffering: 'DeleteDiskOffering',
  l2Network: 'DeleteL2Network',
}
const MOST_RESOURCES = 12

interface Operation {
  api: string
  params: Row
  headers: Record<string, string>
  /** asked for with 202 and polled */
  polled: boolean
  jobUuid: string | undefined
  /** the 202 arrived: from then on the job may not be forgotten */
  accepted: boolean
  /** takes the answer into what is known */
  done(inventory: Row | undefined): void
  /** without an id: did it happen? */
  happened(): Promise<boolean>
}

export interface Counts {
  acknowledged: number
  repeated: number
  lookedUp: number
  happened: number
}

export class Writer {
  readonly known = new Map<string, Known>()
  readonly counts: Counts = { acknowledged: 0, repeated: 0, lookedUp: 0, happened: 0 }
  readonly #controller: LoneController
  readonly #random: () => number
  readonly #prefix: string
  #n = 0
  #under: Operation | undefined

  constructor(controller: LoneController, prefix: string, random: () => number) {
    this.#controller = controller
    this.#prefix = prefix
    this.#random = random
  }

  /** Calls one after the other until the controller is gone. Throws what a client may never see. */
  async write(): Promise<void> {
    for (;;) {
      const operation = this.#next()
      this.#under = operation
      if (!(await this.#made(operation))) return
      this.#under = undefined
    }
  }

  /** After a start: makes clear what has become of the call that was under way. False: the controller is gone again. */
  async clear(): Promise<boolean> {
    const operation = this.#under
    if (!operation) return true
    if (operation.jobUuid || operation.headers['Idempotency-Key']) {
      this.counts.repeated++
      if (!(await this.#made(operation))) return false
    } else {
      try {
        this.counts.lookedUp++
        await jobsEnded(this.#controller)
        if (await operation.happened()) this.counts.happened++
      } catch (error) {
        if (isGone(error)) return false
        throw error
      }
    }
    this.#under = undefined
    return true
  }

  async #made(operation: Operation): Promise<boolean> {
    try {
      const reply = await this.#send(operation)
      if (reply.status >= 300) throw new Error(`${operation.api} answered ${reply.status}: ${reply.text}`)
      operation.done(reply.body?.['inventory'] as Row | undefined)
      this.counts.acknowledged++
      return true
    } catch (error) {
      if (isGone(error)) return false
      throw error
    }
  }

  async #send({ api, params, headers, ...o }: Operation): Promise<Reply> {
    if (!o.polled) return this.#controller.call(api, params, headers)
    const { jobUuid } = o
    const { method, path, body } = sentFor(apiNamed(api), params)
    const asked = { method, path: PREFIX.own + path, headers: { ...headers } }
    if (!o.accepted) {
      const first = await this.#controller.ask(body === undefined ? asked : { ...asked, body })
      if (first.status >= 300) return first
      this.#under!.accepted = true
    }
    for (;;) {
      const reply = await this.#controller.ask({ method: 'GET', path: `${PREFIX.own}/jobs/${jobUuid}?wait=5s` })
      if (reply.status !== 200)
        throw new Error(`job ${jobUuid} of ${api} was accepted, and now answers ${reply.status}: ${reply.text}`)
      const job = reply.body!['job'] as Row
      if (job['state'] === 'done') return { status: 200, text: reply.text, body: job['result'] as Row | undefined }
      if (job['state'] !== 'processing' && job['state'] !== 'undoing') throw new Error(`${api} ended as ${reply.text}`)
    }
  }

  #next(): Operation {
    const all = [...this.known.values()]
    const dice = this.#random()
    const one = all[Math.floor(this.#random() * all.length)]
    if (one && (all.length >= MOST_RESOURCES || dice < 0.25)) return this.#deletion(one)
    if (one && dice < 0.5) return this.#update(one)
    return this.#creation(all.filter(({ table }) => table === 'zone'))
  }

  #ids(): Pick<Operation, 'headers' | 'jobUuid' | 'accepted' | 'polled'> {
    const dice = this.#random()
    if (dice < 0.25) return { headers: {}, jobUuid: undefined, accepted: false, polled: false }
    if (dice < 0.5) return { headers: { 'Idempotency-Key': newUuid() }, jobUuid: undefined, accepted: false, polled: false }
    const jobUuid = newUuid()
    return { headers: { 'X-Job-UUID': jobUuid }, jobUuid, accepted: false, polled: dice < 0.75 }
  }

  #creation(zones: readonly Known[]): Operation {
    const zone = zones[Math.floor(this.#random() * zones.length)]
    const tables: Table[] = zone ? ['zone', 'cluster', 'diskOffering', 'l2Network'] : ['zone', 'diskOffering']
    const table = tables[Math.floor(this.#random() * tables.length)]!
    const name = `${this.#prefix}-${++this.#n}`
    const inZone = table === 'cluster' || table === 'l2Network' ? { zoneUuid: zone!.uuid } : {}
    const keep = (uuid: string) =>
      void this.known.set(uuid, { uuid, table, name, description: null, ...(inZone.zoneUuid ? { zone: inZone.zoneUuid } : {}) })
    return {
      ...this.#ids(),
      api: CREATES[table],
      // The tags make it several rows of one commit.
      params: { name, ...PARAMS[table], ...inZone, userTags: [`a-${name}`, `b-${name}`] },
      done: (inventory) => keep(inventory!['uuid'] as string),
      happened: async () => {
        const rows = await rowsOf(this.#controller, table, [`name=${name}`])
        if (rows.length > 1) throw new Error(`${name} was made ${rows.length} times`)
        if (rows[0]) keep(rows[0]['uuid'] as string)
        return rows.length > 0
      },
    }
  }

  #update(one: Known): Operation {
    const description = `${++this.#n}`
    return {
      ...this.#ids(),
      api: UPDATES[one.table],
      params: { uuid: one.uuid, description },
      done: () => void (one.description = description),
      happened: async () => {
        const [row] = await rowsOf(this.#controller, one.table, [`uuid=${one.uuid}`])
        const is = row?.['description'] === description
        if (is) one.description = description
        return is
      },
    }
  }

  #deletion(one: Known): Operation {
    const gone = () => {
      this.known.delete(one.uuid)
      for (const { uuid, zone } of this.known.values()) if (zone === one.uuid) this.known.delete(uuid)
    }
    return {
      ...this.#ids(),
      api: DELETES[one.table],
      params: { uuid: one.uuid },
      done: gone,
      happened: async () => {
        const rows = await rowsOf(this.#controller, one.table, [`uuid=${one.uuid}`])
        if (rows.length === 0) gone()
        return rows.length === 0
      },
    }
  }
}

/** What was accepted before the kill goes on after the start: until it has ended, looking tells nothing. */
async function jobsEnded(controller: LoneController): Promise<void> {
  for (;;) {
    const reply = await controller.call('QueryJob', { q: ['state?=processing,undoing'], limit: 1 })
    if (reply.status !== 200) throw new Error(`QueryJob answered ${reply.status}: ${reply.text}`)
    if ((reply.body!['inventories'] as Row[]).length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The controller ended before it answered. */
const isGone = (error: unknown) =>
  ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ECONNABORTED'].includes((error as NodeJS.ErrnoException).code ?? '') ||
  (error as Error).message === 'aborted'

async function rowsOf(controller: LoneController, table: Table, q: readonly string[] = []): Promise<Row[]> {
  const reply = await controller.call(QUERIES[table], { limit: 100_000, ...(q.length > 0 ? { q } : {}) })
  if (reply.status !== 200) throw new Error(`${QUERIES[table]} answered ${reply.status}: ${reply.text}`)
  return reply.body!['inventories'] as Row[]
}

const lineOf = (table: string, { uuid, name, description }: Row) => `${table} ${uuid} ${name} ${description ?? ''}`

/** What the controller has, and what the writers were told that it has; as lines in order. */
export async function compared(
  controller: LoneController,
  writers: readonly Writer[],
): Promise<{ there: string[]; told: string[] }> {
  const tables = Object.keys(QUERIES) as Table[]
  const rows = await Promise.all(tables.map(async (table) => (await rowsOf(controller, table)).map((row) => lineOf(table, row))))
  const told = writers.flatMap(({ known }) => [...known.values()].map((one) => lineOf(one.table, { ...one })))
  return { there: rows.flat().sort(), told: told.sort() }
}
