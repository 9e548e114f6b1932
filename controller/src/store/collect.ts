import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Collects what recovery has left behind, before anybody is served: V8 would do it soon after, in the middle of requests, and stop
 * everything for 30 to 50 ms of a graph of a million rows (`scripts/bench snapshot`). Takes some 0.6 s there.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
