/** Drops what nobody needs any more, in commits of a bounded size: a busy site ends more jobs in a minute than one commit drops. */
import type { State } from '../engine/state.ts'
import { outdated } from './housekeeping.ts'

/** `keepJobs`: how many ended jobs stay. Resolves when nothing is outdated; rejects as `State.commit`. */
export async function dropOutdated(state: State, o: { now(): number; keepJobs: number | undefined }): Promise<void> {
  for (;;) {
    const ops = outdated(state.graph, o.now(), o.keepJobs)
    if (ops.length === 0) return
    await state.commit({ ops }, { actor: 'system' })
  }
}
