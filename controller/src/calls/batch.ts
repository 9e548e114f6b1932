/** BatchQuery: a script of the caller asks several things, each with the caller's rights, and puts together what is answered. */
import { type Api, apis, pathParameters, type Resource, type Row, SkerryError, tableOf } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type Ask, askedQuery, Moment, parseQuery, parseScript, runQuerySliced, runScript, targets } from '@skerry/query'
import { closestWord } from '@skerry/query/closest'
import { checkCall } from '../engine/check-params.ts'
import type { Call, Caller } from '../engine/port.ts'
import { answer } from '../http/answer.ts'
import { Guard } from '../identity/guard.ts'
import { LongList, longListsIn, render, withTimes } from '../inventory/index.ts'
import type { ZqlPorts } from './zql.ts'

export interface BatchPorts extends ZqlPorts {
  /** a synchronous call, its rights checked */
  call(call: Call): Promise<Row>
}

interface Declared {
  api: Api
  resource: Resource
}

const SLICE_MS = 5
/** Inventories that are drawn between two pauses. */
const DRAWN = 500

const moment = (epochMs: number) => new Moment(epochMs)

/** `QueryVmInstance`, in any case, and ZStack's class of it. */
const nameOf = (api: string) =>
  api
    .split('.')
    .at(-1)!
    .replace(/^API(.*)Msg$/, '$1')
    .toLowerCase()

const queries = new Map(apis.filter(({ api }) => api.query).map((found) => [nameOf(found.api.api), found]))
/** What only tells: a script changes nothing, whatever its caller may. */
const tells = ({ api }: Declared) => api.sync && !api.query && api.session && /^(Get|Check|Is)[A-Z]/.test(api.api)
const readings = new Map(apis.filter(tells).map((found) => [nameOf(found.api.api), found]))

function apiNamed(api: string, known: ReadonlyMap<string, Declared>, what: string): Declared {
  const found = known.get(nameOf(api))
  if (found) return found
  const closest = closestWord(nameOf(api), [...known.keys()])
  const near = closest === undefined ? undefined : known.get(closest)!.api.api
  const message = `no ${what} API found for ${api}${near ? `; did you mean ${near}?` : ''}`
  throw new SkerryError('invalid-argument', message, { api, ...(near ? { closest: near } : {}) })
}

export function batchCalls(p: BatchPorts): Record<string, (call: Call) => Promise<Row>> {
  const guard = new Guard(p.graph)
  const zql = (text: string, call: Call): Promise<Row> =>
    p.call({ api: zqlApi.api, resource: zqlApi.resource, params: { zql: text }, bodyHash: '', ...by(call.caller) })
  return {
    BatchQuery: async (call) => {
      const text = String(call.params['script'] ?? '')
      if (text.trim() === '') throw new SkerryError('invalid-argument', 'script must be given', { field: 'script' })
      const script = parseScript(text)
      const asked = async (ask: Ask) => {
        if (ask.ask === 'query') return queried(p, guard, ask.text, call.caller)
        if (ask.ask === 'zql') return whole(answer(zqlApi.api, await zql(ask.text, call), moment), p.pause)
        return called(p, ask, call.caller)
      }
      const result = await runScript(script, { answer: asked, sliceMs: SLICE_MS, now: p.monotonic, pause: p.pause })
      return { result }
    },
  }
}

const zqlApi = apis.find(({ api }) => api.api === 'ZQLQuery')!
const by = (caller: Caller | undefined) => (caller ? { caller } : {})

/** `results` of a ZQL answer with their long lists drawn: a script looks at any of it. */
async function whole(body: Row, pause: () => Promise<void>): Promise<unknown> {
  const long = longListsIn(body)
  const results: Row[] = []
  try {
    for (const result of body['results'] as Row[]) {
      const fields = Object.entries(result)
      for (const field of fields) if (field[1] instanceof LongList) field[1] = await inSteps(field[1], pause)
      results.push(Object.fromEntries(fields))
    }
  } finally {
    for (const list of long) list.close()
  }
  return results
}

async function inSteps(list: LongList<unknown>, pause: () => Promise<void>): Promise<unknown[]> {
  const all: unknown[] = []
  for (const element of list) if (all.push(element) % DRAWN === 0) await pause()
  return all
}

/** `{ total, result }`, as ZStack gives it to scripts. */
async function queried(p: BatchPorts, guard: Guard, text: string, caller: Caller | undefined): Promise<Row> {
  const { api, params } = askedQuery(text)
  const found = apiNamed(api, queries, 'query')
  guard.authorize({ ...found, caller })
  const { resource } = found
  const target = targets[resource.name]
  if (target === undefined) throw new SkerryError('invalid-argument', `${resource.name} cannot be queried`, {})
  const query = parseQuery(params, target, targets)
  const slices = { sliceMs: SLICE_MS, now: p.monotonic, pause: p.pause, visible: guard.visible(caller) }
  const { keys, total } = await runQuerySliced(p.graph, query, slices)
  const seen = guard.seen(caller)
  const rows = await drawn({ seen, pause: p.pause }, resource, { keys, fields: query.fields })
  return { total: total ?? null, result: query.count ? null : rows }
}

async function drawn(
  { seen, pause }: { seen: Graph; pause: () => Promise<void> },
  resource: Resource,
  { keys, fields }: { keys: readonly string[]; fields: readonly string[] | undefined },
): Promise<Row[]> {
  const names = fields?.map((field) => field.split('.')[0]!)
  const all: Row[] = []
  for (const [i, key] of keys.entries()) {
    if (i % DRAWN === DRAWN - 1) await pause()
    const row = seen.get(tableOf(resource), key)
    if (!row) continue
    const inventory = withTimes(resource, render(seen, resource, row), moment)
    all.push(names ? Object.fromEntries(names.filter((f) => f in inventory).map((f) => [f, inventory[f]])) : inventory)
  }
  return all
}

/** `{ result }` of a call that only tells. */
async function called(p: BatchPorts, ask: Ask & { ask: 'call' }, caller: Caller | undefined): Promise<Row> {
  const { api, resource } = apiNamed(ask.api, readings, 'reading')
  const input = objectIn(ask.params)
  const missing = pathParameters(api.path).find((name) => typeof input[name] !== 'string')
  if (missing !== undefined) throw new SkerryError('invalid-argument', `${api.api} needs ${missing}`, { field: missing })
  const variables = Object.fromEntries(pathParameters(api.path).map((name) => [name, String(input[name])]))
  const checked = checkCall({ api, input, variables })
  if (!checked.ok) throw checked.error
  const reply = await p.call({ api, resource, params: checked.params, bodyHash: '', ...by(caller) })
  return { result: answer(api, reply, moment) }
}

function objectIn(text: string): Record<string, unknown> {
  let data: unknown
  try {
    data = JSON.parse(text)
  } catch (cause) {
    throw new SkerryError('invalid-argument', `call takes its parameters as JSON: ${String(cause).slice(0, 200)}`, {}, { cause })
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new SkerryError('invalid-argument', 'call takes its parameters as a JSON object', {})
  return data as Record<string, unknown>
}
