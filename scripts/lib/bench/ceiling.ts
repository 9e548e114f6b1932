/**
 * The limit: what Hono, the same durable log and five indexes can do at best, without session, rights, validation, jobs,
 * workflows, events or a query language. Answers the same paths as the controller, with bodies of the same size.
 * argv: --port N --dir FOLDER --rows N
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { realDisk } from '../../../controller/src/store/disk.ts'
import { Log } from '../../../controller/src/store/log.ts'
import { FIRST_PREV } from '../../../controller/src/store/record.ts'
import { segmentName } from '../../../controller/src/store/segments.ts'
import { Space } from '../../../controller/src/store/space.ts'
import type { Commit, Row } from '../../../packages/contract/src/index.ts'
import { dataset } from './dataset.ts'

const { values } = parseArgs({ options: { port: { type: 'string' }, dir: { type: 'string' }, rows: { type: 'string' } } })
const dir = values.dir ?? ''

/** As an inventory goes out: no nulls, dates as text. */
function inventory(row: Row): Row {
  const out: Row = {}
  for (const [field, value] of Object.entries(row))
    if (value !== null) out[field] = field.endsWith('Date') ? new Date(value as number).toISOString() : value
  return out
}

const vms = new Map<string, Row>()
const vmByName = new Map<string, string>()
const volumes = new Map<string, Row>()
const volumeByVm = new Map<string, string>()
const nics = new Map<string, Row>()
const nicByIp = new Map<string, string>()
for (const [table, , row] of dataset(Number(values.rows))) {
  const shown = inventory(row)
  const uuid = row['uuid'] as string
  if (table === 'vmInstance') {
    vms.set(uuid, Object.assign(shown, { vmNics: [], allVolumes: [] }))
    vmByName.set(row['name'] as string, uuid)
  } else if (table === 'volume') {
    volumes.set(uuid, shown)
    volumeByVm.set(row['vmInstanceUuid'] as string, uuid)
    ;(vms.get(row['vmInstanceUuid'] as string)!['allVolumes'] as Row[]).push(shown)
  } else if (table === 'vmNic') {
    nics.set(uuid, Object.assign(shown, { usedIps: [] }))
    nicByIp.set(row['ip'] as string, uuid)
    ;(vms.get(row['vmInstanceUuid'] as string)!['vmNics'] as Row[]).push(shown)
  } else if (table === 'usedIp') (nics.get(row['vmNicUuid'] as string)!['usedIps'] as Row[]).push(shown)
}

async function openLog(): Promise<Log> {
  await realDisk.mkdir(dir)
  const file = await realDisk.open(`${dir}/${segmentName(1)}`, 'create')
  const space = new Space(realDisk, dir, 0)
  const report = (error: unknown) => console.error(error)
  return new Log({
    disk: realDisk,
    dir,
    file,
    space,
    segmentBytes: 2 ** 40,
    segments: [{ file: segmentName(1), first: 1, bytes: 0 }],
    durableSeq: 0,
    lastHash: FIRST_PREV,
    onDurable: () => {},
    onRoll: async () => {},
    report,
    pause: async () => {},
  })
}

const log = await openLog()
let seq = 0
const offerings = new Map<string, Row>()
const byField = new Map(
  ['name', 'state', 'type', 'createDate', 'cpuNum'].map((field) => [field, new Map<unknown, Set<string>>()]),
)

function index(row: Row, uuid: string): void {
  for (const [field, buckets] of byField) {
    const keys = buckets.get(row[field])
    if (keys) keys.add(uuid)
    else buckets.set(row[field], new Set([uuid]))
  }
}

async function create(params: Row): Promise<Row> {
  const at = Date.now()
  const uuid = randomUUID().replaceAll('-', '')
  const row: Row = {
    uuid,
    createDate: at,
    lastOpDate: at,
    cpuSpeed: 0,
    type: 'UserVm',
    allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy',
    reservedMemorySize: 0,
    state: 'Enabled',
    ...params,
  }
  const commit: Commit = {
    id: uuid,
    at,
    actor: 'system',
    guards: [],
    ops: [{ o: 'put', t: 'instanceOffering', k: uuid, v: row }],
    facts: [],
  }
  offerings.set(uuid, row)
  index(row, uuid)
  await log.append({ seq: ++seq, incarnation: 1, epoch: 0, json: JSON.stringify(commit), commit })
  return inventory(row)
}

/** With its length, so that the generator needs no chunked decoding; the controller does the same. */
const json = (c: Context, status: 200 | 201, body: unknown) => {
  const text = JSON.stringify(body)
  return c.body(text, status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
  })
}
const app = new Hono()
app.get('/ready', (c) => c.text('ready'))
app.post('/v1/instance-offerings', async (c) => json(c, 201, { inventory: await create((await c.req.json()).params) }))
app.get('/v1/vm-instances/:uuid', (c) => json(c, 200, { inventories: [vms.get(c.req.param('uuid'))] }))
app.get('/v1/vm-instances', (c) => {
  const q = c.req.query('q')
  if (q !== undefined) return json(c, 200, { inventories: [vms.get(vmByName.get(q.slice('name='.length))!)] })
  const first: Row[] = []
  for (const row of vms.values()) if (first.push(row) === Number(c.req.query('limit'))) break
  return json(c, 200, { inventories: first })
})
app.get('/v1/volumes', (c) => {
  const vm = nics.get(nicByIp.get(c.req.query('q')!.split('=')[1]!)!)!['vmInstanceUuid']
  return json(c, 200, { inventories: [volumes.get(volumeByVm.get(vm as string)!)] })
})
/** What stringifying alone takes, in microseconds a list of 1000. */
app.get('/bare', (c) => {
  const first = [...vms.values()].slice(0, 1000)
  const began = process.cpuUsage()
  for (let i = 0; i < 50; i++) JSON.stringify({ inventories: first })
  const { user, system } = process.cpuUsage(began)
  return c.json({ micros: (user + system) / 50 })
})
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(values.port) })
