/** What each agent's host should hold, told from the desired documents. Pure. */
import {
  besides,
  bridgeName,
  type ipsecDesired,
  type kvmDesired,
  type Row,
  routerLeg,
  routerNetns,
  routerPort,
  routerUplink,
  type storageDesired,
  storePath,
  type vrouterDesired,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { documentKeys, documentOf } from '../agents/documents.ts'

export interface Expected {
  kind: string
  id: string
  owner: string
  /** facts that must hold; each is compared by text */
  facts: Record<string, string>
  /** the VM that it is a part of */
  vm?: string
}

type Make = (uuid: string, spec: Row, graph: Graph) => Expected[]
const item = (kind: string, id: string, owner: string, facts: Record<string, string> = {}): Expected => ({
  kind,
  id,
  owner,
  facts,
})

const byNoun: Record<string, Make> = {
  bridge: (uuid) => [item('bridge', bridgeName(uuid), uuid)],
  vm: (uuid, spec, graph) => {
    const { power, nics, disks } = spec as unknown as kvmDesired.VmSpec
    // A guest that was paused or has panicked is known to be so, and left.
    const state = String(graph.get('vmInstance', uuid)?.['state'])
    const seen = ['Paused', 'Crashed'].includes(state) ? state : power.state
    const taps = power.state === 'Running' ? nics.map((nic) => ({ ...item('tap', nic.tap, nic.nicUuid), vm: uuid })) : []
    return [item('domain', uuid, uuid, { power: seen, disks: disks.map((disk) => disk.path).join(',') }), ...taps]
  },
  pool: (uuid, spec, graph) => {
    const { path, kind } = spec as unknown as storageDesired.PoolSpec
    return [item('pool', path, uuid), ...(kind === 'image-store' ? imagesIn(graph, uuid, path) : [])]
  },
  iso: (_uuid, spec) => {
    const { cachePath, sha256 } = spec as unknown as storageDesired.IsoSpec
    return [item('cache-file', cachePath, sha256)]
  },
  volume: (uuid, spec) => {
    const { path, backing, layers = [], next } = spec as unknown as storageDesired.VolumeSpec
    const files = [...layers, ...(next ? [next] : [])].map(({ file }) => item('volume-file', besides(path, file), uuid))
    return [
      item('volume-file', path, uuid),
      ...files,
      ...(backing ? [item('cache-file', backing.cachePath, backing.sha256)] : []),
    ]
  },
  router: (uuid, spec) => {
    const { services, cidrs, uplink, networks, flat } = spec as unknown as vrouterDesired.RouterSpec
    if (networks) return vpcItems(uuid, networks)
    return [
      item('netns', routerNetns(uuid), uuid),
      item('router-port', routerPort(uuid), uuid),
      ...(flat ? [item('flat-port', routerPort(uuid), uuid)] : []),
      ...(uplink ? [item('router-uplink', routerUplink(uuid), uuid)] : []),
      ...(services.snat ? cidrs.map(({ cidr }) => item('snat', `${uuid}/${cidr}`, uuid)) : []),
      ...(services.dhcp || services.dns ? [item('dnsmasq', uuid, uuid)] : []),
    ]
  },
  lease: (uuid, spec) => {
    const { mac, ip, routerUuid } = spec as unknown as vrouterDesired.LeaseSpec
    return [item('dhcp-host', mac, uuid, { ip, router: routerUuid })]
  },
  metadata: (uuid, spec) => {
    const { routerUuid, mac, ip } = spec as unknown as vrouterDesired.MetadataSpec
    return [item('metadata', `${routerUuid}/${ip}`, uuid, { ip, mac }), item('lighttpd', routerUuid, routerUuid)]
  },
  balancer: (uuid) => [item('balancer', uuid, uuid), item('haproxy', uuid, uuid)],
  vip: (uuid, spec) => {
    const { routerUuid, l3NetworkUuid, ip } = spec as unknown as vrouterDesired.VipSpec
    return [
      item('vip', `${routerUuid}/${ip}`, uuid, { ip }),
      item('router-leg', routerLeg(routerUuid, l3NetworkUuid), routerUuid),
    ]
  },
  ipsec: (uuid, spec) => {
    const { routerUuid, ip, peerAddress } = spec as unknown as ipsecDesired.IpsecSpec
    return [item('ipsec', `${routerUuid}/${ip}-${peerAddress}`, uuid), item('charon', routerUuid, routerUuid)]
  },
}

function vpcItems(uuid: string, networks: NonNullable<vrouterDesired.RouterSpec['networks']>): Expected[] {
  const served = networks.some(({ services }) => services.dhcp || services.dns)
  return [
    item('netns', routerNetns(uuid), uuid),
    ...networks.map(({ l3NetworkUuid }) => item('router-port', routerPort(l3NetworkUuid), uuid)),
    ...networks.flatMap(({ services, cidrs }) =>
      services.snat ? cidrs.map(({ cidr }) => item('snat', `${uuid}/${cidr}`, uuid)) : [],
    ),
    ...(served ? [item('dnsmasq', uuid, uuid)] : []),
  ]
}

/** Images whose bytes an image store must have: one blob a content, one reference an image. */
function imagesIn(graph: Graph, storeUuid: string, path: string): Expected[] {
  const found = new Map<string, Expected>()
  for (const [uuid, image] of graph.rows('image')) {
    const here = (image['backupStorageRefs'] as { backupStorageUuid: string; status: string }[]).some(
      (r) => r.backupStorageUuid === storeUuid && r.status === 'Ready',
    )
    if (!here || typeof image['sha256'] !== 'string') continue
    const blob = storePath(path, image['sha256'], image['format'] as string)
    found.set(blob, item('image-file', blob, image['sha256']))
    found.set(uuid, item('image-ref', `${path}/refs/${uuid}.json`, uuid))
  }
  return [...found.values()]
}

/** Everything that the agent's host should hold of ours, without repeats. */
export function expectedOn(graph: Graph, agentUuid: string): Expected[] {
  const found = new Map<string, Expected>()
  for (const key of documentKeys(graph, agentUuid)) {
    const document = documentOf(graph, key)
    if (!document || 'tombstone' in document) continue
    for (const e of byNoun[document.noun]?.(document.uuid, document.spec, graph) ?? []) found.set(`${e.kind}/${e.id}`, e)
  }
  return [...found.values()]
}
