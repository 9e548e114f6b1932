/** A client of `/v1`, computed from the contract: it knows every API that the contract knows, and no other. */
import { createHash } from 'node:crypto'
import { PREFIX, type Row, routes, SkerryError } from '@skerry/contract'
import { eventsOf, type ServerEvent } from './events.ts'
import { errorFromProblem, errorFromResponse, UnreachableError } from './problem.ts'
import { apiNamed, queryOf, requestOf, searchOf } from './request.ts'
import { fetchTrusting } from './tls-fetch.ts'

export interface ClientOptions {
  /** `http://127.0.0.1:8080`, without a path */
  baseUrl: string
  /** uuid of a session from `login` */
  session?: string
  /** default: the global one, or one that trusts `ca` */
  fetch?: typeof globalThis.fetch
  /** PEM text of the site's CA */
  ca?: string
}

/** A job as `/v1` shows it; dates are ISO text. */
export interface Job {
  uuid: string
  api: string
  state: 'processing' | 'undoing' | 'done' | 'failed' | 'stuck'
  step: string | null
  steps: string[]
  progress?: { step: string; doneBytes?: number; totalBytes?: number; remainingMs?: number; percent?: number; at: string }
  createDate: string
  finishedAt: string | null
  result?: Row
  error?: Row
}

export interface CallOptions {
  /** Wait for the job and answer its result. Default: answer `{ job, location }` at once. */
  wait?: boolean
  /** Change nothing, answer `{ plan }`. */
  dryRun?: boolean
  /** The same key and call again answer the first job. */
  idempotencyKey?: string
  /** Called when the job moves; implies `wait`. */
  onProgress?: (job: Job) => void
  /** row version (ETag) that the call must find */
  ifMatch?: string
  /** hash of a plan that was shown: apply that or nothing */
  ifPlan?: string
}

export interface QueryOptions {
  q?: readonly string[]
  limit?: number
  start?: number
  count?: boolean
  replyWithCount?: boolean
  sort?: string
  fields?: readonly string[]
  groupBy?: string
}

export interface Session {
  uuid: string
  accountUuid: string
  userUuid: string
  expiredDate: string
}

export type Client = ReturnType<typeof createClient>

/** How long one poll stays open on the server; each gives at most one step to show. */
const POLL = '1s'

const isEnded = (job: Job) => job.state === 'done' || job.state === 'failed' || job.state === 'stuck'

const jobPath = (uuid: string) => `${PREFIX.own}/jobs/${encodeURIComponent(uuid)}`

/** Requests over one base URL; every method throws `SkerryError` for what the controller refuses, `UnreachableError` when nobody answers. */
function createTransport(options: ClientOptions) {
  const send = options.fetch ?? (options.ca ? fetchTrusting(options.ca) : globalThis.fetch)
  let session = options.session
  async function open(
    method: string,
    path: string,
    init: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Response> {
    const url = options.baseUrl.replace(/\/+$/, '') + path
    const headers = {
      ...init.headers,
      ...(session ? { authorization: `Bearer ${session}` } : {}),
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    let response: Response
    try {
      const rest = {
        ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
        ...(init.signal ? { signal: init.signal } : {}),
      }
      response = await send(new Request(url, { method, headers, ...rest }))
    } catch (cause) {
      if (init.signal?.aborted) throw cause
      throw new UnreachableError(url, cause)
    }
    if (!response.ok) throw await errorFromResponse(response)
    return response
  }
  return {
    open,
    async json(method: string, path: string, init: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Row> {
      return (await (await open(method, path, init)).json()) as Row
    },
    use(uuid: string | undefined) {
      session = uuid
    },
  }
}

/** The call's own headers. */
function headersOf(o: CallOptions): Record<string, string> {
  return {
    ...(o.idempotencyKey ? { 'idempotency-key': o.idempotencyKey } : {}),
    ...(o.ifMatch ? { 'if-match': o.ifMatch } : {}),
    ...(o.ifPlan ? { 'if-plan': o.ifPlan } : {}),
  }
}

/** The uuid of a call's job, where the answer is one. */
const acceptedJob = (answer: Row): Job | undefined =>
  'job' in answer && 'location' in answer ? (answer['job'] as Job) : undefined

export function createClient(options: ClientOptions) {
  const transport = createTransport(options)

  async function job(uuid: string, o: { wait?: string } = {}): Promise<Job> {
    return (await transport.json('GET', jobPath(uuid) + searchOf(o)))['job'] as Job
  }

  /** Resolves when the job has ended, whatever its end. `onStep` is called with every poll that shows something new. */
  async function waitJob(uuid: string, o: { onStep?: (job: Job) => void } = {}): Promise<Job> {
    let shown = ''
    for (let first = true; ; first = false) {
      const now = await job(uuid, first ? {} : { wait: POLL })
      const text = JSON.stringify([now.state, now.step, now.progress])
      if (text !== shown) o.onStep?.(now)
      shown = text
      if (isEnded(now)) return now
    }
  }

  /** The reply of the API (sync, or waited for), `{ job, location }`, or `{ plan }`. */
  async function call(name: string, params: Record<string, unknown> = {}, o: CallOptions = {}): Promise<Row> {
    const { api } = apiNamed(name)
    const request = requestOf(api, params, o.dryRun ? { dryRun: true } : {})
    const init = { headers: headersOf(o), ...(request.body ? { body: request.body } : {}) }
    const answer = await transport.json(request.method, request.path, init)
    const accepted = acceptedJob(answer)
    if (accepted === undefined || !(o.wait || o.onProgress)) return answer
    o.onProgress?.(accepted)
    const ended = await waitJob(accepted.uuid, o.onProgress ? { onStep: o.onProgress } : {})
    if (ended.state !== 'done') throw errorFromProblem({ ...ended.error, job: ended.uuid })
    return ended.result ?? {}
  }

  /** Resources by ZStack's conditions; `resource` is a table name or a noun (`vmInstance`, `vm`). */
  async function query(resource: string, o: QueryOptions = {}): Promise<{ inventories: Row[]; total?: number }> {
    const { fields, ...rest } = o
    const answer = await transport.json(
      'GET',
      PREFIX.own + queryOf(resource).path + searchOf({ ...rest, ...(fields ? { fields: fields.join(',') } : {}) }),
    )
    return {
      inventories: (answer['inventories'] as Row[] | undefined) ?? [],
      ...(typeof answer['total'] === 'number' ? { total: answer['total'] } : {}),
    }
  }

  return {
    call,
    query,
    job,
    waitJob,
    /** One resource by uuid or name. Throws `not-found`, `ambiguous-name`. */
    async get(resource: string, uuidOrName: string): Promise<Row> {
      const answer = await transport.json('GET', `${PREFIX.own}${queryOf(resource).path}/${encodeURIComponent(uuidOrName)}`)
      const [found] = answer['inventories'] as Row[]
      if (found === undefined) throw new SkerryError('not-found', `there is no ${resource} ${uuidOrName}`)
      return found
    },
    /** Logs in, and uses the session from then on. The password itself never leaves: its SHA-512 does, as ZStack's clients do it. */
    async login(accountName: string, password: string): Promise<Session> {
      const hash = createHash('sha512').update(password).digest('hex')
      const { inventory } = await call('LogInByAccount', { accountName, password: hash })
      const session = inventory as unknown as Session
      transport.use(session.uuid)
      return session
    },
    async logout(sessionUuid: string): Promise<void> {
      await call('LogOut', { sessionUuid })
      transport.use(undefined)
    },
    /** Facts as they happen, after `lastEventId` where given. Ends when the signal aborts or the server closes. */
    async *events(o: { lastEventId?: string; signal?: AbortSignal } = {}): AsyncGenerator<ServerEvent> {
      const headers = { accept: 'text/event-stream', ...(o.lastEventId ? { 'last-event-id': o.lastEventId } : {}) }
      const response = await transport.open('GET', PREFIX.own + routes.events, {
        headers,
        ...(o.signal ? { signal: o.signal } : {}),
      })
      if (response.body) yield* eventsOf(response.body)
    },
    /** Differences between the graph and the hosts. */
    async auditHosts(): Promise<{ differences: Record<string, string>[]; checked: number }> {
      return (await transport.json('GET', PREFIX.own + routes.audit)) as unknown as {
        differences: Record<string, string>[]
        checked: number
      }
    },
    /** WebSocket URL of a console, for a token from `RequestConsoleAccess`. */
    consoleUrl(token: string): string {
      return (
        options.baseUrl.replace(/^http/, 'ws').replace(/\/+$/, '') +
        PREFIX.own +
        routes.console.replace('{token}', encodeURIComponent(token))
      )
    },
  }
}
