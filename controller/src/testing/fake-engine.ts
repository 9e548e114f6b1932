/**
 * An engine that carries out nothing: it answers every call with a sample of what the contract promises, at once and always
 * the same. It fails on demand: a resource named `fail-<error code>`, or an account of that name at login.
 */
import {
  type ErrorCode,
  errors,
  type Guard as GraphGuard,
  type Resource,
  type Row,
  resourceOf,
  resources,
  SkerryError,
  tableOf,
  toErrorBody,
} from '@skerry/contract'
import { Graph } from '@skerry/graph'
import type { Call, Caller, Engine, JobView, PlanView, Signed } from '../engine/port.ts'
import { createHttp, type HttpOptions, openDoor } from '../http/index.ts'
import { aboutItself } from '../identity/caller.ts'
import { Guard } from '../identity/guard.ts'
import { render } from '../inventory/index.ts'
import { sample, sampleRow } from './sample.ts'

export const SESSION = '5'.repeat(32)
export const VIEWER_SESSION = '6'.repeat(32)
export const T0 = Date.UTC(2017, 10, 14, 22, 20, 57)

const table = Object.fromEntries(
  Object.values(resources as Record<string, Resource>)
    .filter((r) => tableOf(r) === r.name)
    .map((r) => [r.name, { indexes: r.indexes }]),
)

/** Sentinel names: `fail-no-host` fails as `no-host`. */
function failOnDemand(params: Row): void {
  const name = String(params['name'] ?? params['accountName'] ?? '')
  const code = name.replace(/^fail-/, '')
  if (name.startsWith('fail-') && code in errors)
    throw new SkerryError(
      code as ErrorCode,
      `asked to fail as ${code}`,
      { step: 'place' },
      { cause: new SkerryError('agent-absent', 'no agent on host h1') },
    )
}

export class FakeEngine implements Engine {
  readonly graph = new Graph(table)
  readonly guard = new Guard(this.graph)
  readonly jobs = new Map<string, JobView>()
  readonly calls: Call[] = []
  /** what a plan says */
  cascade: PlanView['cascade'] = []
  /** jobs stay `processing` until `finish` while this is set */
  hold = false
  /** what `RequestConsoleAccess` and `RequestTunnel` answer as token */
  volatileToken: string | undefined
  #seq = 0
  #id = 0

  newUuid = (): string => (++this.#id).toString(16).padStart(32, '0')

  /** Puts a row of a resource into the graph. Counts as one commit. */
  add(name: string, overrides: Row = {}): Row {
    const resource = resourceOf(name)!
    const { where } = resource.rows ?? {}
    const own = { uuid: this.newUuid(), name: `${name}-${this.#id}`, ...(where ? { [where.field]: where.is } : {}) }
    const row = sampleRow(resource, { ...own, ...overrides })
    this.graph.apply({ ops: [{ o: 'put', t: tableOf(resource), k: String(row['uuid']), v: row }] }, ++this.#seq)
    return row
  }

  #result(call: Call): Row {
    failOnDemand(call.params)
    const { result } = call.api
    if (result.kind === 'empty') return {}
    if (result.kind === 'fields') return sample(result.schema) as Row
    if (result.kind === 'lists') {
      const one = (table: string) => [render(this.graph, resourceOf(table)!, sampleRow(resourceOf(table)!, {}))]
      const single = Object.entries(result.of).map(([name, table]) => [name, one(table)])
      const several = Object.entries(result.maps ?? {}).map(([name, table]) => [name, { word: one(table) }])
      return Object.fromEntries([...single, ...several])
    }
    const resource = resourceOf(result.of)!
    const uuid = call.params['uuid'] ?? call.params['resourceUuid']
    const known = typeof uuid === 'string' ? this.graph.get(tableOf(resource), uuid) : undefined
    const given = Object.fromEntries(
      Object.entries(call.params).filter(([field, v]) => v !== undefined && (field in resource.fields || field === 'name')),
    )
    if ((resource.name === 'console' || resource.name === 'tunnel') && this.volatileToken) given['token'] = this.volatileToken
    const row = known ?? sampleRow(resource, { ...given, ...(typeof uuid === 'string' ? { uuid } : {}) })
    return result.kind === 'inventory'
      ? { inventory: render(this.graph, resource, row) }
      : { inventories: [render(this.graph, resource, row)] }
  }

  #job(call: Call): JobView {
    const uuid = call.jobUuid ?? this.newUuid()
    const base = { uuid, api: call.api.api, step: 'place', steps: ['check', 'place', 'make'], createDate: T0 }
    if (this.hold)
      return {
        ...base,
        state: 'processing',
        finishedAt: null,
        progress: { step: 'place', doneBytes: 512, totalBytes: 1024, remainingMs: 3_000, percent: 50, at: T0 },
      }
    try {
      return { ...base, state: 'done', result: this.#result(call), finishedAt: T0 }
    } catch (error) {
      return { ...base, state: 'failed', error: toErrorBody(error), finishedAt: T0 }
    }
  }

  async accept(given: Call): Promise<JobView> {
    const call = aboutItself(given)
    this.guard.authorize(call)
    if (String(call.params['name'] ?? '') === 'refuse-conflict')
      throw new SkerryError('conflict', 'refused before it became a job')
    this.calls.push(call)
    const job = this.#job(call)
    this.jobs.set(job.uuid, job)
    return job
  }

  job(uuid: string): JobView | undefined {
    return this.jobs.get(uuid)
  }

  finish(uuid: string): void {
    this.hold = false
    const call = this.calls.find((c) => c.jobUuid === uuid) ?? this.calls.at(-1)
    if (call) this.jobs.set(uuid, this.#job({ ...call, jobUuid: uuid }))
  }

  async wait(uuid: string): Promise<JobView | undefined> {
    if (this.hold) this.finish(uuid)
    return this.jobs.get(uuid)
  }

  async call(call: Call): Promise<Row> {
    this.guard.authorize(call)
    this.calls.push(call)
    if (call.api.api === 'LogInByAccount' && call.params['password'] === 'wrong') throw new SkerryError('login-failed')
    return this.#result(call)
  }

  async plan(call: Call): Promise<PlanView> {
    this.guard.authorize(call)
    if (call.api.sync && call.api.method === 'GET') throw new SkerryError('invalid-argument', `${call.api.api} changes nothing`)
    return {
      workflow: call.api.workflow ?? '',
      steps: ['check', 'place'],
      cascade: this.cascade,
      changes: [],
      agents: [],
      hash: `plan-${this.#seq}`,
    }
  }

  async planned(call: Call, hash: string): Promise<{ guards: GraphGuard[]; cascade: string }> {
    if ((await this.plan(call)).hash === hash) return { guards: [], cascade: '[]' }
    throw new SkerryError('stale-plan', 'the plan has changed since it was shown', { shown: hash })
  }

  async signed({ keyId, signature }: Signed): Promise<Caller | undefined> {
    const known = keyId === 'knownKey' && signature === 'good'
    return known ? { accountUuid: 'a'.repeat(32), sessionUuid: keyId, admin: true } : undefined
  }

  session(uuid: string): Caller | undefined {
    if (uuid === SESSION) return { accountUuid: 'a'.repeat(32), sessionUuid: uuid, admin: true }
    return uuid === VIEWER_SESSION ? { accountUuid: 'b'.repeat(32), sessionUuid: uuid, admin: false } : undefined
  }
}

export interface Logged {
  facts: Record<string, unknown>
  message: string
}

/** The whole HTTP door over a fake engine, in process. */
export function fakeHttp(o: Partial<HttpOptions> = {}) {
  const engine = new FakeEngine()
  const logged: Logged[] = []
  const keep = (facts: Record<string, unknown>, message: string) => void logged.push({ facts, message })
  const clock = { at: T0, now: () => clock.at }
  const door = openDoor({
    engine,
    clock,
    log: { info: keep, warn: keep, error: keep },
    version: '0.1.0',
    newUuid: engine.newUuid,
    ready: () => true,
    ...o,
  })
  const app = createHttp(door, door)
  const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    Promise.resolve(
      app.request(`http://site.test:8080${path}`, {
        method,
        headers: { authorization: `OAuth ${SESSION}`, ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    )
  return { app, door, engine, clock, logged, send }
}
