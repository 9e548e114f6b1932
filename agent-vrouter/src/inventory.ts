/** Everything on this host that carries our mark, also what nobody wants: what `audit` compares with the graph. Only reads. */
import { type InventoryItem, routerLeg, routerNetns, routerPort, routerUplink } from '@skerry/contract'
import { type Host, ownerOf } from '@skerry/host'
import { balancerDir, balancersDir } from './balancers/spec.ts'
import { charonDir, ipsecRecords } from './ipsec/records.ts'
import { Folders } from './leases/folder.ts'
import { readRecords as readMetadata } from './metadata/records.ts'
import { bridgeTable } from './routers/flat.ts'
import type { RouterPorts } from './routers/observe.ts'
import { ROUTER_TABLE, SNAT_SOURCES, sourceOf, UPLINKS, uplinkOf } from './routers/rules.ts'
import { routerDir, routersDir } from './routers/service.ts'
import { readRecords } from './vips/records.ts'

type Ports = Pick<RouterPorts, 'host' | 'stateDir' | 'hostTable'>

const item = (kind: string, id: string, owner: string | null, facts: Record<string, unknown> = {}): InventoryItem => ({
  kind,
  id,
  owner,
  facts,
})

export async function inventory(ports: Ports): Promise<InventoryItem[]> {
  const namespaces = (await ports.host.ip.netns.list()).flatMap((name) => /^skerry-([0-9a-f]{32})$/.exec(name)?.[1] ?? [])
  const folders = (await ports.host.files.list(routersDir(ports.stateDir))) ?? []
  const [links, daemons, ...parts] = await Promise.all([
    linkItems(ports),
    daemonItems(ports),
    ...namespaces.map((uuid) => snatItems(ports, uuid)),
    ...folders.map((uuid) => leaseItems(ports, uuid)),
    vipItems(ports),
    ipsecItems(ports),
    balancerItems(ports),
    metadataItems(ports),
    flatItems(ports),
  ])
  return [
    ...namespaces.map((uuid) => item('netns', routerNetns(uuid), uuid)),
    ...links,
    ...daemons,
    ...parts.flat(),
    ...folders
      .filter((uuid) => !namespaces.includes(uuid))
      .map((uuid) => item('router-folder', routerDir(ports.stateDir, uuid), uuid)),
  ]
}

/** Names as the contract gives them, whether the alias stands or not; and addresses of uplinks that are gone. */
async function linkItems({ host, hostTable }: Ports): Promise<InventoryItem[]> {
  const [links, elements] = await Promise.all([
    host.ip.at().links.list(),
    host.nft.at().elements({ family: 'inet', table: hostTable, name: UPLINKS, kind: 'set' }),
  ])
  const kinds = { [routerPort('')]: 'router-port', [routerUplink('')]: 'router-uplink', [routerLeg('', '')]: 'router-leg' }
  const found = links.flatMap(({ name, alias }) => {
    const kind = kinds[name.slice(0, 4)]
    return kind ? [item(kind, name, ownerOf(alias))] : []
  })
  const left = (elements ?? [])
    .flatMap((element) => uplinkOf(element) ?? [])
    .filter(({ ifname }) => !links.some((link) => link.name === ifname))
  return [...found, ...left.map(({ ifname, ip }) => item('router-uplink', ifname, null, { ip }))]
}

/** By command line, so that one whose pid file is lost is found too. */
async function daemonItems({ host, stateDir }: Ports): Promise<InventoryItem[]> {
  const seen = new Set<string>()
  const prefix = `--conf-file=${routersDir(stateDir)}/`
  return (await host.process.list()).flatMap(({ pid, cmdline }) => {
    const conf = cmdline.find((arg) => arg.startsWith(prefix))
    if (conf === undefined) return []
    const uuid = conf.slice(prefix.length).split('/')[0] ?? ''
    const id = seen.has(uuid) ? `${uuid}#${pid}` : uuid
    seen.add(uuid)
    return [item('dnsmasq', id, uuid, { pid })]
  })
}

async function snatItems({ host }: Ports, uuid: string): Promise<InventoryItem[]> {
  const elements = await host.nft
    .at(routerNetns(uuid))
    .elements({ family: ROUTER_TABLE.family, table: ROUTER_TABLE.name, name: SNAT_SOURCES, kind: 'set' })
  return (elements ?? []).map((element) => item('snat', `${uuid}/${sourceOf(element) ?? JSON.stringify(element)}`, uuid))
}

async function leaseItems({ host, stateDir }: Ports, router: string): Promise<InventoryItem[]> {
  const { lines, leases } = await new Folders(host.files).read(routerDir(stateDir, router))
  const ownerOfIp = new Map(lines.map(({ ip, mac, uuid }) => [`${ip} ${mac}`, uuid]))
  return [
    ...lines.map(({ uuid, mac, ip }) => item('dhcp-host', mac, uuid, { ip, router })),
    ...leases.map(({ mac, ip }) => item('dhcp-lease', `${router}/${ip}`, ownerOfIp.get(`${ip} ${mac}`) ?? null, { mac })),
  ]
}

/** As they were made; what the kernel has of them is put right by the next pass. */
async function vipItems({ host, stateDir }: Ports): Promise<InventoryItem[]> {
  const records = await readRecords(host.files, stateDir)
  return [...records].flatMap(([uuid, made]) =>
    made.map(({ routerUuid, spec }) => item('vip', `${routerUuid}/${spec.ip}`, uuid, { ip: spec.ip })),
  )
}

/** As with VIPs; and the server, where it runs. */
async function metadataItems({ host, stateDir }: Ports): Promise<InventoryItem[]> {
  const records = await readMetadata(host.files, stateDir)
  const folders = (await host.files.list(routersDir(stateDir))) ?? []
  const running = await Promise.all(folders.map((uuid) => host.lighttpd.running(routerDir(stateDir, uuid))))
  return [
    ...[...records].flatMap(([uuid, made]) =>
      made.map(({ router, ip, mac }) => item('metadata', `${router}/${ip}`, uuid, { ip, mac })),
    ),
    ...folders.flatMap((uuid, n) => (running[n] ? [item('lighttpd', uuid, uuid, { pid: running[n].pid })] : [])),
  ]
}

/** What keeps flat routers to their own host. */
async function flatItems({ host, hostTable }: Ports): Promise<InventoryItem[]> {
  const [links, ports] = await Promise.all([
    host.ip.at().links.list(),
    host.nft.at().elements({ family: bridgeTable(hostTable).family, table: hostTable, name: 'ports', kind: 'set' }),
  ])
  return (ports ?? []).map((port) => {
    const link = links.find(({ name }) => name === port)
    return item('flat-port', String(port), link ? ownerOf(link.alias) : null)
  })
}

/** By folder, whether its process runs or not. */
async function balancerItems({ host, stateDir }: Ports): Promise<InventoryItem[]> {
  const uuids = (await host.files.list(balancersDir(stateDir))) ?? []
  const items = uuids.map(async (uuid): Promise<InventoryItem[]> => {
    const running = await host.haproxy.running(balancerDir(stateDir, uuid))
    return [item('balancer', uuid, uuid), ...(running ? [item('haproxy', uuid, uuid, { pid: running.pid })] : [])]
  })
  return (await Promise.all(items)).flat()
}

/** By command line, as daemons are; and what was made of each. `esp`: who does ESP there. */
async function ipsecItems({ host, stateDir }: Ports): Promise<InventoryItem[]> {
  const prefix = `--conf=${routersDir(stateDir)}/`
  const running = (await host.process.list()).flatMap(({ pid, cmdline }) => {
    const conf = cmdline.includes('charon-systemd') ? cmdline.find((arg) => arg.startsWith(prefix)) : undefined
    return conf === undefined ? [] : [{ uuid: conf.slice(prefix.length).split('/')[0] ?? '', pid }]
  })
  const daemons = await Promise.all(
    running.map(async ({ uuid, pid }) => item('charon', uuid, uuid, { pid, esp: await espOf(host, charonDir(stateDir, uuid)) })),
  )
  const records = await ipsecRecords.read(host.files, stateDir)
  const tunnels = [...records].flatMap(([uuid, made]) =>
    made.map(({ routerUuid, spec }) => item('ipsec', `${routerUuid}/${spec.ip}-${spec.peerAddress}`, uuid)),
  )
  return [...daemons, ...tunnels]
}

/** Null: it doesn't answer. */
async function espOf(host: Pick<Host, 'charon'>, dir: string): Promise<string | null> {
  try {
    return (await host.charon.at(dir).look()).esp
  } catch {
    return null
  }
}
