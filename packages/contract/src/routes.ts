/** Fixed HTTP paths and headers that are not a resource's API. Resource routes are derived from `apis`. */

/** The two dialects: ZStack's exactly, and ours (DESIGN §8). */
export const PREFIX = { zstack: '/zstack/v1', own: '/v1' } as const

export const routes = {
  /** polled by ZStack's clients; never authenticates (zstack-wire) */
  apiJob: '/api-jobs/{uuid}',
  events: '/events',
  audit: '/audit/hosts',
  /** what the log says of one job or resource */
  history: '/history',
  /** what became of the resources between two times */
  diff: '/diff',
  /** what jobs do, step by step; below it each by name, as data or as a picture */
  workflows: '/workflows',
  /** what is wrong now; `/stream`: the same as server-sent events, and then each change */
  conditions: '/conditions',
  conditionStream: '/conditions/stream',
  /** the site at a glance */
  status: '/status',
  /** the whole state of the controller as one stream, for `skerry backup` */
  backup: '/backup',
  console: '/consoles/{token}',
  /** a WebSocket to a TCP port of a guest, for `skerry tunnel` */
  tunnel: '/tunnels/{token}',
  /** where the bytes of an image go: HEAD tells how many are there, PATCH and PUT send more */
  upload: '/uploads/{token}',
  /** a page for a browser, not below a dialect; the token is behind its `#` */
  consolePage: '/console/',
  openapi: '/openapi.json',
  /** what is said on NATS, calls of the API among it */
  asyncapi: '/asyncapi.json',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
} as const

export const headers = {
  authorization: 'Authorization',
  jobUuid: 'X-Job-UUID',
  jsonSchema: 'X-JSON-Schema',
  apiTimeout: 'X-API-Timeout',
  webHook: 'X-Web-Hook',
  idempotencyKey: 'Idempotency-Key',
} as const

/** ZStack API level that we speak; our own version stands beside it in GetVersion. */
export const ZSTACK_API_VERSION = '5.2.0'
export const SKERRY_VERSION = '0.1.0'
/** The only network service provider; its uuid is fixed so that every site has the same. */
export const VROUTER_PROVIDER = '5e1f4c2d8b7a4e0f9c3d2b1a0f9e8d7c'
/** ZStack's provider `Flat`: each host serves its own guests. */
export const FLAT_PROVIDER = 'f1a7c0de5b2e4c6f8d9a0b1c2d3e4f50'
