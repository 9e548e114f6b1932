/** What each agent's host should hold, told from the desired documents. Pure. */
import {
  bridgeName,
  type kvmDesired,
  type Row,
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
  vm: (uuid, spec) => {
    const { power, nics } = spec as unknown as kvmDesired.VmSpec
    const taps = power.state === 'Running' ? nics.map((nic) => item('tap', nic.tap, nic.nicUuid)) : []
    return [item('domain', uuid, uuid, { power: power.state }), ...taps]
  },
  pool: (uuid, spec, graph) => {
    const { path, kind } = spec as unknown as storageDesired.PoolSpec
    return [item('pool', path, uuid), ...(kind === 'image-store' ? imagesIn(graph, uuid, path) : [])]
  },
  volume: (uuid, spec) => {
    const { path, backing } = spec as unknown as storageDesired.VolumeSpec
    return [item('volume-file', path, uuid), ...(backing ? [item('cache-file', backing.cachePath, backing.sha256)] : [])]
  },
  router: (uuid, spec) => {
    const { services, cidrs, uplink } = spec as unknown as vrouterDesired.RouterSpec
    return [
      item('netns', routerNetns(uuid), uuid),
      item('router-port', routerPort(uuid), uuid),
      ...(uplink ? [item('router-uplink', routerUplink(uuid), uuid)] : []),
      ...(services.snat ? cidrs.map(({ cidr }) => item('snat', `${uuid}/${cidr}`, uuid)) : []),
      ...(services.dhcp || services.dns ? [item('dnsmasq', uuid, uuid)] : []),
    ]
  },
  lease: (uuid, spec) => {
    const { mac, ip, routerUuid } = spec as unknown as vrouterDesired.LeaseSpec
    return [item('dhcp-host', mac, uuid, { ip, router: routerUuid })]
  },
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
