/** A whole site in a process of its own, on a real socket and a real nats-server: what it does there is nobody else's CPU and memory. */
import './loopback-only.ts'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { apis, routes } from '@skerry/contract'
import { startNats } from '@skerry/testkit'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { tourServers } from '../harness/tour.ts'
import { leaveOnSignals, whenLeaving } from '../sim/leaving.ts'
import { backTo, type Ground, makeGround, type Rows, rowsNow } from './ground.ts'
import { bytesKept, type Held, LoopWatch, prototypes, uncaught } from './watch.ts'

/** What the driver asks, and what it is told. */
export interface Asks {
  /** once nothing is under way: the graph's position and a hash of all that calls may change */
  state: { seq: number; hash: string }
  /** once all that was made is gone again */
  rest: Rest
  stop: Record<string, never>
}

export interface Rest {
  bytes: number
  /** everything that is wrong, in words */
  wrong: string[]
  /** what calls made, and none could delete */
  left: string[]
  longest: Held
  held: Held[]
  /** of it, in the kernel */
  systemMs: number
  cpuMs: number
  jobs: number
}

export interface Started extends Ground {
  url: string
  natsPort: number
}

/** Small, so that a short run fills it. */
const JOBS_KEPT = 500
const MIB = 1024 ** 2
const SETTLED_MS = 120_000
/** Longer than any orderly end takes: one that has not come by then is told. */
const STOPPED_MS = 60_000

// Everything it keeps on disk is in here, and goes with the process, whatever ends that.
const folder = mkdtempSync(join(tmpdir(), 'skerry-fuzz-site-'))
whenLeaving(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }))
leaveOnSignals()
// Whoever started it is gone: so is the site.
process.on('disconnect', () => process.exit(1))

const before = prototypes()
const caught = uncaught()
const nats = await startNats({ dir: join(folder, 'nats') })
const callers = await nats.connect('controller', { onError: (error: unknown) => void caught.push(`the bus: ${error}`) })
const site = await startSmallSite({
  dir: join(folder, 'site'),
  sftp: tourServers(),
  backups: true,
  keepJobs: JOBS_KEPT,
  keep: { goneKeptMs: 1_000, pruneMs: 1_000 },
  limits: { segmentBytes: 4 * MIB, keepBytes: 16 * MIB },
  callers,
})
const ground = await makeGround(site)
await filled(site)
await site.settled()
const kept: Rows = rowsNow(site)
const watch = new LoopWatch()
let known = { seq: -1, hash: '' }

/** What is made on first demand and then kept: each API's check of parameters, and the documents of them all. */
async function filled({ client, url }: SmallSite): Promise<void> {
  for (const { api } of apis) api.params.safeParse({})
  const headers = { Authorization: `Bearer ${client.session}` }
  for (const path of [routes.openapi, routes.asyncapi, routes.metrics]) await (await fetch(url + path, { headers })).text()
}

/** Whether it did within its time; it is told where it did not. */
async function settled(): Promise<boolean> {
  const late = new AbortController()
  const never = wait(SETTLED_MS, false, { ref: false, signal: late.signal })
  const ended = await Promise.race([site.settled().then(() => true), never])
  late.abort()
  await never.catch(() => undefined)
  if (!ended) caught.push('jobs or deletions did not end')
  return ended
}

async function state(): Promise<Asks['state']> {
  await settled()
  const { seq } = site.store.graph
  if (seq !== known.seq) known = { seq, hash: createHash('sha256').update(site.state()).digest('hex') }
  return known
}

async function rest(): Promise<Rest> {
  const { longest } = watch
  const wrong: string[] = []
  await settled()
  const { left, lost } = await backTo(site, kept, settled)
  wrong.push(...lost.map((row) => `lost: ${row}`))
  wrong.push(...site.contradictions().map((d) => `books: ${JSON.stringify(d)}`))
  const logged = site.errors.splice(0).filter(({ facts }) => !/^calling a web ?hook/.test(String(facts['doing'])))
  wrong.push(...logged.map(({ facts, message }) => `logged: ${message} ${shown(facts)}`), ...caught.splice(0))
  if (prototypes() !== before) wrong.push('a prototype was changed')
  const audit = await site.client.send({ method: 'GET', path: '/version' }).catch((error: unknown) => error)
  if (audit instanceof Error) wrong.push(`it does not answer: ${audit}`)
  // What the fakes note of each call is no memory of the product's.
  site.asked.length = 0
  site.machine.libvirt.calls.length = 0
  const { user, system } = process.cpuUsage()
  const jobs = [...site.controller.state.graph.rows('job')].length
  const bytes = await bytesKept()
  watch.forget()
  return {
    bytes,
    wrong,
    left,
    longest,
    held: watch.held.splice(0),
    cpuMs: (user + system) / 1_000,
    systemMs: system / 1_000,
    jobs,
  }
}

const shown = (facts: object) =>
  JSON.stringify(facts, (_, value: unknown) =>
    value instanceof Error ? { ...value, message: value.message, stack: value.stack, cause: value.cause } : value,
  )

/** With 1 where the product does not come to its end. */
async function stop(): Promise<Record<string, never>> {
  watch.stop()
  const stopped = site.stop().then(() => nats.stop())
  const late = wait(STOPPED_MS).then(() => Promise.reject(new Error(`the site did not stop within ${STOPPED_MS} ms`)))
  try {
    await Promise.race([stopped, late])
    setImmediate(() => process.exit(0))
    return {}
  } catch (error) {
    setImmediate(() => process.exit(1))
    throw error
  }
}

const answers = { state, rest, stop }
process.on('message', ({ id, ask }: { id: number; ask: keyof Asks }) => {
  answers[ask]().then(
    (told) => process.send!({ id, told }),
    (error: unknown) => process.send!({ id, failed: `asked for ${ask}: ${error instanceof Error ? error.stack : error}` }),
  )
})
process.send!({ started: { ...ground, url: site.url, natsPort: nats.port } satisfies Started })
