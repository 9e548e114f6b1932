/**
 * What a client of `/v1` does, over any list of APIs. It loads no schema: who must start quickly hands in the facts of the APIs
 * (the command line); everybody else takes `createClient`, which knows the whole contract.
 */
import { createHash } from 'node:crypto'
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import { PREFIX, routes } from '@skerry/contract/routes'
import type {
  CallOptions,
  ClientOptions,
  ConditionQuery,
  Job,
  QueryOptions,
  Session,
  ShownCondition,
  SiteStatus,
} from './answers.ts'
import type { Directory } from './directory.ts'
import { errorFromProblem } from './problem.ts'
import { bills, past, workflows } from './readings.ts'
import { requestOf, searchOf } from './request.ts'
import { createTransport } from './transport.ts'
import { uploadsOver } from './uploads.ts'

/** How long one poll stays open on the server; each gives at most one step to show. */
const POLL = '1s'

const isEnded = (job: Job) => job.state === 'done' || job.state === 'failed' || job.state === 'stuck'

const JOBS = '/jobs'
const jobPath = (uuid: string) => `${PREFIX.own}${JOBS}/${encodeURIComponent(uuid)}`

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

/** `directory`: the APIs that it knows. Names of APIs and resources outside of it are refused with `invalid-argument`. */
export function clientOver(directory: Directory, options: ClientOptions) {
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
    const api = directory.apiNamed(name)
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
  async function query(resource: string, o: QueryOptions = {}): Promise<{ inventories: Row[]; total?: number; explain?: Row }> {
    const { fields, ...rest } = o
    const answer = await transport.json(
      'GET',
      PREFIX.own + directory.queryOf(resource).path + searchOf({ ...rest, ...(fields ? { fields: fields.join(',') } : {}) }),
    )
    return {
      inventories: (answer['inventories'] as Row[] | undefined) ?? [],
      ...(typeof answer['total'] === 'number' ? { total: answer['total'] } : {}),
      ...(answer['explain'] ? { explain: answer['explain'] as Row } : {}),
    }
  }

  return {
    call,
    query,
    job,
    waitJob,
    /** One resource by uuid or name. Throws `not-found`, `ambiguous-name`. */
    async get(resource: string, uuidOrName: string, o: { at?: string } = {}): Promise<Row> {
      const { path } = directory.queryOf(resource)
      // A job's own path answers how far it has come, not its row.
      const answer =
        path === JOBS
          ? await query(resource, { q: [`uuid=${uuidOrName}`], ...o })
          : await transport.json('GET', `${PREFIX.own}${path}/${encodeURIComponent(uuidOrName)}${searchOf(o)}`)
      const [found] = answer['inventories'] as Row[]
      if (found === undefined) throw new SkerryError('not-found', `there is no ${resource} ${uuidOrName}`)
      return found
    },
    /** Logs in, and uses the session from then on. The password itself never leaves: its SHA-512 does, as ZStack's clients do it. */
    async login(accountName: string, password: string, userName?: string): Promise<Session> {
      const hash = createHash('sha512').update(password).digest('hex')
      const who = { accountName, password: hash }
      const { inventory } =
        userName === undefined ? await call('LogInByAccount', who) : await call('LogInByUser', { ...who, userName })
      const session = inventory as unknown as Session
      transport.use(session.uuid)
      return session
    },
    async logout(sessionUuid: string): Promise<void> {
      await call('LogOut', { sessionUuid })
      transport.use(undefined)
    },
    ...past(transport, directory),
    ...bills(transport),
    ...workflows(transport),
    /** Differences between the graph and the hosts. */
    async auditHosts(): Promise<{ differences: Record<string, string>[]; checked: number }> {
      return (await transport.json('GET', PREFIX.own + routes.audit)) as unknown as {
        differences: Record<string, string>[]
        checked: number
      }
    },
    /** The whole state of the controller, as `@skerry/backup` reads it, as one stream. For administrators. */
    async backup(o: { signal?: AbortSignal } = {}): Promise<ReadableStream<Uint8Array>> {
      // It is read as fast as it can be written: packing it would only cost time.
      const headers = { 'accept-encoding': 'identity' }
      return (await transport.open('GET', PREFIX.own + routes.backup, { headers, ...o })).body()
    },
    /** The site at a glance, and what is wrong with it. For administrators. */
    async status(): Promise<SiteStatus> {
      return (await transport.json('GET', PREFIX.own + routes.status)) as unknown as SiteStatus
    },
    /** `/openapi.json` or `/asyncapi.json`. Needs no session. */
    described: (which: 'openapi' | 'asyncapi'): Promise<Row> => transport.json('GET', routes[which]),
    /** Whether the controller takes writes; else the codes of what is in the way. Needs no session: none can be made while the log can't be written. */
    async readiness(): Promise<{ ready: boolean; conditions: string[] }> {
      const response = await transport.raw(routes.ready)
      const body = JSON.parse(await response.text()) as { conditions?: string[] }
      return { ready: response.status < 300, conditions: body.conditions ?? [] }
    },
    ...uploadsOver(transport),
    /** What is wrong now; `total` counts what a limit left out. For administrators. */
    async conditions(o: ConditionQuery = {}): Promise<{ conditions: ShownCondition[]; total: number }> {
      const answer = await transport.json('GET', PREFIX.own + routes.conditions + searchOf({ ...o }))
      return answer as unknown as { conditions: ShownCondition[]; total: number }
    },
    /** WebSocket URL of a console, for a token from `RequestConsoleAccess`. */
    consoleUrl(token: string, kind: 'serial' | 'vnc' = 'serial'): string {
      const path = PREFIX.own + routes.console.replace('{token}', encodeURIComponent(token))
      return `${options.baseUrl.replace(/^http/, 'ws').replace(/\/+$/, '')}${path}?kind=${kind}`
    },
    /** WebSocket URL of a connection to a guest's port, for a token from `RequestTunnel`. `proxy`: not at the controller. */
    tunnelUrl(token: string, { proxy = options.baseUrl }: { proxy?: string } = {}): string {
      const path = PREFIX.own + routes.tunnel.replace('{token}', encodeURIComponent(token))
      return `${proxy.replace(/^http/, 'ws').replace(/\/+$/, '')}${path}`
    },
    /** The console page for a browser, with such a token; what is behind the `#` is sent to nobody. `proxy`: not at the controller. */
    consolePageUrl(
      token: string,
      { proxy = options.baseUrl, ...o }: { kind: 'serial' | 'vnc'; name: string; proxy?: string },
    ): string {
      const facts = new URLSearchParams({ token, ...o })
      return `${proxy.replace(/\/+$/, '')}${routes.consolePage}#${facts}`
    },
  }
}
