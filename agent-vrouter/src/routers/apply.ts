/** Carries out one change of a router. Decides nothing. */
import { routerNetns, SkerryError } from '@skerry/contract'
import { buildTable, dnsmasqFiles, type Host, markOf, moveElements, type NftCommand, nftables } from '@skerry/host'
import { charonDir } from '../ipsec/records.ts'
import { bridgeShape, bridgeTable, type FlatSets, flatShape, NO_SETS, toElements } from './flat.ts'
import type { RouterChange } from './have.ts'
import type { RouterPorts } from './observe.ts'
import { hostShape, ROUTER_TABLE, routerShape, SNAT_SOURCES, toSource, toUplink, UP, UPLINKS } from './rules.ts'
import { routerDir, servedPath, servedText } from './service.ts'

type Of<Op extends RouterChange['op']> = Extract<RouterChange, { op: Op }>

export async function apply(ports: RouterPorts, change: RouterChange): Promise<void> {
  switch (change.op) {
    case 'rules.make':
    case 'rules.move':
    case 'host.rules.make':
    case 'host.rules.move':
    case 'host.rules.drop':
      return applyRules(ports, change)
    case 'flat.make':
    case 'flat.move':
    case 'flat.drop':
      return ports.host.nft.at().apply(flatCommands(ports.hostTable, change))
    case 'service.write':
    case 'service.start':
    case 'service.stop':
    case 'service.reload':
    case 'service.forget':
    case 'service.kill':
    case 'folder.remove':
      return applyService(ports, change)
    default:
      return applyNetwork(ports, change)
  }
}

type RuleChange = Of<'rules.make' | 'rules.move' | 'host.rules.make' | 'host.rules.move' | 'host.rules.drop'>
type ServiceChange = Of<
  'service.write' | 'service.start' | 'service.stop' | 'service.reload' | 'service.forget' | 'service.kill' | 'folder.remove'
>
type FlatChange = Of<'flat.make' | 'flat.move' | 'flat.drop'>
type NetworkChange = Exclude<RouterChange, RuleChange | ServiceChange | FlatChange>

/** One transaction. */
async function applyRules({ host, hostTable }: RouterPorts, change: RuleChange): Promise<void> {
  const shape = hostShape(hostTable)
  const commands = (): { netns?: string; commands: NftCommand[] } => {
    switch (change.op) {
      case 'rules.make':
        return {
          netns: routerNetns(change.uuid),
          commands: buildTable(change.flat ? flatShape : routerShape, { [SNAT_SOURCES]: change.sources.map(toSource) }),
        }
      case 'rules.move': {
        const move = { add: change.add.map(toSource), remove: change.remove.map(toSource) }
        return { netns: routerNetns(change.uuid), commands: moveElements(ROUTER_TABLE, SNAT_SOURCES, move) }
      }
      case 'host.rules.make':
        return { commands: buildTable(shape, { [UPLINKS]: change.uplinks.map(toUplink) }) }
      case 'host.rules.move':
        return {
          commands: moveElements(shape.table, UPLINKS, { add: change.add.map(toUplink), remove: change.remove.map(toUplink) }),
        }
      case 'host.rules.drop':
        return { commands: nftables.dropTable(shape.table) }
    }
  }
  const { netns, commands: transaction } = commands()
  await host.nft.at(netns).apply(transaction)
}

function flatCommands(hostTable: string, change: FlatChange): NftCommand[] {
  switch (change.op) {
    case 'flat.make':
      return buildTable(bridgeShape(hostTable), toElements(change.sets))
    case 'flat.drop':
      return nftables.dropTable(bridgeTable(hostTable))
    case 'flat.move': {
      const [add, remove] = [change.add, change.remove].map((sets) => toElements({ ...NO_SETS, ...sets }))
      const names: (keyof FlatSets)[] = ['ports', 'gates']
      return names.flatMap((name) => moveElements(bridgeTable(hostTable), name, { add: add![name], remove: remove![name] }))
    }
  }
}

async function applyNetwork({ host, stateDir }: RouterPorts, change: NetworkChange): Promise<void> {
  const netns = routerNetns(change.uuid)
  const { ip } = host
  const scope = (at: 'router' | 'host') => ip.at(at === 'router' ? netns : undefined)
  switch (change.op) {
    case 'netns.add':
      // the folder is also the note that this namespace is of this agent's making
      await host.files.makeDir(routerDir(stateDir, change.uuid), 0o755)
      // one that is left over is in another namespace, which has gone
      await host.charon.stop(charonDir(stateDir, change.uuid))
      return ip.netns.add(netns)
    case 'netns.del':
      // it would keep the namespace alive
      await host.charon.stop(charonDir(stateDir, change.uuid))
      return ip.netns.del(netns)
    case 'veth.add': {
      const { uuid, name, peer, mac, mtu } = change
      return ip.at().links.add({ kind: 'veth', name, mtu, alias: markOf(uuid), peer: { name: peer, mac, netns } })
    }
    case 'veth.del':
      return scope(change.at).links.del(change.name)
    case 'link.set':
      return scope(change.at).links.set(change.name, change.set)
    case 'address.add':
      return scope(change.at).addresses.add(change.dev, change.cidr)
    case 'address.del':
      return scope(change.at).addresses.del(change.dev, change.cidr)
    case 'sysctl.set':
      return ip.at(netns).sysctl.write(change.key, change.value)
    case 'route.default':
      return ip.at(netns).routes.replace({ dst: 'default', via: change.via, dev: UP })
    case 'host.forward':
      return switchOnForwarding(host, { stateDir, before: change.before })
    case 'port.attach':
      return ip.at().links.set(change.port, { master: change.bridge })
    case 'port.await':
      throw new SkerryError(
        'host-command-failed',
        `the bridge ${change.bridge} is not there yet; the router is ready and joins it when agent-kvm has made it`,
        {
          bridge: change.bridge,
          remedy: 'See that agent-kvm runs on this host and that its cluster has the L2 network.',
        },
      )
  }
}

/** `{"ipForward": "0"}`: what `net.ipv4.ip_forward` was before any router; a purge restores it. */
export const hostStatePath = (stateDir: string) => `${stateDir}/host.json`

async function switchOnForwarding(host: Host, { stateDir, before }: { stateDir: string; before: string }): Promise<void> {
  const path = hostStatePath(stateDir)
  // the first value counts: later ones may be somebody's answer to ours
  if ((await host.files.read(path)) === undefined) await host.files.write(path, `${JSON.stringify({ ipForward: before })}\n`)
  await host.ip.at().sysctl.write('net/ipv4/ip_forward', '1')
}

async function applyService(ports: RouterPorts, change: ServiceChange): Promise<void> {
  const { host, stateDir, onServing } = ports
  const dir = routerDir(stateDir, change.uuid)
  const instance = { dir, netns: routerNetns(change.uuid) }
  const { dnsmasq, files } = host
  switch (change.op) {
    case 'service.write': {
      await files.makeDir(dir, 0o755)
      const { conf, hosts, names } = dnsmasqFiles(dir)
      for (const path of [hosts, names]) if ((await files.read(path)) === undefined) await files.write(path, '')
      return files.write(conf, change.conf)
    }
    case 'service.start':
      await noting(host, dir, () => dnsmasq.start(instance))
      return onServing?.(change.uuid)
    case 'service.stop':
      return dnsmasq.stop(dir)
    case 'service.reload':
      return noting(host, dir, () => dnsmasq.reload(dir))
    case 'service.forget':
      // not noted: nothing starts anew if the leases have ended meanwhile
      return dnsmasq.forget(instance, change.addresses)
    case 'service.kill':
      await host.process.signal(change, 'SIGTERM')
      return void (await host.process.waitGone(change, 3_000))
    case 'folder.remove':
      // its own documents end it; one that nobody knows of would be left in a namespace without a name
      await host.lighttpd.stop(dir)
      return files.remove(dir)
  }
}

/** Notes what dnsmasq reads in `act`: the texts of before it, so that a write in between is told again rather than lost. */
export async function noting({ files }: Pick<Host, 'files'>, dir: string, act: () => Promise<void>): Promise<void> {
  const paths = dnsmasqFiles(dir)
  const [conf = '', hosts = '', names = ''] = await Promise.all(
    [paths.conf, paths.hosts, paths.names].map((path) => files.read(path)),
  )
  await act()
  await files.write(servedPath(dir), servedText({ conf, hosts, names }))
}
