/** `skerry why <resource>`: why it is in its state, from what is wrong with it and with what it depends on, its jobs and its history. */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Client, ShownCondition, ShownEntry } from '@skerry/sdk'
import type { CatalogResource } from '../catalog.ts'
import { catalog } from '../contract-catalog.ts'
import type { Io } from '../io.ts'
import { type Format, formatOne, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'
import { resourceNamed } from '../verbs.ts'
import { errorLines, inShort, moment } from './told.ts'

interface Dependency {
  field: string
  noun: string
  row: Row
}

interface Reasons {
  resource: CatalogResource
  row: Row
  dependencies: Dependency[]
  conditions: ShownCondition[]
  jobs: Row[]
  history: ShownEntry[]
  differences: Record<string, string>[]
}

const JOBS = 3
const ENTRIES = 8
/** Fields in which a resource says how it is and why. */
const SAYING = /^(state|status|.*Cause)$/

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const uuidOf = (row: Row) => textOf(row['uuid'])

/** Who may not see a part, or asks a controller without it, is told the rest. */
async function unlessRefused<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  return answer.catch((error) => {
    if (error instanceof SkerryError && ['permission-denied', 'not-found', 'not-ready'].includes(error.code)) return otherwise
    throw error
  })
}

/** `vm hello`, `vm/hello`, or one word that is the name or uuid of anything. */
export async function found(
  client: Client,
  first: string,
  second: string | undefined,
): Promise<{ resource: CatalogResource; row: Row }> {
  const [noun = '', name] = second === undefined && first.includes('/') ? first.split('/', 2) : [first, second]
  if (name !== undefined) {
    const resource = resourceNamed(noun)
    if (!resource?.listed)
      throw new SkerryError('invalid-argument', `there is no resource called ${noun}`, { run: 'skerry get --help' })
    return { resource, row: await one(client, resource, name) }
  }
  const field = /^[0-9a-f]{32}$/.test(first) ? 'uuid' : 'name'
  const listed = Object.values(catalog.resources).filter((resource) => resource.listed && field in resource.fields)
  const hits = await Promise.all(
    listed.map(async (resource) => {
      const { inventories } = await unlessRefused(client.query(resource.name, { q: [`${field}=${first}`], limit: 2 }), {
        inventories: [],
      })
      return inventories.map((row) => ({ resource, row: row as Row }))
    }),
  )
  const [hit, ...others] = hits.flat()
  if (hit === undefined) throw new SkerryError('not-found', `nothing is called ${first}`, { run: 'skerry why vm <name>' })
  if (others.length === 0) return hit
  throw new SkerryError('ambiguous-name', `${others.length + 1} resources are called ${first}`, {
    candidates: [hit, ...others].map(({ resource, row }) => ({ noun: resource.noun, uuid: row['uuid'] })),
  })
}

/** What was never made has left only the jobs that failed to. */
async function one(client: Client, resource: CatalogResource, name: string): Promise<Row> {
  try {
    return (await client.get(resource.name, name)) as Row
  } catch (error) {
    if (!(error instanceof SkerryError && error.code === 'not-found') || resource.name === 'job') throw error
    const makers = catalog.apis.filter(({ api, resource: of }) => of === resource.name && api.method === 'POST' && !api.sync)
    const q = [`api?=${makers.map(({ api }) => api.api).join(',')}`, 'state=failed']
    const { inventories } = await unlessRefused(client.query('job', { q, sort: '-createDate', limit: 1 }), { inventories: [] })
    const [last] = inventories as Row[]
    if (last === undefined) throw error
    const run = `skerry logs --job ${uuidOf(last)}`
    const message = `${error.message}; the last ${resource.noun} that could not be made failed at ${moment(last['finishedAt'])}`
    throw new SkerryError('not-found', message, { ...error.details, run })
  }
}

/** Uuids of it and of what is shown inside of it: a VM's cards and disks. */
const partsOf = ({ resource, row }: { resource: CatalogResource; row: Row }): string[] => [
  uuidOf(row),
  ...resource.lists.flatMap((list) => ((row[list] as Row[] | undefined) ?? []).map(uuidOf)),
]

async function dependenciesOf(client: Client, resource: CatalogResource, row: Row): Promise<Dependency[]> {
  const needs = Object.entries(resource.needs).filter(([field, of]) => row[field] && catalog.resources[of]?.listed)
  const rows = await Promise.all(
    needs.map(async ([field, of]) => {
      const uuid = textOf(row[field])
      const gone = { uuid, name: uuid, state: 'gone' }
      return { field, noun: catalog.resources[of]?.noun ?? of, row: (await unlessRefused(client.get(of, uuid), gone)) as Row }
    }),
  )
  return rows.filter(({ row: { uuid } }, i) => rows.findIndex((other) => other.row['uuid'] === uuid) === i)
}

async function reasonsOf(client: Client, subject: { resource: CatalogResource; row: Row }): Promise<Reasons> {
  const { resource, row } = subject
  const uuid = uuidOf(row)
  const parts = partsOf(subject)
  const [dependencies, all, jobs, history, audit] = await Promise.all([
    dependenciesOf(client, resource, row),
    unlessRefused(client.conditions(), { conditions: [], total: 0 }),
    unlessRefused(client.query('job', { q: [`resourceUuid=${uuid}`], sort: '-createDate', limit: JOBS }), { inventories: [] }),
    unlessRefused(client.history({ resourceUuid: uuid }), { entries: [], complete: false }),
    unlessRefused(client.auditHosts(), { differences: [], checked: 0 }),
  ])
  const concerned = new Set([...parts, ...dependencies.map((one) => uuidOf(one.row))])
  const conditions = all.conditions.filter(
    (one) => concerned.has(one.uuid ?? '') || one.resourceUuids.includes(uuid) || one.noun === 'site',
  )
  const differences = audit.differences.filter((one) =>
    parts.some((part) => Object.values(one).some((text) => text.includes(part))),
  )
  return {
    ...{ resource, row, dependencies, conditions, differences },
    jobs: (resource.name === 'job' ? [row] : jobs.inventories) as Row[],
    history: history.entries,
  }
}

const section = (title: string, lines: readonly string[]) =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]
const lines = (text: string) => text.split('\n')

/** `state Running, stateCause guest` */
const saying = (row: Row) =>
  Object.entries(row)
    .filter(([field, value]) => SAYING.test(field) && textOf(value) !== '')
    .map(([field, value]) => `${field} ${value}`)
    .join(', ')

function dependencyTable(dependencies: readonly Dependency[]): string[] {
  if (dependencies.length === 0) return []
  const rows = dependencies.map(({ noun, row }) => ({ noun, name: row['name'] ?? row['uuid'], is: saying(row) }))
  return lines(table(['noun', 'name', 'is'], rows)).slice(1)
}

const jobLines = (job: Row) => [
  `${moment(job['createDate'])}  ${textOf(job['api'])}  ${textOf(job['state'])}${job['state'] === 'done' ? '' : ` at ${textOf(job['step']) || 'its start'}`}`,
  ...(job['error'] ? errorLines(job['error'] as Row).map((line) => `  ${line}`) : []),
  ...(job['state'] === 'done' ? [] : [`  run: skerry logs --job ${uuidOf(job)}`]),
]

function readable({ resource, row, ...r }: Reasons): string {
  const title = `${resource.noun} ${textOf(row['name'])} (${uuidOf(row)})`
  const wrong = r.conditions.flatMap((one) => [
    `${one.severity}: ${one.message}`,
    `  since ${moment(one.since)}; by itself: ${one.heals}`,
    `  to do: ${one.hint}`,
  ])
  const names = new Map(r.dependencies.map((one) => [uuidOf(one.row), textOf(one.row['name'])]))
  const byName = (text: string) => text.replace(/\b[0-9a-f]{32}\b/g, (uuid) => names.get(uuid) ?? uuid)
  const told = r.history.slice(-ENTRIES).map((entry) => `${moment(entry.at)}  ${byName(inShort(entry, uuidOf(row)))}`)
  const differs = r.differences.map(
    (one) => `${one['host']}: ${one['kind']} is ${one['observed']}, not ${one['expected']}; ${one['remedy']}`,
  )
  return [
    `${title}${saying(row) ? `: ${saying(row)}` : ''}`,
    ...section('wrong now', wrong),
    ...section('differs on its host', differs),
    ...section('it depends on', dependencyTable(r.dependencies)),
    ...section('last jobs, the newest first', r.jobs.flatMap(jobLines)),
    ...section('history', told),
    ...(wrong.length + differs.length === 0 ? ['', 'nothing is known to be wrong with it or with what it depends on'] : []),
  ].join('\n')
}

export async function why(io: Io, first: string, second: string | undefined, o: Globals & { output: Format }): Promise<void> {
  const client = await clientOf(io, o)
  const reasons = await reasonsOf(client, await found(client, first, second))
  if (o.output === 'table') return io.out(readable(reasons))
  const { resource, row, ...rest } = reasons
  io.out(await formatOne({ noun: resource.noun, name: row['name'], resource: row, ...rest }, [], o.output))
}
