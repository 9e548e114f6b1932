/** The API under load against the limit program: creations, reads, lists, queries, with a million resources in memory. */

import type { ChildProcess } from 'node:child_process'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startNats, type TestNats } from '../../../packages/testkit/src/index.ts'
import type { Operation, Seen, Task } from './load.ts'
import { answering, ask, end, freePort, LOAD_CORE, SERVER_CORE, startPinned, usageOf } from './process.ts'
import { type Result, type Spread, spread, unsteady } from './result.ts'

export interface ApiOptions {
  root: string
  /** folder of this run */
  dir: string
  rows: number
  rounds: number
  seconds: number
  say(text: string): void
}

interface Side {
  child: ChildProcess
  port: number
  session: string
  readyMs: number
  rssBytes: number
}

interface Case {
  operation: Operation
  what: string
  inFlight: number
  rate?: number
  goal: string
  /** of limit CPU / Skerry CPU, at least */
  least?: number
  /** milliseconds of Skerry's p99, at most */
  p99?: number
}

const cases: readonly Case[] = [
  { operation: 'create', what: 'durable create, 256 in flight', inFlight: 256, goal: '≥ 0.5×, ≤ 115 µs', least: 0.5 },
  { operation: 'get', what: 'get by id', inFlight: 64, goal: '≥ 0.7×', least: 0.7 },
  { operation: 'list', what: 'list 1000, full bodies', inFlight: 4, goal: '≥ 0.5×', least: 0.5 },
  { operation: 'query', what: 'query 1 of all by name, 5000/s', inFlight: 128, rate: 5000, goal: 'p99 ≤ 5 ms', p99: 5 },
  { operation: 'relations', what: 'query through 3 relations, 5000/s', inFlight: 128, rate: 5000, goal: 'p99 ≤ 5 ms', p99: 5 },
]

/** More than this, and the limit program is no limit. */
const VOID_CREATE_MICROS = 70

const source = (root: string, file: string) => ['--import', 'tsx', join(root, 'scripts/lib/bench', file)]

async function startLimit({ root, dir, rows }: ApiOptions): Promise<Side> {
  const port = await freePort()
  const child = startPinned({
    core: SERVER_CORE,
    argv: [...source(root, 'ceiling.ts'), '--port', String(port), '--dir', join(dir, 'limit'), '--rows', String(rows)],
  })
  const readyMs = await answering(`http://127.0.0.1:${port}/ready`, child)
  return { child, port, session: 'none', readyMs, rssBytes: usageOf(child.pid!).rssBytes }
}

async function startSkerry({ root, dir }: ApiOptions, nats: TestNats): Promise<Side> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const log = join(dir, 'controller.log')
  const argv = [
    join(root, 'dist/controller/main.js'),
    '--state-dir',
    join(dir, 'skerry'),
    '--http-port',
    String(port),
    '--nats-url',
    nats.url,
  ]
  const child = startPinned({ core: SERVER_CORE, argv, log })
  const readyMs = await answering(`${url}/readyz`, child).catch(async (error: Error) => {
    throw new Error(`${error.message}\n${(await readFile(log, 'utf8')).slice(-2000)}`)
  })
  const password = createHash('sha512').update('password').digest('hex')
  const answer = await fetch(`${url}/v1/accounts/login`, {
    method: 'PUT',
    body: JSON.stringify({ logInByAccount: { accountName: 'admin', password } }),
  })
  const { inventory } = (await answer.json()) as { inventory: { uuid: string } }
  return { child, port, session: inventory.uuid, readyMs, rssBytes: usageOf(child.pid!).rssBytes }
}

interface Measured {
  micros: number
  perSecond: number
  p99: number
  bytes: number
}

async function measure(load: ChildProcess, side: Side, task: Omit<Task, 'port' | 'session'>): Promise<Measured> {
  const pid = side.child.pid!
  const before = usageOf(pid).cpuMs
  const seen = await ask<Seen>(load, { ...task, port: side.port, session: side.session })
  const micros = ((usageOf(pid).cpuMs - before) * 1000) / seen.count
  return { micros, perSecond: seen.count / seen.seconds, p99: seen.p99, bytes: seen.bytes }
}

/** One case in all its rounds, the sides in turn, each time the other one first. */
async function alternate(load: ChildProcess, o: ApiOptions, sides: { limit: Side; skerry: Side }, c: Case) {
  const task = {
    operation: c.operation,
    inFlight: c.inFlight,
    rows: o.rows,
    seconds: o.seconds,
    ...(c.rate ? { rate: c.rate } : {}),
  }
  const seen: Record<'limit' | 'skerry', Measured[]> = { limit: [], skerry: [] }
  for (const side of ['limit', 'skerry'] as const) await measure(load, sides[side], { ...task, seconds: Math.max(1, o.seconds) })
  for (let round = 0; round < o.rounds; round++) {
    const order = round % 2 === 0 ? (['limit', 'skerry'] as const) : (['skerry', 'limit'] as const)
    for (const side of order) seen[side].push(await measure(load, sides[side], task))
  }
  return seen
}

function resultsOf(c: Case, { limit, skerry }: Record<'limit' | 'skerry', Measured[]>): Result[] {
  const of = (field: keyof Measured) => ({
    limit: spread(limit.map((m) => m[field])),
    skerry: spread(skerry.map((m) => m[field])),
  })
  const cpu = of('micros')
  const ratio = cpu.limit.median / cpu.skerry.median
  const rows: Result[] = [
    {
      bench: 'api',
      what: c.what,
      unit: 'µs CPU',
      ...cpu,
      ratio,
      goal: c.least ? c.goal : '',
      met: c.least ? ratio >= c.least : null,
    },
    {
      bench: 'api',
      what: c.what,
      unit: 'p99 ms',
      ...of('p99'),
      goal: c.p99 ? c.goal : '',
      met: c.p99 ? of('p99').skerry.median <= c.p99 : null,
    },
    { bench: 'api', what: c.what, unit: 'bytes a body', ...of('bytes'), goal: '', met: null },
  ]
  if (!c.rate)
    rows.splice(1, 0, {
      bench: 'api',
      what: c.what,
      unit: 'per second',
      ...of('perSecond'),
      ratio: of('perSecond').skerry.median / of('perSecond').limit.median,
      goal: '',
      met: null,
    })
  return rows
}

async function bare(limit: Side): Promise<number[]> {
  const values: number[] = []
  for (let i = 0; i < 5; i++)
    values.push(((await (await fetch(`http://127.0.0.1:${limit.port}/bare`)).json()) as { micros: number }).micros)
  return values
}

export async function benchApi(o: ApiOptions): Promise<{ results: Result[]; voided: string[] }> {
  o.say(`writing ${o.rows} resources into a snapshot`)
  const preload = startPinned({
    core: SERVER_CORE,
    argv: [...source(o.root, 'preload.ts'), '--dir', join(o.dir, 'skerry/log'), '--rows', String(o.rows), '--snapshot'],
  })
  const code = await new Promise((resolve) => preload.once('exit', resolve))
  if (code !== 0) throw new Error(`preloading ended with ${code}`)
  const nats = await startNats()
  await promisify(execFile)('taskset', ['-a', '-p', '-c', LOAD_CORE, String(nats.pid)])
  const started: ChildProcess[] = []
  try {
    o.say('starting the limit program and the controller')
    const limit = await startLimit(o)
    started.push(limit.child)
    const skerry = await startSkerry(o, nats)
    started.push(skerry.child)
    const load = startPinned({ core: LOAD_CORE, argv: source(o.root, 'load.ts'), ipc: true })
    started.push(load)
    return await runCases(load, o, { limit, skerry })
  } finally {
    for (const child of started) await end(child, 'SIGKILL')
    await nats.stop()
  }
}

/** What was seen once: memory, and the time from the start to the first answer. */
function startResults(o: ApiOptions, { limit, skerry }: { limit: Side; skerry: Side }): Result[] {
  const MIB = 1024 ** 2
  const [what, met] = [`memory with ${o.rows} resources`, skerry.rssBytes <= 1536 * MIB]
  const memory = { limit: spread([limit.rssBytes / MIB]), skerry: spread([skerry.rssBytes / MIB]), goal: '≤ 1536', met }
  const start = {
    what: `start to ready with ${o.rows} resources`,
    unit: 'ms',
    skerry: spread([skerry.readyMs]),
    goal: '',
    met: null,
  }
  return [
    { bench: 'api', what, unit: 'MiB RSS', ...memory },
    { bench: 'api', ...start },
  ]
}

async function againstStringify(limit: Side, skerry: Spread): Promise<Result> {
  const stringify = spread(await bare(limit))
  const ratio = skerry.median / stringify.median
  const what = 'list 1000 against bare JSON.stringify'
  return { bench: 'api', what, unit: 'µs CPU', limit: stringify, skerry, ratio, goal: '≤ 2×', met: ratio <= 2 }
}

/** Why a case can't be quoted, or undefined. */
function voidedBy(c: (typeof cases)[number], cpu: Spread): string | undefined {
  if (c.operation === 'create' && cpu.median > VOID_CREATE_MICROS)
    return `void: the limit program itself takes ${cpu.median.toFixed(0)} µs CPU a create (at most ${VOID_CREATE_MICROS})`
  return unsteady(c.what, cpu, 'µs CPU')
}

async function runCases(
  load: ChildProcess,
  o: ApiOptions,
  sides: { limit: Side; skerry: Side },
): Promise<{ results: Result[]; voided: string[] }> {
  const results = startResults(o, sides)
  const voided: string[] = []
  for (const c of cases) {
    o.say(`${c.what}: ${o.rounds} rounds`)
    const rows = resultsOf(c, await alternate(load, o, sides, c))
    results.push(...rows)
    if (c.operation === 'list') results.push(await againstStringify(sides.limit, rows[0]!.skerry))
    const why = voidedBy(c, rows[0]!.limit!)
    if (why !== undefined) voided.push(why)
  }
  return { results, voided }
}
