/** A whole site in a process of its own, on a real socket and a real nats-server: what it does there is nobody else's CPU and memory. */
import './loopback-only.ts'
import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { startNats } from '@skerry/testkit'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { tourServers } from '../harness/tour.ts'
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

const before = prototypes()
const caught = uncaught()
const nats = await startNats()
const callers = await nats.connect('controller', { onError: (error: unknown) => void caught.push(`the bus: ${error}`) })
const site = await startSmallSite({
  sftp: tourServers(),
  keepJobs: JOBS_KEPT,
  keep: { goneKeptMs: 1_000, pruneMs: 1_000 },
  limits: { segmentBytes: 4 * MIB, keepBytes: 16 * MIB },
  callers,
})
const ground = await makeGround(site)
await site.settled()
const kept: Rows = rowsNow(site)
const watch = new LoopWatch()
let known = { seq: -1, hash: '' }

const settled = (what: SmallSite) => Promise.race([what.settled().then(() => true), wait(SETTLED_MS, false, { ref: false })])

async function state(): Promise<Asks['state']> {
  if (!(await settled(site))) caught.push('jobs or deletions did not end')
  const { seq } = site.store.graph
  if (seq !== known.seq) known = { seq, hash: createHash('sha256').update(site.state()).digest('hex') }
  return known
}

async function rest(): Promise<Rest> {
  const { longest } = watch
  const wrong: string[] = []
  if (!(await settled(site))) wrong.push('jobs or deletions did not end')
  const { left, lost } = await backTo(site, kept)
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

async function stop(): Promise<Record<string, never>> {
  watch.stop()
  await site.stop()
  await nats.stop()
  setImmediate(() => process.exit(0))
  return {}
}

const answers = { state, rest, stop }
process.on('message', async ({ id, ask }: { id: number; ask: keyof Asks }) => process.send!({ id, told: await answers[ask]() }))
// Whoever started it is gone: so is the site.
process.on('disconnect', () => void stop())
process.send!({ started: { ...ground, url: site.url, natsPort: nats.port } satisfies Started })
