/**
 * The HTTP door of the controller: two dialects over one route table, and the fixed paths beside them. It turns bytes into
 * calls and results into bytes; it decides nothing about resources.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PREFIX, routes } from '@skerry/contract'
import { type Context, Hono } from 'hono'
import { compress } from 'hono/compress'
import { asyncapi } from './asyncapi.ts'
import { type Door, openDoor, type Visit } from './context.ts'
import { zstackDialect } from './dialect-zstack.ts'
import { type HttpMetrics, httpMetrics } from './metrics.ts'
import { openapi } from './openapi.ts'
import { ownRoot } from './own-routes.ts'
import type { HttpOptions } from './ports.ts'
import { isSmall, json, text } from './reply.ts'

/** What @hono/node-server hands in as `env`; absent when the app is called in process. */
interface Env {
  Bindings: { incoming?: IncomingMessage; outgoing?: ServerResponse }
}

/** Paths that answer without a session, besides the contract's anonymous APIs. */
export const anonymousPaths: readonly string[] = [
  routes.health,
  routes.ready,
  routes.metrics,
  routes.openapi,
  routes.asyncapi,
  PREFIX.zstack + routes.apiJob,
  PREFIX.own + routes.console,
  PREFIX.own + routes.tunnel,
  PREFIX.own + routes.upload,
]

/** `//` is one slash: some clients write `/zones//<uuid>` (zstack-wire). */
function pathOf({ url }: Request): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start < 0) return '/'
  const end = url.indexOf('?', start)
  const path = url.slice(start, end < 0 ? undefined : end)
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path
}

function visitOf(c: Context<Env>, prefix: string): Visit {
  const url = new URL(c.req.raw.url)
  const socket = c.env?.incoming
  const address = socket?.socket?.remoteAddress ?? 'in-process'
  return { request: c.req.raw, url, path: c.req.path.slice(prefix.length), socket, outgoing: c.env?.outgoing, address, facts: {} }
}

/** Runs a dialect, then logs and counts. Headers and raw paths are never logged: they hold sessions and tokens. */
async function observed(
  door: Door,
  metrics: HttpMetrics,
  visit: Visit,
  run: (door: Door, visit: Visit) => Promise<Response>,
): Promise<Response> {
  const began = door.clock.now()
  const response = await run(door, visit)
  const ms = door.clock.now() - began
  const route = visit.facts.route ?? 'unknown'
  metrics.observe(route, response.status, ms / 1000)
  door.log.info({ ...visit.facts, route, status: response.status, ms }, 'request')
  return response
}

function healthOf({ conditions }: Door): object {
  return conditions ? { conditions: conditions.overview().conditions } : {}
}

/** Codes of the critical conditions of the site itself. Without one the controller is still starting. */
function whyNot({ conditions }: Door): object {
  const codes = conditions?.list().flatMap((c) => (c.noun === 'site' && c.severity === 'critical' ? [c.code] : [])) ?? []
  return codes.length > 0 ? { conditions: codes } : { conditions: ['starting'] }
}

function servePage(app: Hono<Env>, page: NonNullable<HttpOptions['page']>): void {
  const answer = async (name: string) => {
    const { status, body, headers } = await page(name)
    return new Response(body as string | ArrayBuffer, { status, headers })
  }
  app.get(routes.consolePage.slice(0, -1), (c) => c.redirect(routes.consolePage))
  app.get(routes.consolePage, () => answer(''))
  app.get(`${routes.consolePage}:file`, (c) => answer(c.req.param('file')))
}

/** The whole HTTP interface as a Hono app. Listens on nothing; see `listen`. `door`: what it shares with other doors. */
export function createHttp(options: HttpOptions, door: Door = openDoor(options)): Hono<Env> {
  const metrics = httpMetrics()
  const app = new Hono<Env>({ getPath: pathOf })
  const compressed = compress({ threshold: 1024 })
  app.use(async (c, next) => {
    await next()
    if (!isSmall(c.res) && c.req.raw.headers.has('accept-encoding')) await compressed(c, async () => {})
  })
  // Anyone may ask these: they say how much is wrong and of what kind, and no names.
  app.get(routes.health, () => json(200, { status: 'ok', ...healthOf(door) }))
  app.get(routes.ready, () =>
    door.ready() ? json(200, { status: 'ready' }) : json(503, { status: 'not-ready', ...whyNot(door) }),
  )
  app.get(routes.metrics, async () =>
    text(200, (await metrics.text()) + ((await door.metrics?.()) ?? ''), {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
  let document: unknown
  const { page } = options
  if (page) servePage(app, page)
  app.get(routes.openapi, () => json(200, (document ??= openapi(door.ownRoutes, door.version))))
  let spoken: unknown
  app.get(routes.asyncapi, () => json(200, (spoken ??= asyncapi(door.ownRoutes, door.version))))
  app.all(`${PREFIX.zstack}/*`, (c) => observed(door, metrics, visitOf(c, PREFIX.zstack), zstackDialect))
  app.all(`${PREFIX.own}/*`, (c) => observed(door, metrics, visitOf(c, PREFIX.own), ownRoot))
  app.notFound(() => text(404, 'no such path'))
  app.onError((error) => {
    door.log.error({ error: error.message }, 'a request failed outside of its dialect')
    return text(500, 'internal error')
  })
  return app
}
