/** Deletion with everything that hangs on it: guests are powered off, then one commit deletes, and agents clean up afterwards. */
import { type Fact, type Op, type Row, SkerryError } from '@skerry/contract'
import type { CascadePlan, Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { touched } from '../desired/project.ts'
import { secretIds } from '../engine/secret-params.ts'
import { revocation } from '../keys/index.ts'
import { giveBackFolder } from './backup-storage.sftp.ts'
import { guestEnds, guestSteps, needIdle, needMarked } from './cascade.guests.ts'
import { cascadeChange, cascadeOf, shortenRefs } from './cascade.ts'
import { otherDhcpAddresses } from './flat.ts'
import { input } from './input.ts'
import { sumsWithout } from './storage-parts.ts'
import { endUses } from './vip.uses.ts'
import { dataVolumesOf, detached, giveRoom } from './volume.rows.ts'
import { endVpcs } from './vpc.rows.ts'
import { type Action, afterwards, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

/** Keys of a table's rows that go. */
type Gone = (table: string) => ReadonlySet<string>

/** Room and sums that stay to be given back: what goes with its storage, or with its part of it, counts nowhere any more. */
function storageEnds(graph: Graph, gone: Gone): Op[] {
  const parts = gone('localStorageHost')
  const stores = gone('primaryStorage')
  const volumes = [...gone('volume')].map((k) => graph.get('volume', k)!)
  const room = volumes
    .filter(
      (v) => !parts.has(`${v['primaryStorageUuid']}:${v['localHostUuid']}`) && !stores.has(v['primaryStorageUuid'] as string),
    )
    .flatMap((v) => giveRoom(graph, v))
  const left = [...parts].filter((k) => !stores.has(graph.get('localStorageHost', k)?.['primaryStorageUuid'] as string))
  return [...room, ...sumsWithout(graph, left)]
}

/** Data volumes of guests that go, on a storage that stays: they are free. */
const freeVolumes = (graph: Graph, gone: Gone, now: number): Op[] =>
  [...gone('vmInstance')]
    .flatMap((k) => dataVolumesOf(graph, k))
    .filter((v) => !gone('volume').has(v['uuid'] as string))
    .map((v) => detached(v, now))

/** A VM whose default network goes has another of its networks as default, or none. */
function otherDefaults(graph: Graph, gone: Gone): Op[] {
  const cards = gone('vmNic')
  const vms = new Set([...cards].map((k) => graph.get('vmNic', k)?.['vmInstanceUuid'] as string))
  for (const key of gone('vmInstance')) vms.delete(key)
  return [...vms].flatMap((k): Op[] => {
    const left = [...graph.by('vmNic', 'vmInstanceUuid', k)]
      .filter((nic) => !cards.has(nic))
      .map((nic) => graph.get('vmNic', nic)!)
    const l3s = left.sort((a, b) => Number(a['deviceId']) - Number(b['deviceId'])).map((nic) => nic['l3NetworkUuid'] as string)
    const vm = graph.get('vmInstance', k)
    if (!vm || l3s.includes(vm['defaultL3NetworkUuid'] as string)) return []
    return [{ o: 'set', t: 'vmInstance', k, v: { defaultL3NetworkUuid: l3s[0] ?? null } }]
  })
}

/** Networks whose router stands on a host that goes get another one when their next VM starts. */
function freeRouters(graph: Graph, gone: Gone): Op[] {
  const agents = [...[...gone('host')].flatMap((k) => [...graph.by('agent', 'hostUuid', k)]), ...gone('agent')]
  const l3s = [...new Set(agents)].flatMap((agent) => [...graph.by('l3Network', 'routerAgentUuid', agent)])
  return l3s
    .filter((k) => !gone('l3Network').has(k))
    .flatMap((k): Op[] => [
      ...[...graph.by('routerUplink', 'l3NetworkUuid', k)]
        .filter((uplink) => !gone('routerUplink').has(uplink))
        .map((uplink): Op => ({ o: 'del', t: 'routerUplink', k: uplink })),
      { o: 'set', t: 'l3Network', k, v: { routerAgentUuid: null, routerUplink: null } },
    ])
}

/** An agent that is deleted is shut out, in the same commit. */
const revocations = (graph: Graph, gone: Gone, now: number): Op[] =>
  [...gone('agent')]
    .filter((k) => !graph.get('agent', k)?.['revokedDate'])
    .map((k) => revocation(graph.get('agent', k) as Row, now))

function goneIn(plan: CascadePlan): Gone {
  const tables = new Map<string, Set<string>>()
  for (const { action, table, key } of plan.order) {
    if (action !== 'delete') continue
    const keys = tables.get(table)
    if (keys) keys.add(key)
    else tables.set(table, new Set([key]))
  }
  const none = new Set<string>()
  return (table) => tables.get(table) ?? none
}

/** The one commit that deletes, and what follows from it for agents and secrets. */
function removal(ctx: EndCtx) {
  const { graph, now } = ctx.world
  const plan = cascadeOf(graph, ctx.input.table, ctx.input.uuid)
  needIdle({ graph, uuid: ctx.input.uuid }, plan)
  needMarked(ctx, plan)
  const gone = goneIn(plan)
  const rows = plan.order.filter((s) => s.action === 'delete')
  onlyShown(ctx.input, rows)
  const facts = rows.map(({ table, key }): Fact => {
    const uuid = (graph.get(table, key)?.['uuid'] as string | undefined) ?? key
    return { noun: table, uuid, event: 'deleted' }
  })
  const guests = guestEnds(ctx, plan)
  const before = [
    ...storageEnds(graph, gone),
    ...freeVolumes(graph, gone, now()),
    ...otherDefaults(graph, gone),
    ...freeRouters(graph, gone),
    ...endUses(graph, gone),
    ...otherDhcpAddresses(graph, gone, { now: now(), uuidOf: (l3) => derivedId(ctx, `dhcp ${l3}`) }),
    ...endVpcs(graph, gone),
    ...shortenRefs(graph, plan.order),
  ]
  const cascade = cascadeChange(graph, plan)
  const ops = [...guests.ops, ...before, ...cascade.ops, ...revocations(graph, gone, now())]
  return {
    change: { guards: [...guests.guards, ...cascade.guards], ops, facts: [...guests.facts, ...facts] },
    result: {
      ...afterwards([...touched(ops, graph)]),
      shred: rows.flatMap((s) => secretIds(graph.get(s.table, s.key) as Row)),
    },
  }
}

/** A deletion that was shown takes nothing along that has come to be since: it fails then, and gives all back. */
function onlyShown({ cascade, table, uuid }: Input, rows: CascadePlan['order']): void {
  if (cascade === undefined) return
  const shown = new Set((JSON.parse(cascade) as { resource: string; uuid: string }[]).map((one) => `${one.resource}/${one.uuid}`))
  const stranger = rows.find((row) => !shown.has(`${row.table}/${row.key}`))
  if (stranger === undefined) return
  const message = `${stranger.table} ${stranger.key} has come to be since the plan was shown, and would go with ${table} ${uuid}`
  throw new SkerryError('stale-plan', message, { resource: stranger.table, uuid: stranger.key })
}

export function deletion(name: string, before: readonly Step<Input, World>[] = []): Action {
  return {
    // The end of the job is the deletion: one commit, so there is never half of it to take back.
    workflow: defineWorkflow<Input, World>({ name, version: 2, input, steps: [...guestSteps, ...before], finish: removal }),
    check(i) {
      need(i.graph, i.table, i.uuid)
      needIdle(i, cascadeOf(i.graph, i.table, i.uuid))
    },
  }
}

export const resourceDelete = deletion('resource.delete')
/** Named apart because they reach hosts; the mechanism is one. */
export const hostDelete = deletion('host.delete')
export const primaryStorageDelete = deletion('primaryStorage.delete')
export const backupStorageDelete = deletion('backupStorage.delete', [giveBackFolder])
export const l3NetworkDelete = deletion('l3Network.delete')
export const ipRangeDelete = deletion('ipRange.delete')
