/** Carries out one change of a bridge. `host.bridge` looks for our mark again before it touches anything. */
import { toFacts } from '../memory.ts'
import { type BridgePorts, ipv6Key, isMissing } from './observe.ts'
import type { BridgeChange } from './plan.ts'

export async function applyBridge({ host, memory }: BridgePorts, change: BridgeChange): Promise<void> {
  const { uuid } = change
  switch (change.op) {
    case 'create':
      return host.bridge.create({ name: change.name, uuid, ...(change.mtu === null ? {} : { mtu: change.mtu }) })
    case 'set':
      return host.ip.at().links.set(change.name, { up: change.up, mtu: change.mtu })
    case 'ipv6-off':
      return ipv6Off({ host, memory }, change.name)
    case 'attach':
      return host.bridge.attachNic(change.name, change.nic)
    case 'plug':
      return host.bridge.addPort(change.name, change.tap)
    case 'tap-mtu':
      return host.ip.at().links.set(change.tap, { mtu: change.mtu })
    case 'uplink':
      return host.bridge.makeUplink(change.name, change.link)
    case 'flood':
      return flood({ host, memory }, change)
    case 'unlink':
      return host.bridge.remove(change.link)
    case 'detach':
      return host.bridge.removePort(change.name, change.nic)
    case 'remove':
      return host.bridge.remove(change.name)
    case 'remember':
      return memory.setFacts('bridge', uuid, toFacts(change.facts))
  }
}

/** Those that are too many go first: nothing is sent to a host that is none of the network's any more. */
async function flood({ host }: BridgePorts, { link, add, del }: Extract<BridgeChange, { op: 'flood' }>): Promise<void> {
  const port = host.ip.at().flood
  for (const peer of del) await port.del(link, peer)
  for (const peer of add) await port.add(link, peer)
}

/** The host must have no address in a guests' network, not even a link-local one that it gave itself. */
async function ipv6Off({ host }: BridgePorts, name: string): Promise<void> {
  try {
    await host.ip.at().sysctl.write(ipv6Key(name), 1)
  } catch (error) {
    if (!isMissing(error)) throw error // a kernel without IPv6 has nothing to switch off
  }
}
