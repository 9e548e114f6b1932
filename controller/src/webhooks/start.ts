/** Web hooks of a running controller: looked after each second, and how far each has come is kept now and then. */
import type { Row } from '@skerry/contract'
import type { ControllerPorts } from '../controller.ts'
import type { State } from '../engine/state.ts'
import { factsSince } from '../tasks/facts.ts'
import { hookPost } from '../tasks/hook-post.ts'
import { Webhooks } from './webhooks.ts'

const LOOK_MS = 1_000
/** Longest that what was delivered is not yet recorded as such: so much may be told twice after a crash. */
const KEEP_MS = 10_000

/** Gives what ends it. */
export function tendWebhooks(
  p: Pick<ControllerPorts, 'every' | 'store' | 'sleep' | 'postHook'>,
  { state, report }: { state: State; report(error: unknown, facts: Row): void },
): () => void {
  const webhooks = new Webhooks({
    ...{ graph: state.graph, sleep: p.sleep, report, post: p.postHook ?? hookPost() },
    since: (lastId, signal, only) => factsSince(p.store, lastId, signal, { only }),
    oldest: () => p.store.status().oldestSeq,
    commit: (ops) => state.commit({ ops }, { actor: 'system' }),
  })
  const keep = () => {
    if (!p.store.status().writable) return
    webhooks.keep().catch((error) => report(error, { doing: 'recording what web hooks were told' }))
  }
  const offs = [p.every(LOOK_MS, () => webhooks.look()), p.every(KEEP_MS, keep)]
  return () => {
    for (const off of offs) off()
    keep()
    webhooks.stop()
  }
}
