/**
 * Giving up a host that never comes back. What was only there is lost: VMs with their disks go out of the graph, and their addresses
 * are free. Its agents are shut out in the same commit, so that a host that comes back after all can't take part under its old name:
 * what it still runs, it runs for nobody here (DECISIONS.md).
 */
import { type Fact, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { secretIds } from '../engine/secret-params.ts'
import { revocation } from '../keys/index.ts'
import { dropOrphans } from '../orphans/find.ts'
import { dropDrives } from './cdrom.rows.ts'
import { input } from './input.ts'
import { dropParts } from './storage-parts.ts'
import { dropNics } from './vm.rows.ts'
import { dropSnapshots } from './volume.rows.ts'
import { standStill } from './vpc.rows.ts'
import { type Action, afterwards, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const keysOf = (graph: Graph, table: string, field: string, value: unknown) => [...graph.by(table, field, value)].sort()

/** VMs that can't be without this host: it runs them, ran them last, or holds a disk of theirs. */
function vmsOn(graph: Graph, hostUuid: string): Row[] {
  const disks = keysOf(graph, 'volume', 'localHostUuid', hostUuid).map((k) => graph.get('volume', k)?.['vmInstanceUuid'])
  const keys = new Set([
    ...keysOf(graph, 'vmInstance', 'hostUuid', hostUuid),
    ...keysOf(graph, 'vmInstance', 'lastHostUuid', hostUuid),
    ...disks.filter((k): k is string => typeof k === 'string'),
  ])
  return [...keys].map((k) => graph.get('vmInstance', k) as Row | undefined).filter((vm) => vm !== undefined)
}

/** What a dry run names: everything with a name that will be gone. */
export function lostWith(graph: Graph, hostUuid: string): { resource: string; uuid: string; name?: string; action: string }[] {
  const line = (resource: string) => (row: Readonly<Row>) => {
    const name = row['name'] as string | undefined
    return { resource, uuid: row['uuid'] as string, ...(name ? { name } : {}), action: 'lose' }
  }
  const rows = (table: string, field: string) => keysOf(graph, table, field, hostUuid).map((k) => graph.get(table, k)!)
  return [
    ...rows('volume', 'localHostUuid').map(line('volume')),
    ...vmsOn(graph, hostUuid).map(line('vmInstance')),
    ...rows('orphan', 'hostUuid').map(line('orphan')),
    ...rows('agent', 'hostUuid').map(line('agent')),
    ...[graph.get('host', hostUuid)!].map(line('host')),
  ]
}

function needLost(graph: Graph, hostUuid: string): void {
  const host = need(graph, 'host', hostUuid)
  if (host['status'] !== 'Disconnected')
    throw new SkerryError('illegal-state', `host ${host['name']} is ${host['status']}: only one that is silent can be given up`, {
      uuid: hostUuid,
      state: host['status'],
      allowed: ['Disconnected'],
    })
  const agents = keysOf(graph, 'agent', 'hostUuid', hostUuid)
  const stores = agents.flatMap((k) => keysOf(graph, 'backupStorage', 'agentUuid', k)).map((k) => graph.get('backupStorage', k)!)
  if (stores.length > 0) {
    const named = stores.map((s) => s['name']).join(', ')
    const users = stores.map((s) => ({ resource: 'backupStorage', uuid: s['uuid'], name: s['name'] }))
    throw new SkerryError(
      'in-use',
      `image store ${named} was on host ${host['name']}: delete it first, its images are lost with it`,
      {
        users,
      },
    )
  }
}

/** Networks whose router was there get another one when their next VM starts. */
function freeRouters(graph: Graph, agentUuid: string): Op[] {
  const uplinks = [...graph.rows('routerUplink')].filter(([, row]) => row['agentUuid'] === agentUuid)
  const l3s = [...graph.rows('l3Network')].filter(([, row]) => row['routerAgentUuid'] === agentUuid)
  return [
    ...uplinks.map(([k]): Op => ({ o: 'del', t: 'routerUplink', k })),
    ...l3s.map(([k]): Op => ({ o: 'set', t: 'l3Network', k, v: { routerAgentUuid: null, routerUplink: null } })),
  ]
}

function agentOps(graph: Graph, agentUuid: string, now: number): Op[] {
  const agent = graph.get('agent', agentUuid) as Row
  return [
    ...freeRouters(graph, agentUuid),
    ...[...graph.by('vpcRouter', 'agentUuid', agentUuid)].flatMap((k) => standStill(graph, k)),
    ...keysOf(graph, 'desired', 'agentUuid', agentUuid).map((k): Op => ({ o: 'del', t: 'desired', k })),
    ...(graph.get('reunion', agentUuid) ? [{ o: 'del' as const, t: 'reunion', k: agentUuid }] : []),
    ...(agent['revokedDate'] ? [] : [revocation(agent, now)]),
    { o: 'del', t: 'agent', k: agentUuid },
  ]
}

function loss(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const uuid = ctx.input.uuid
  const host = need(graph, 'host', uuid)
  const vms = vmsOn(graph, uuid)
  const nics = vms.flatMap((vm) => keysOf(graph, 'vmNic', 'vmInstanceUuid', vm['uuid']))
  const lost = (noun: string, row: Readonly<Row>): Fact => ({
    ...{ noun, uuid: row['uuid'] as string, event: 'lost' },
    data: { name: row['name'], hostUuid: uuid },
  })
  const ops: Op[] = [
    ...dropOrphans(graph, keysOf(graph, 'orphan', 'hostUuid', uuid), now(), false),
    ...vms.flatMap((vm): Op[] => [
      ...dropNics(graph, vm['uuid'] as string),
      ...dropDrives(graph, vm['uuid']),
      { o: 'del', t: 'vmInstance', k: vm['uuid'] as string },
    ]),
    ...keysOf(graph, 'volume', 'localHostUuid', uuid).flatMap((k): Op[] => [
      { o: 'del', t: 'volume', k },
      ...dropSnapshots(graph, k),
    ]),
    ...dropParts(graph, keysOf(graph, 'localStorageHost', 'hostUuid', uuid)),
    ...keysOf(graph, 'agent', 'hostUuid', uuid).flatMap((k) => agentOps(graph, k, now())),
    { o: 'del', t: 'host', k: uuid },
  ]
  return {
    change: {
      guards: [{ g: 'field' as const, t: 'host', k: uuid, field: 'status', in: ['Disconnected'] }],
      ops,
      facts: [...vms.map((vm) => lost('vmInstance', vm)), lost('host', host)],
    },
    // Leases of its guests on routers of other hosts.
    result: { ...afterwards(nics.map((k) => `lease/${k}`)), shred: secretIds(host as Row) },
  }
}

export const hostLose: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'host.lose',
    version: 1,
    input,
    steps: [{ name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => needLost(ctx.world.graph, ctx.input.uuid) }],
    finish: loss,
  }),
  check: ({ graph, uuid }) => needLost(graph, uuid),
}
