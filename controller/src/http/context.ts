/** What every handler of the door shares, made once by `createHttp`. */
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { type Api, apis } from '@skerry/contract'
import type { JobView } from '../engine/port.ts'
import { RefusedJobs } from './jobs.ts'
import { LoginLimiter } from './logins.ts'
import { defaultLimits, type HttpOptions, type Limits } from './ports.ts'
import { RouteTable } from './routes.ts'

export interface Door extends HttpOptions {
  pause: () => Promise<void>
  limits: Limits
  zstackRoutes: RouteTable
  ownRoutes: RouteTable
  refused: RefusedJobs
  logins: LoginLimiter
}

/** One request on its way through a dialect. */
export interface Visit {
  request: Request
  /** below the dialect's prefix */
  path: string
  url: URL
  /** Node's stream of the body, where the request came over a socket */
  socket?: Readable | undefined
  /** Node's answer, where there is a socket */
  outgoing?: ServerResponse | undefined
  /** of the client's socket, for the login limit */
  address: string
  /** facts for the request log and metrics; handlers add to them. Never a secret, never a raw path. */
  facts: { route?: string; job?: string; account?: string }
}

export function openDoor(options: HttpOptions): Door {
  const limits = { ...defaultLimits, ...options.limits }
  return {
    ...options,
    limits,
    pause: options.pause ?? (() => setImmediate()),
    zstackRoutes: new RouteTable(false),
    ownRoutes: new RouteTable(true),
    refused: new RefusedJobs(limits.refusedJobs),
    logins: new LoginLimiter(options.clock, limits.loginFailures),
  }
}

const byName = new Map<string, Api>(apis.map(({ api }) => [api.api, api]))

/** The API that a job carries out. */
export const apiOf = (job: JobView): Api | undefined => byName.get(job.api)

export const ended = (job: JobView): boolean => job.state === 'done' || job.state === 'failed' || job.state === 'stuck'
