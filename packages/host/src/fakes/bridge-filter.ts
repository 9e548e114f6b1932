/** br_netfilter in memory: a bridge that is made again shows its frames to nobody again. */
import { ifname } from '@skerry/contract'
import type { BridgeFilter } from '../bridge-filter.ts'
import { checkInput } from '../parse-json.ts'
import { commandFailed } from './gate.ts'
import type { FakeNetwork } from './ip.ts'

export function fakeBridgeFilter(network: FakeNetwork): BridgeFilter {
  const on = new Set<number>()
  const indexOf = (given: string) => {
    const name = checkInput('interface', given, ifname)
    return network.in('').links.find((link) => link.name === name && link.kind === 'bridge')?.index
  }
  return {
    async isOn(name) {
      const index = indexOf(name)
      return index === undefined ? undefined : on.has(index)
    },
    async switchOn(name) {
      const index = indexOf(name)
      if (index === undefined) throw commandFailed(`Cannot find device "${name}"`)
      on.add(index)
    },
    // what a fake kernel can do is built in
    load: async () => false,
  }
}
