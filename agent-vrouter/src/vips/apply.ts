/** Carries out one change of a VIP. Decides nothing. */
import { routerNetns, SkerryError } from '@skerry/contract'
import { buildTable, type Host, markOf, moveElements } from '@skerry/host'
import { bridgeTable, toPair } from '../routers/flat.ts'
import { LAN } from '../routers/rules.ts'
import type { VipChange } from './have.ts'
import type { VipPorts } from './observe.ts'
import { recordPath, writeRecord } from './records.ts'
import { VIP_TABLE, vipShape } from './rules.ts'

export async function apply({ host, stateDir, hostTable }: VipPorts, change: VipChange): Promise<void> {
  const netns = routerNetns(change.router)
  switch (change.op) {
    case 'table.make':
      return host.nft.at(netns).apply(buildTable(vipShape, change.elements))
    case 'table.move': {
      const names = vipShape.sets.map(({ name }) => name)
      const move = (name: string) => ({ add: change.add[name] ?? [], remove: change.remove[name] ?? [] })
      return host.nft.at(netns).apply(names.flatMap((name) => moveElements(VIP_TABLE, name, move(name))))
    }
    case 'gate.move': {
      const move = { add: change.add.map(toPair), remove: change.remove.map(toPair) }
      return host.nft.at().apply(moveElements(bridgeTable(hostTable), 'asks', move))
    }
    case 'flows.forget':
      for (const flow of change.flows) await host.conntrack.at(netns).forget(flow)
      return
    case 'record.write':
      return writeRecord(host.files, { stateDir, router: change.router, vip: change.uuid }, change.spec)
    case 'record.remove':
      return host.files.remove(recordPath(stateDir, change.router, change.uuid))
    default:
      return applyNetwork(host, netns, change)
  }
}

type NetworkChange = Exclude<
  VipChange,
  { op: 'table.make' | 'table.move' | 'gate.move' | 'flows.forget' | 'record.write' | 'record.remove' }
>

async function applyNetwork(host: Host, netns: string, change: NetworkChange): Promise<void> {
  const { ip } = host
  const inside = ip.at(netns)
  const scope = (at: 'router' | 'host') => (at === 'router' ? inside : ip.at())
  switch (change.op) {
    case 'leg.add':
      return addLeg(host, netns, change)
    case 'leg.del':
      return scope(change.at).links.del(change.name)
    case 'leg.set':
      return scope(change.at).links.set(change.name, change.set)
    case 'leg.attach':
      return ip.at().links.set(change.name, { master: change.bridge })
    case 'port.attach':
      return ip.at().links.set(change.port, { master: change.bridge })
    case 'leg.await':
      throw new SkerryError(
        'host-command-failed',
        `the bridge ${change.bridge} of the VIP's network is not on the host of its router`,
        {
          bridge: change.bridge,
          remedy: 'Attach the L2 network of the VIP to the cluster of this host, and see that agent-kvm runs here.',
        },
      )
    case 'address.add':
      return inside.addresses.add(change.dev, change.cidr)
    case 'address.del':
      return inside.addresses.del(change.dev, change.cidr)
    case 'gate.announce':
      await inside.sysctl.write(`net/ipv4/conf/${LAN}/arp_notify`, '1')
      return inside.links.set(LAN, { mac: change.mac })
    // the kernel tells all addresses of an interface when its MAC is set, to the same one too
    case 'leg.announce':
      return inside.links.set(change.dev, { mac: change.mac })
    case 'route.set':
      return inside.routes.replace(change.route)
    case 'rule.add':
      return host.routing.at(netns).add(change.rule)
    case 'rule.del':
      return host.routing.at(netns).del(change.rule)
  }
}

async function addLeg(host: Host, netns: string, leg: Extract<VipChange, { op: 'leg.add' }>): Promise<void> {
  const { name, peer, mac, router } = leg
  await host.ip.at().links.add({ kind: 'veth', name, alias: markOf(router), peer: { name: peer, mac, netns } })
  const { sysctl } = host.ip.at(netns)
  const of = (key: string) => `net/ipv4/conf/${peer}/${key}`
  // Who asks for an address (ARP) has no mark yet, so the strict check would look for him behind the uplink; rules check packets.
  await sysctl.write(of('rp_filter'), '2')
  // a flat router has no uplink: whoever sent a packet is behind the leg of its mark
  await sysctl.write(of('src_valid_mark'), '1')
  // each leg answers for its own addresses only
  await sysctl.write(of('arp_ignore'), '1')
  await sysctl.write(of('arp_notify'), '1')
}
