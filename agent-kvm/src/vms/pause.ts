/**
 * When a running guest is paused, or let go on. Pure. Each is an order with a number, carried out once: a guest that somebody pauses or
 * lets go on by hand afterwards is let be. An agent that has lost its memory can't know whether an order was carried out before:
 * then the guest is right, and the next order counts. The same holds for a controller that was restored.
 */
import type { Generation, kvmDesired } from '@skerry/contract'
import type { VmMemory } from './memory.ts'
import type { SeenVm } from './observe.ts'

type Pause = VmMemory['pause']

interface Want {
  generation: Generation
  pause: kvmDesired.VmSpec['power']['pause']
}

/** Pauses that libvirt makes on its way to something else. */
export const passing: ReadonlySet<string> = new Set(['migration', 'save', 'dump', 'shutting-down', 'snapshot', 'starting-up'])

/** Whether somebody, and not an error of its disk, holds it. */
export const heldByHand = ({ domain }: SeenVm): boolean => domain?.state === 'paused' && domain.reason === 'user'

/** What is known of a guest that no longer stands still by order. */
export const wokenBy = (pause: Pause): Pause => pause && { ...pause, paused: false }

/** For a guest that is on: the step, and what is to be remembered once it was taken. */
export function pausePlan({ generation, pause }: Want, seen: SeenVm): { step: 'none' | 'pause' | 'resume'; pause: Pause } {
  const stands = seen.domain?.state === 'paused' && !passing.has(seen.domain.reason)
  const known = seen.memory.pause
  const stillPaused: Pause = known && { ...known, paused: known.paused && stands }
  const { incarnation } = generation
  const news = pause && (known?.incarnation !== incarnation || pause.order > known.order)
  if (!news) return { step: 'none', pause: stillPaused }
  const { paused, order } = pause
  const forgotten = known ? known.incarnation !== incarnation : seen.memory.acted === undefined
  if (forgotten) return { step: 'none', pause: { incarnation, order, paused: paused && heldByHand(seen) } }
  const step = paused === stands ? 'none' : paused ? 'pause' : 'resume'
  return { step, pause: { incarnation, order, paused } }
}
