/** The process of `soak.ts`: argv are folder, minutes, libvirt calls, VM cycles a second. Sends one report by IPC. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import type { Row } from '../../../packages/contract/src/index.ts'
import { emptyInternPool } from '../../../packages/graph/src/intern.ts'
import { type Libvirt, superviseLibvirt } from '../../../packages/libvirt/src/index.ts'
import { type SmallSite, startSmallSite } from '../../../test/harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../../../test/harness/small-world.ts'
import { usageOf } from './process.ts'

export interface SoakReport {
  minutes: number
  heapSlope: number
  rssSlope: number
  /** of the libvirt backend, which replaces itself when it has grown */
  backendMiB: number
  replaced: number
  descriptors: { start: number; end: number }
  logRatio: number
  aborts: number
  calls: number
  callsPerSecond: number
  p99Ms: number
  failedCalls: number
  cycles: number
  problems: string[]
}

interface Sample {
  atMs: number
  heap: number
  rss: number
  backend: number
  descriptors: number
  logRatio: number
}

const MIB = 1024 ** 2
const SAMPLE_MS = 5_000
/** Caches, pools and the kept jobs fill up first. */
const WARM_UP = 0.25
/** So many that live state outweighs the shortest segments. */
const ROWS = 30_000
const KEEP_HISTORY = 16 * MIB
/** What is kept of the past for a while is kept shortly: else a run of minutes sees it only fill up. */
const KEEP_JOBS = 300
const KEEP_GONE = { goneKeptMs: 20_000, pruneMs: 10_000 }
const IN_FLIGHT = 8
const TIMEOUT_MS = 30_000

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined)

/** Least squares, a unit an hour. */
function slope(samples: readonly Sample[], of: (s: Sample) => number): number {
  const n = samples.length
  const meanX = samples.reduce((sum, s) => sum + s.atMs, 0) / n
  const meanY = samples.reduce((sum, s) => sum + of(s), 0) / n
  const up = samples.reduce((sum, s) => sum + (s.atMs - meanX) * (of(s) - meanY), 0)
  const down = samples.reduce((sum, s) => sum + (s.atMs - meanX) ** 2, 0)
  return (up / down) * 3_600_000
}

/** MiB of the libvirt backend; 0 while it is being replaced. */
function backendMiB(): number {
  const [pid] = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(/\s+/)
  try {
    return pid ? usageOf(Number(pid)).rssBytes / MIB : 0
  } catch {
    return 0 // it ended between the two looks
  }
}

/** What lies in the log's folder but the reserve and files being written, without the history kept on purpose, against what is live. */
function logRatio({ store, dir }: SmallSite & { dir: string }): number {
  const { historyBytes, snapshotBytes } = store.status()
  const folder = join(dir, 'log')
  let bytes = 0
  for (const file of readdirSync(folder)) {
    if (file === 'reserve' || file.endsWith('.tmp')) continue
    // A segment that is dropped at this moment is gone already.
    bytes += statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0
  }
  return snapshotBytes === 0 ? 0 : (bytes - historyBytes) / snapshotBytes
}

/** Rows that stay, so that there is live state to speak of. */
async function fill({ store }: SmallSite): Promise<void> {
  for (let n = 0; n < ROWS; n += 1_000) {
    const ops = Array.from({ length: 1_000 }, (_, i) => {
      const uuid = (n + i).toString(16).padStart(32, '0')
      const v: Row = {
        uuid,
        name: `offering-${n + i}`,
        description: 'kept',
        diskSize: 1,
        sortKey: 0,
        state: 'Enabled',
        type: 'Default',
      }
      return {
        o: 'put' as const,
        t: 'diskOffering',
        k: uuid,
        v: { ...v, allocatorStrategy: 'Default', createDate: n, lastOpDate: n },
      }
    })
    await store.commit({ ops }, { actor: 'system' })
  }
  await store.snapshot()
}

interface Load {
  ended: boolean
  cycles: number
  problems: string[]
}

/** One VM from its creation to its end, again and again. */
async function churn(site: SmallSite, world: SmallWorld, o: { load: Load; everyMs: number }): Promise<void> {
  const { client } = site
  const params = { imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering }
  for (let n = 0; !o.load.ended; n++) {
    const next = performance.now() + o.everyMs
    try {
      const uuid = await client.uuid('CreateVmInstance', { name: `soak-${n}`, ...params })
      if (n % 4 === 0) await client.call('StopVmInstance', { uuid, type: 'cold' })
      if (n % 8 === 0) await client.call('StartVmInstance', { uuid })
      await client.call('DestroyVmInstance', { uuid })
      await client.call('ExpungeVmInstance', { uuid })
      o.load.cycles++
    } catch (error) {
      o.load.problems.push(error instanceof Error ? error.message : String(error))
    }
    await sleep(Math.max(0, next - performance.now()))
  }
}

interface Calls {
  done: number
  failed: number
  times: ReturnType<typeof createHistogram>
}

/** All calls, spread over the time; what is left at its end is made as fast as can be. */
async function callLibvirt(libvirt: Libvirt, o: { calls: number; overMs: number; out: Calls }): Promise<void> {
  const began = performance.now()
  const [domain] = await libvirt.call('listDomains', {}, { timeoutMs: TIMEOUT_MS })
  const { uuid } = domain!
  const within = { timeoutMs: TIMEOUT_MS }
  /** As an agent asks: mostly states, now and then definitions. Power is changed from one lane only: two would refuse each other. */
  const ask = (n: number, lane: number): Promise<unknown> => {
    if (n % 100 === 0) return libvirt.call('hostInfo', {}, within)
    if (n % 100 === 50 && lane === 0)
      return libvirt.call('domainSuspend', { uuid }, within).then(() => libvirt.call('domainResume', { uuid }, within))
    if (n % 10 === 5) return libvirt.call('domainXml', { uuid }, within)
    if (n % 5 === 1) return libvirt.call('listDomains', {}, within)
    return libvirt.call(n % 2 === 0 ? 'domainGetState' : 'domainInfo', { uuid }, within)
  }
  let given = 0
  const worker = async (lane: number) => {
    while (given < o.calls) {
      const n = given++
      const due = (n / o.calls) * o.overMs
      const early = due - (performance.now() - began)
      if (early > 5) await sleep(early)
      const from = performance.now()
      try {
        await ask(n, lane)
      } catch {
        o.out.failed++ // counted: the goal is none
      }
      o.out.times.record(Math.max(1, Math.round((performance.now() - from) * 1_000)))
      o.out.done++
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, lane) => worker(lane)))
}

/** The fakes and the harness note all that they are asked, for tests: that is no leak of what is tested. */
function forgetNotes({ machine, asked }: SmallSite): void {
  machine.libvirt.calls.length = 0
  machine.host.processTable.signals.length = 0
  asked.length = 0
}

function sample(site: SmallSite & { dir: string }, beganMs: number): Sample {
  forgetNotes(site)
  emptyInternPool()
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return {
    atMs: performance.now() - beganMs,
    heap: heapUsed / MIB,
    rss: rss / MIB,
    backend: backendMiB(),
    descriptors: readdirSync('/proc/self/fd').length,
    logRatio: logRatio(site),
  }
}

async function sampled(site: SmallSite & { dir: string }, minutes: number): Promise<Sample[]> {
  const samples: Sample[] = []
  const beganMs = performance.now()
  while (performance.now() - beganMs < minutes * 60_000) {
    await sleep(SAMPLE_MS)
    const s = sample(site, beganMs)
    samples.push(s)
    if (samples.length % 12 === 0)
      console.error(
        `  ${(s.atMs / 60_000).toFixed(1)} min: heap ${s.heap.toFixed(1)} MiB, resident ${s.rss.toFixed(0)}, backend ${s.backend.toFixed(1)}, ${s.descriptors} descriptors, log ${s.logRatio.toFixed(2)}×`,
      )
  }
  return samples
}

async function soak(dir: string, o: { minutes: number; calls: number; rate: number }): Promise<SoakReport> {
  const limits = { segmentBytes: MIB, keepBytes: KEEP_HISTORY }
  const site = Object.assign(await startSmallSite({ dir, limits, keepJobs: KEEP_JOBS, keep: KEEP_GONE }), { dir })
  const world = await makeSmallWorld(site)
  await fill(site)
  const ends = { aborts: 0, replaced: 0 }
  const log = (text: string) => {
    if (text.includes('has grown')) ends.replaced++
    else ends.aborts++
  }
  const libvirt = superviseLibvirt({ uri: 'test:///default', log })
  const load: Load = { ended: false, cycles: 0, problems: [] }
  const calls: Calls = { done: 0, failed: 0, times: createHistogram() }
  const workers = Math.max(1, Math.ceil(o.rate))
  const began = performance.now()
  const calling = callLibvirt(libvirt, { calls: o.calls, overMs: o.minutes * 60_000, out: calls })
  const churning = Array.from({ length: workers }, () => churn(site, world, { load, everyMs: (workers * 1_000) / o.rate }))
  const samples = await sampled(site, o.minutes)
  load.ended = true
  await Promise.all(churning)
  await calling
  const minutes = (performance.now() - began) / 60_000
  const steady = samples.slice(Math.floor(samples.length * WARM_UP))
  await site.settled()
  for (const condition of site.controller.conditions.list()) load.problems.push(condition.message)
  for (const { message, facts } of site.errors) load.problems.push(`${message}: ${JSON.stringify(facts)}`)
  await libvirt.close()
  await site.stop()
  return {
    minutes,
    heapSlope: slope(steady, (s) => s.heap),
    rssSlope: slope(steady, (s) => s.rss),
    backendMiB: Math.max(...samples.map((s) => s.backend)),
    descriptors: { start: steady[0]!.descriptors, end: samples.at(-1)!.descriptors },
    logRatio: Math.max(...steady.map((s) => s.logRatio)),
    ...ends,
    calls: calls.done,
    callsPerSecond: calls.done / (minutes * 60),
    p99Ms: calls.times.percentile(99) / 1_000,
    failedCalls: calls.failed,
    cycles: load.cycles,
    problems: load.problems,
  }
}

const [dir, minutes, calls, rate] = process.argv.slice(2)
const report = await soak(dir!, { minutes: Number(minutes), calls: Number(calls), rate: Number(rate) })
process.send!(report)
process.disconnect()
