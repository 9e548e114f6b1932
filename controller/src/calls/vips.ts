/** Ports of VIPs, and which cards and EIPs could come together. Looks only. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { LISTENER, rowsBy } from '../workflows/load-balancer.rows.ts'
import { needReachable, rulesAt } from '../workflows/vip.check.ts'
import type { UseTable } from '../workflows/vip.uses.ts'
import { need } from '../workflows/world.ts'

/** As ZStack's. */
const PAGE = 1_000
const PORTS = 65_535

type Span = [from: number, to: number]
const spansOf = (graph: Graph, vip: unknown, protocol: unknown): Span[] =>
  [
    ...rulesAt(graph, vip, protocol).map((rule): Span => [rule['vipPortStart'] as number, rule['vipPortEnd'] as number]),
    ...(protocol === 'TCP' ? listenerPorts(graph, vip) : []),
  ].sort(([a], [b]) => a - b)

const listenerPorts = (graph: Graph, vip: unknown): Span[] =>
  [...graph.by('loadBalancer', 'vipUuid', vip)]
    .flatMap((lb) => rowsBy(graph, LISTENER, 'loadBalancerUuid', lb))
    .map(({ loadBalancerPort: at }): Span => [at as number, at as number])

function page(graph: Graph, table: 'vmNic' | 'eip', params: Row, is: (row: Readonly<Row>) => boolean): Row {
  const [start, limit] = [(params['start'] as number | undefined) ?? 0, (params['limit'] as number | undefined) ?? PAGE]
  const rows = [...graph.rows(table)].map(([, row]) => row).filter(is)
  return { inventories: rows.slice(start, start + limit).map((row) => render(graph, resources[table], row)) }
}

function reaches(graph: Graph, nic: Readonly<Row>, at: { vip: Readonly<Row>; table: UseTable; own?: unknown }): boolean {
  try {
    needReachable(graph, nic['uuid'], at)
    return true
  } catch (error) {
    if (error instanceof SkerryError) return false
    throw error
  }
}

function freePorts(graph: Graph, { vipUuid, protocolType, start = 0, limit = PAGE }: Row): number[] {
  const taken = spansOf(graph, vipUuid, protocolType)
  const free: number[] = []
  for (let port = 1, passed = 0; port <= PORTS && free.length < (limit as number); port++) {
    while (taken[0] && taken[0][1] < port) taken.shift()
    if (taken[0] && taken[0][0] <= port) port = taken[0][1]
    else if (passed++ >= (start as number)) free.push(port)
  }
  return free
}

/** Cards that the VIP of a use can be led to: in its own rows, and attached to no guest unless asked otherwise. */
function nicsFor(graph: Graph, use: Readonly<Row>, o: { table: UseTable; params: Row }): Row {
  const vip = need(graph, 'vip', o.params['vipUuid'] ?? use['vipUuid'])
  const { vmUuid, vmName } = o.params
  return page(graph, 'vmNic', o.params, (nic) => {
    const vm = graph.get('vmInstance', nic['vmInstanceUuid'] as string)
    const meant = (vmUuid === undefined || vm?.['uuid'] === vmUuid) && (vmName === undefined || vm?.['name'] === vmName)
    return meant && reaches(graph, nic, { vip, table: o.table, own: use['uuid'] })
  })
}

export const vipCalls = (graph: Graph): Record<string, (call: Call) => Row> => ({
  CheckVipPortAvailability: ({ params }) => {
    const vip = need(graph, 'vip', params['vipUuid'])
    const port = params['port'] as number
    const taken = spansOf(graph, vip['uuid'], params['protocolType']).some(([from, to]) => from <= port && port <= to)
    return { available: !taken && vip['useFor'] !== 'Eip' }
  },
  GetVipAvailablePort: ({ params }) => {
    const vip = need(graph, 'vip', params['vipUuid'])
    return { availablePort: vip['useFor'] === 'Eip' ? [] : freePorts(graph, params) }
  },
  GetVipUsedPorts: ({ params }) => {
    const vip = need(graph, 'vip', params['uuid'])
    const spans: Span[] = vip['useFor'] === 'Eip' ? [[1, PORTS]] : spansOf(graph, vip['uuid'], params['protocol'])
    const usedPorts = spans.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`))
    return { inventories: [{ uuid: vip['uuid'], protocol: params['protocol'], usedPorts }] }
  },
  GetEipAttachableVmNics: ({ params }) => nicsFor(graph, need(graph, 'eip', params['eipUuid']), { table: 'eip', params }),
  GetPortForwardingAttachableVmNics: ({ params }) =>
    nicsFor(graph, need(graph, 'portForwardingRule', params['ruleUuid']), { table: 'portForwardingRule', params: {} }),
  GetVmNicAttachableEips: ({ params }) => {
    const nic = need(graph, 'vmNic', params['vmNicUuid'])
    return page(graph, 'eip', params, (eip) => {
      const vip = graph.get('vip', eip['vipUuid'] as string)
      const free = eip['vmNicUuid'] === null && eip['state'] === 'Enabled' && vip?.['state'] === 'Enabled'
      return free && params['ipVersion'] !== 6 && reaches(graph, nic, { vip, table: 'eip', own: eip['uuid'] })
    })
  },
})
