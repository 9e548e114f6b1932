/**
 * When a guest is started, asked to end, or cut. Pure.
 *
 * A start is asked for by a document: power `Running` with a placementEpoch above that of the last start, or after `Stopped`. A
 * newer generation alone is no order to start: documents are also renewed by a rename or another version of the controller,
 * and a guest that powered itself off stays off then. It also stays off over restarts of the agent (memory), and over a boot of
 * the host; only what ran when the host went down is started again, if its autonomy allows that. What has panicked doesn't run.
 *
 * A stop is an order once: a guest that was seen off and runs again was started by hand, and is let be. So are pausing and going on
 * (`pause.ts`).
 */
import type { Generation, kvmDesired } from '@skerry/contract'
import type { VmMemory } from './memory.ts'
import type { SeenVm } from './observe.ts'
import { pausePlan, wokenBy } from './pause.ts'

/** `restart`: what is left of a panicked guest is cut, then it is started. */
export type PowerStep = 'none' | 'start' | 'restart' | 'ask' | 'cut' | 'pause' | 'resume'

export interface PowerPlan {
  step: PowerStep
  /** What is to be remembered once the step was taken. */
  memory: VmMemory
}

/** A guest that is still booting doesn't see its power button: it is pressed again. */
const ASK_AGAIN_MS = 10_000

/** When a guest that was asked is to be looked at again, on the host's monotonic clock. */
export const nextLookMs = (asked: NonNullable<VmMemory['asked']>): number =>
  Math.min(asked.atMs + asked.graceMs, asked.lastMs + ASK_AGAIN_MS)

/** The host went down with it: what runs again after a boot. */
const HOST = 'host'

/** `cause` of a VM that is off because it is about to be started. */
export const START_PENDING = 'start-pending'
const PANICKED = 'panicked'
const BY_HAND = 'by-hand'

const causes: Readonly<Record<string, string>> = {
  shutdown: 'guest',
  host: HOST,
  destroyed: 'destroyed',
  crashed: 'crash',
  failed: 'failed',
  saved: 'saved',
  migrated: 'migrated',
}
/** Why a domain is off, in the words of a status, from libvirt's reason. */
export const causeOf = (reason: string | undefined): string => causes[reason ?? ''] ?? 'unknown'

interface Want {
  generation: Generation
  spec: kvmDesired.VmSpec
}

/** Another host may have been given this VM since: in this history, a higher placement epoch was seen. */
export function isStale({ generation, spec }: Want, memory: VmMemory): boolean {
  const known = memory.epoch
  return known !== undefined && known.incarnation === generation.incarnation && spec.placementEpoch < known.placementEpoch
}

export function powerPlan(want: Want, seen: SeenVm): PowerPlan {
  const stale = isStale(want, seen.memory)
  // Never to run it is what the epoch protects; stopping it is always right.
  if (stale && want.spec.power.state === 'Running') return { step: 'none', memory: seen.memory }
  const epoch = { incarnation: want.generation.incarnation, placementEpoch: want.spec.placementEpoch }
  const memory = stale ? seen.memory : { ...seen.memory, epoch }
  return want.spec.power.state === 'Running'
    ? keepRunning(want, { ...seen, memory })
    : keepStopped(want.spec, { ...seen, memory })
}

function keepRunning({ generation, spec }: Want, seen: SeenVm): PowerPlan {
  const { memory, bootId } = seen
  const running: VmMemory = {
    ...memory,
    acted: { power: 'Running', placementEpoch: spec.placementEpoch },
    bootId,
    pause: wokenBy(memory.pause),
    stopped: undefined,
    kept: undefined,
  }
  const askedBefore = memory.asked?.bootId === bootId ? memory.asked : undefined
  if (seen.domain?.active && seen.domain.state === 'crashed') {
    const placedAnew = memory.acted !== undefined && spec.placementEpoch > memory.acted.placementEpoch
    if (placedAnew) return { step: 'restart', memory: { ...running, asked: undefined } }
    return { step: 'none', memory: { ...running, asked: undefined, stopped: { cause: PANICKED, unseen: true } } }
  }
  if (seen.domain?.active) {
    // Asked to end before the order was taken back, it may still do so for a while: then it is started again.
    const fresh = askedBefore && seen.atMs < askedBefore.atMs + askedBefore.graceMs
    const { step, pause } = pausePlan({ generation, pause: spec.power.pause }, seen)
    return { step, memory: { ...running, pause, asked: fresh ? askedBefore : undefined } }
  }
  const { acted, stopped } = memory
  const ordered = acted?.power !== 'Running' || spec.placementEpoch > acted.placementEpoch
  const wentDownWithHost =
    memory.bootId !== undefined && memory.bootId !== bootId && (stopped === undefined || stopped.cause === HOST)
  // What stood still by order did not run, and what it had in its memory is gone.
  const ranThen = wentDownWithHost && !memory.pause?.paused
  if (ordered || askedBefore || (ranThen && spec.autonomy === 'local'))
    return { step: 'start', memory: { ...running, asked: undefined } }
  return {
    step: 'none',
    memory: {
      ...memory,
      asked: undefined,
      kept: undefined,
      stopped: { cause: stopped?.cause ?? (wentDownWithHost ? HOST : causeOf(seen.domain?.reason)) },
    },
  }
}

function keepStopped(spec: kvmDesired.VmSpec, seen: SeenVm): PowerPlan {
  const { memory, bootId, atMs } = seen
  const { mode, graceMs, cause } = spec.power
  const acted = { power: 'Stopped' as const, placementEpoch: Math.max(spec.placementEpoch, memory.acted?.placementEpoch ?? 0) }
  if (!seen.domain?.active) {
    const byItself = memory.acted?.power === 'Running' || memory.kept !== undefined
    const wentDownWithHost = byItself && memory.bootId !== bootId
    const why = wentDownWithHost ? HOST : byItself ? causeOf(seen.domain?.reason) : cause
    const stopped = { cause: memory.stopped?.cause ?? why }
    return { step: 'none', memory: { ...memory, acted, asked: undefined, kept: undefined, stopped } }
  }
  const kept = keptFor(memory)
  if (kept) return { step: 'none', memory: { ...memory, acted, bootId, asked: undefined, stopped: undefined, kept } }
  const stopping: VmMemory = { ...memory, acted, bootId, pause: wokenBy(memory.pause), stopped: undefined }
  const cut: PowerPlan = { step: 'cut', memory: { ...stopping, asked: undefined, stopped: { cause } } }
  // Who has panicked does not see a power button.
  if (mode === 'cold' || graceMs <= 0 || seen.domain.state === 'crashed') return cut
  const asked = memory.asked?.bootId === bootId ? memory.asked : undefined
  if (!asked) return { step: 'ask', memory: { ...stopping, asked: { atMs, lastMs: atMs, bootId, graceMs } } }
  if (atMs >= asked.atMs + graceMs) return cut
  const again = atMs >= asked.lastMs + ASK_AGAIN_MS
  return {
    step: again ? 'ask' : 'none',
    memory: { ...stopping, asked: { ...asked, graceMs, lastMs: again ? atMs : asked.lastMs } },
  }
}

/** Why a guest that runs is let be although it should be off: it was seen off, so another hand started it. Else undefined. */
function keptFor({ stopped, kept }: VmMemory): VmMemory['kept'] {
  return kept ?? (stopped && !stopped.unseen ? { cause: BY_HAND } : undefined)
}
