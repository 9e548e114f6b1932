/** Carries out one change of the guards. */
import type { SecurityPorts } from './observe.ts'
import type { SecurityChange } from './plan.ts'

export async function applySecurity({ host }: SecurityPorts, change: SecurityChange): Promise<void> {
  switch (change.op) {
    case 'write':
      return host.nft.at().apply(change.commands)
    case 'show-frames':
      return host.bridgeFilter.switchOn(change.bridge)
  }
}
