/** A load balancer with listeners → the router of its servers' network, with all that haproxy has to know. */
import type { balancerDesired, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { networksOfAcl } from '../place/acl-networks.ts'
import { ACL_REF, CERTIFICATE_REF, GROUP_REF, LB, LISTENER, NIC_REF, rowsBy, SERVER_IP } from '../workflows/load-balancer.rows.ts'
import { partsOf, type Settings, settingsOf } from '../workflows/load-balancer.settings.ts'
import type { Projection } from './projection.ts'
import { routerOf } from './router.ts'

type Listener = balancerDesired.BalancerListener

const EVERYBODY = '0.0.0.0/0'

/** Those that can answer: one that speaks https needs a certificate. */
const listenersOf = (graph: Graph, lb: string): Readonly<Row>[] =>
  rowsBy(graph, LISTENER, 'loadBalancerUuid', lb).filter(
    (l) => l['protocol'] !== 'https' || graph.countBy(CERTIFICATE_REF, 'listenerUuid', l['uuid']) > 0,
  )

/** Agents of the router that has it; none: it is disabled, or has no servers yet, or nobody would answer. */
export function balancerAgents(graph: Graph, uuid: string): string[] {
  const lb = graph.get(LB, uuid)
  const vip = graph.get('vip', (lb?.['vipUuid'] as string | undefined) ?? '')
  const l3 = graph.get('l3Network', (vip?.['servedL3Uuid'] as string | null) ?? '')
  const agent = l3?.['routerAgentUuid']
  if (lb?.['state'] !== 'Enabled' || vip?.['state'] !== 'Enabled' || typeof agent !== 'string') return []
  return graph.get('agent', agent) &&
    graph.get('l3Network', vip['l3NetworkUuid'] as string) &&
    listenersOf(graph, uuid).length > 0
    ? [agent]
    : []
}

/** Servers behind a listener, each once: a card that is in two of its groups counts in the first. */
function serversOf(graph: Graph, listener: Readonly<Row>, algorithm: string): Listener['servers'] {
  const found = new Map<string, Listener['servers'][number]>()
  const port = listener['instancePort'] as number
  // only the weighted form asks for weights; 0 is nobody's share in each
  const share = (ref: Readonly<Row>) => {
    const weight = ref['weight'] as number
    return algorithm === 'weightroundrobin' || weight === 0 ? weight : 100
  }
  for (const { serverGroupUuid } of rowsBy(graph, GROUP_REF, 'listenerUuid', listener['uuid'])) {
    for (const ref of rowsBy(graph, NIC_REF, 'serverGroupUuid', serverGroupUuid)) {
      const nic = graph.get('vmNic', ref['vmNicUuid'] as string)
      const ip = nic?.['ip'] as string | null | undefined
      if (nic && ip && !found.has(ip)) found.set(ip, { uuid: nic['uuid'] as string, ip, port, weight: share(ref) })
    }
    for (const ref of rowsBy(graph, SERVER_IP, 'serverGroupUuid', serverGroupUuid)) {
      const ip = ref['ipAddress'] as string
      if (!found.has(ip)) found.set(ip, { uuid: ref['uuid'] as string, ip, port, weight: share(ref) })
    }
  }
  return [...found.values()]
}

/** `http_2xx,http_3xx` as haproxy's ranges. */
const statusesOf = (codes: string) => codes.split(',').map((code) => `${code[5]}00-${code[5]}99`)

function healthOf(s: Settings): Listener['health'] {
  if (s.healthCheckTarget === 'none') return null
  const [kind, port] = s.healthCheckTarget.split(':') as ['tcp' | 'http', string]
  const { method, path, codes } = partsOf(s.healthCheckParameter)
  return {
    ...{ kind, port: port === 'default' ? null : Number(port), method, path, statuses: statusesOf(codes) },
    intervalSeconds: Number(s.healthCheckInterval),
    timeoutSeconds: Number(s.healthCheckTimeout),
    healthyThreshold: Number(s.healthyThreshold),
    unhealthyThreshold: Number(s.unhealthyThreshold),
  }
}

function persistenceOf(s: Settings, protocol: unknown): Listener['persistence'] {
  if (s.sessionPersistence === 'disable') return null
  // tcp has no cookies: a tag may say so all the same
  if (s.sessionPersistence === 'iphash' || protocol === 'tcp') return { by: 'source' }
  const how = s.sessionPersistence as 'insert' | 'rewrite'
  return { by: 'cookie', name: s.cookieName, how, idleSeconds: Number(s.sessionIdleTimeout) }
}

const TLS: Readonly<Record<string, NonNullable<Listener['tls']>>> = {
  tls_cipher_policy_1_0: { min: 'TLSv1.0', max: 'TLSv1.3' },
  tls_cipher_policy_1_1: { min: 'TLSv1.1', max: 'TLSv1.3' },
  tls_cipher_policy_1_2_strict: { min: 'TLSv1.2', max: 'TLSv1.2' },
}
const TLS_DEFAULT: NonNullable<Listener['tls']> = { min: 'TLSv1.2', max: 'TLSv1.3' }

function listenerSpec(graph: Graph, row: Readonly<Row>): Listener {
  const s = settingsOf(graph, row['uuid'])
  const acls = s.accessControlStatus === 'enable' ? rowsBy(graph, ACL_REF, 'listenerUuid', row['uuid']) : []
  const networks = (type: string) =>
    acls.filter((ref) => ref['type'] === type).flatMap((ref) => networksOfAcl(graph, ref['aclUuid']))
  const [ref] = rowsBy(graph, CERTIFICATE_REF, 'listenerUuid', row['uuid'])
  const certificate = ref && graph.get('certificate', ref['certificateUuid'] as string)
  return {
    uuid: row['uuid'] as string,
    protocol: row['protocol'] as Listener['protocol'],
    port: row['loadBalancerPort'] as number,
    algorithm: (s.balancerAlgorithm === 'weightroundrobin' ? 'roundrobin' : s.balancerAlgorithm) as Listener['algorithm'],
    idleSeconds: Number(s.connectionIdleTimeout),
    maxConnections: Number(s.maxConnection),
    httpMode: s.httpMode as Listener['httpMode'],
    persistence: persistenceOf(s, row['protocol']),
    health: healthOf(s),
    allow: acls.some((one) => one['type'] === 'white') ? [...new Set(networks('white'))] : [EVERYBODY],
    deny: [...new Set(networks('black'))],
    certificate: certificate ? { uuid: certificate['uuid'] as string, fingerprint: certificate['fingerprint'] as string } : null,
    tls: row['protocol'] === 'https' ? (TLS[row['securityPolicyType'] as string] ?? TLS_DEFAULT) : null,
    servers: serversOf(graph, row, s.balancerAlgorithm),
  }
}

const ofListener = (graph: Graph, listener: unknown): string[] =>
  [graph.get(LISTENER, listener as string)?.['loadBalancerUuid'] as string | undefined].flatMap((uuid) => uuid ?? [])
const ofGroup = (graph: Graph, group: unknown): string[] =>
  [graph.get('loadBalancerServerGroup', group as string)?.['loadBalancerUuid'] as string | undefined].flatMap(
    (uuid) => uuid ?? [],
  )
const byListener = (row: Row, graph: Graph) => ofListener(graph, row['listenerUuid'])
const byGroup = (row: Row, graph: Graph) => ofGroup(graph, row['serverGroupUuid'])
const ofVips = (graph: Graph, vips: Iterable<string>) => [...vips].flatMap((vip) => [...graph.by(LB, 'vipUuid', vip)])

export const balancers: Projection = {
  noun: 'balancer',
  kind: 'vrouter',
  touchedBy: {
    loadBalancer: (row) => [row['uuid'] as string],
    loadBalancerListener: (row) => [row['loadBalancerUuid'] as string],
    loadBalancerServerGroup: (row) => [row['loadBalancerUuid'] as string],
    loadBalancerServerGroupVmNicRef: byGroup,
    loadBalancerServerGroupServerIp: byGroup,
    loadBalancerListenerServerGroupRef: byListener,
    loadBalancerListenerACLRef: byListener,
    loadBalancerListenerCertificateRef: byListener,
    accessControlListEntry: (row, graph) =>
      rowsBy(graph, ACL_REF, 'aclUuid', row['aclUuid']).flatMap((ref) => ofListener(graph, ref['listenerUuid'])),
    tag: (row, graph) => (row['resourceType'] === 'LoadBalancerListenerVO' ? ofListener(graph, row['resourceUuid']) : []),
    vmNic: (row, graph) =>
      rowsBy(graph, NIC_REF, 'vmNicUuid', row['uuid']).flatMap((ref) => ofGroup(graph, ref['serverGroupUuid'])),
    vip: (row, graph) => ofVips(graph, [row['uuid'] as string]),
    l3Network: (row, graph) => [
      ...ofVips(graph, graph.by('vip', 'servedL3Uuid', row['uuid'])),
      ...ofVips(graph, graph.by('vip', 'l3NetworkUuid', row['uuid'])),
    ],
  },
  agents: balancerAgents,
  spec(graph, uuid): Row {
    const lb = graph.get(LB, uuid)! as Row
    const vip = graph.get('vip', lb['vipUuid'] as string)! as Row
    const spec: balancerDesired.BalancerSpec = {
      routerUuid: routerOf(graph, vip['servedL3Uuid'] as string),
      ip: vip['ip'] as string,
      listeners: listenersOf(graph, uuid).map((row) => listenerSpec(graph, row)),
    }
    return spec
  },
}
