/** What agents get of a controller for IPsec: keys, here by connection; and who keeps tunnels up, on timers of this process. */
import { createSealKeys, seal, unseal } from '@skerry/agent/seal'
import { realTimers } from '@skerry/bus'
import { ipsecAsk } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { DocumentName } from '@skerry/reconcile'
import { TunnelKeeper } from '../src/ipsec/keeper.ts'

/** `at`: asked when it is needed, because labs come up late. `hurry`: how many times faster timers go. */
export function keysOfTests(at: () => { host: Host; stateDir: string }, hurry = 1) {
  const own = createSealKeys()
  /** By connection: the key, and its name. */
  const keys = new Map<string, { keyUuid: string; key: string }>()
  const signals: DocumentName[] = []
  const faults: unknown[] = []
  let asked = 0
  return {
    keys,
    signals,
    faults,
    asked: () => asked,
    keeper: new TunnelKeeper({
      get host() {
        return at().host
      },
      get stateDir() {
        return at().stateDir
      },
      timers: { ...realTimers, set: (fn, ms) => realTimers.set(fn, ms / hurry) },
      signal: (of) => void signals.push(...of),
      onFault: (error) => faults.push(error),
    }),
    askKey: async (uuid: string) => {
      asked++
      const { keyUuid, key } = keys.get(uuid)!
      return { keyUuid, key: seal(own.publicKey, Buffer.from(key, 'utf8'), ipsecAsk.context(uuid)) }
    },
    unseal: (sealed: string, context: string) => unseal(own, sealed, context),
  }
}
