/** libvirt through each FFI library, in turns in one run: how many calls a second, what they cost, what they leave in memory. */
import { type FfiName, ffiNames, type SupervisedLibvirt, superviseLibvirt } from '../../../packages/libvirt/src/index.ts'
import { usageOf } from './process.ts'
import { type Result, spread } from './result.ts'

export interface FfiOptions {
  /** Rounds of each library. */
  rounds: number
  /** In each round, after a warm-up of a tenth of them. */
  calls: number
  say(text: string): void
}

interface Round {
  perSecond: number
  cpuUs: number
  bytesPerCall: number
}

const IN_FLIGHT = 8
const within = { timeoutMs: 60_000 }
/** Replaced backends would not show what they grew. */
const NEVER_REPLACED = 2 ** 40

/** The mix of an agent: mostly states and lists, some XML. */
async function one(libvirt: SupervisedLibvirt, uuid: string, n: number): Promise<void> {
  if (n % 10 === 5) await libvirt.call('domainXml', { uuid }, within)
  else if (n % 5 === 1) await libvirt.call('listDomains', {}, within)
  else await libvirt.call(n % 2 === 0 ? 'domainGetState' : 'domainInfo', { uuid }, within)
}

async function many(libvirt: SupervisedLibvirt, uuid: string, calls: number): Promise<void> {
  let begun = 0
  const worker = async () => {
    while (begun < calls) await one(libvirt, uuid, begun++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

async function measure(ffi: FfiName, calls: number): Promise<Round> {
  const libvirt = superviseLibvirt({ uri: 'test:///default', ffi, maxRssBytes: NEVER_REPLACED })
  try {
    const [domain] = await libvirt.call('listDomains', {}, within)
    const { uuid } = domain!
    const pid = libvirt.childPid!
    await many(libvirt, uuid, calls / 10)
    const before = { ...usageOf(pid), at: performance.now() }
    await many(libvirt, uuid, calls)
    const seconds = (performance.now() - before.at) / 1000
    const after = usageOf(pid)
    if (libvirt.childPid !== pid || libvirt.ffi !== ffi) throw new Error(`the backend on ${ffi} did not live through the round`)
    return {
      perSecond: calls / seconds,
      cpuUs: ((after.cpuMs - before.cpuMs) * 1000) / calls,
      bytesPerCall: (after.rssBytes - before.rssBytes) / calls,
    }
  } finally {
    await libvirt.close()
  }
}

const shown = [
  ['perSecond', 'calls, 8 in flight', '1/s'],
  ['cpuUs', 'CPU of the backend a call', 'µs'],
  ['bytesPerCall', 'growth of the backend a call', 'bytes'],
] as const

export async function benchFfi(o: FfiOptions): Promise<{ results: Result[]; voided: string[] }> {
  const rounds: Record<FfiName, Round[]> = { 'ffi-napi': [], koffi: [] }
  for (let round = 1; round <= o.rounds; round++) {
    for (const ffi of ffiNames) {
      rounds[ffi].push(await measure(ffi, o.calls))
      o.say(`round ${round}, ${ffi}: ${rounds[ffi].at(-1)!.perSecond.toFixed(0)} calls a second`)
    }
  }
  const results = shown.flatMap(([key, what, unit]) =>
    ffiNames.map(
      (ffi): Result => ({
        bench: 'libvirt',
        what: `${ffi}: ${what}`,
        unit,
        skerry: spread(rounds[ffi].map((round) => round[key])),
        goal: '',
        met: null,
      }),
    ),
  )
  return { results, voided: [] }
}
