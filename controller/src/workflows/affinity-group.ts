/** Affinity groups and their members. Where members are is settled when they are placed (place/affinity.ts). */
import { hash } from 'node:crypto'
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { notThere } from '../identity/decide.ts'
import { groupsIn, nonConflicting } from '../place/affinity.ts'
import { input } from './input.ts'
import { creation } from './resource.create.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

export const affinityGroupCreate = creation({
  workflow: 'affinityGroup.create',
  table: 'affinityGroup',
  row: ({ input: { params } }) => ({
    policy: params['policy'] ?? 'antiSoft',
    type: 'host',
    version: '1.0',
    appliance: 'CUSTOMER',
    zoneUuid: params['zoneUuid'] ?? null,
    state: 'Enabled',
  }),
  check: ({ graph, params }) => void (params['zoneUuid'] && need(graph, 'zone', params['zoneUuid'])),
})

/** There can't be two of one VM in one group. */
const keyOf = (groupUuid: string, vmUuid: string) => hash('sha256', `affinity/${groupUuid}/${vmUuid}`).slice(0, 32)

function memberOp(groupUuid: string, vmUuid: string, now: number): Op {
  const k = keyOf(groupUuid, vmUuid)
  const of = { affinityGroupUuid: groupUuid, resourceUuid: vmUuid, resourceType: 'VmInstanceVO' }
  return { o: 'put', t: 'affinityGroupUsage', k, v: { uuid: k, name: k, ...of, createDate: now, lastOpDate: now } }
}

/** A VM that is being created joins the groups of its tags. What another account has is as if it weren't there. */
export function joining({ world: { graph, now }, input: { uuid, params, accountUuid } }: Ctx): { guards: Guard[]; ops: Op[] } {
  const keys = groupsIn((params['systemTags'] as string[] | undefined) ?? [])
  const admin = graph.get('account', accountUuid)?.['type'] === 'SystemAdmin'
  for (const k of keys) {
    const group = graph.get('affinityGroup', k)
    if (!group || (!admin && group['ownerUuid'] !== accountUuid)) throw notThere('affinity-group', 'affinityGroup', k)
  }
  return {
    guards: keys.map((k): Guard => ({ g: 'exists', t: 'affinityGroup', k })),
    ops: keys.map((k) => memberOp(k, uuid, now())),
  }
}

/** Throws where the VM can't be in the group: another zone, or it shares its host with a member that it must not be with. */
export function needFitting(graph: Graph, groupUuid: string, vm: Readonly<Row>): void {
  const problem = nonConflicting(graph, need(graph, 'affinityGroup', groupUuid), vm)
  if (problem) throw new SkerryError('illegal-state', problem, { affinityGroupUuid: groupUuid, vmInstanceUuid: vm['uuid'] })
}

const at = ({ input: { uuid, params } }: Pick<Ctx, 'input'>) => ({ group: uuid, vm: params['uuid'] as string })

export const affinityGroupAddVm: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'affinityGroup.addVm',
    version: 1,
    input,
    steps: [
      {
        name: 'add',
        do: (ctx: Ctx) => {
          const { graph, now } = ctx.world
          const { group, vm } = at(ctx)
          if (graph.get('affinityGroupUsage', keyOf(group, vm))) return {}
          const row = need(graph, 'vmInstance', vm)
          needFitting(graph, group, row)
          return {
            change: {
              // It must not be placed beside another member while it becomes one itself.
              guards: [
                { g: 'absent', t: 'affinityGroupUsage', k: keyOf(group, vm) },
                { g: 'version', t: 'affinityGroup', k: group, seq: graph.version('affinityGroup', group)! },
                { g: 'field', t: 'vmInstance', k: vm, field: 'hostUuid', in: [(row['hostUuid'] as string | null) ?? null] },
              ],
              // the group moves, so that a member whose host is being chosen beside this commit is chosen anew
              ops: [memberOp(group, vm, now()), { o: 'set', t: 'affinityGroup', k: group, v: {} }],
              facts: [{ noun: 'affinityGroup', uuid: group, event: 'vm-added', data: { vmInstanceUuid: vm } }],
            },
          }
        },
        undo: (ctx: Ctx) => dropMember(ctx),
      },
    ],
  }),
  check({ graph, uuid, params }) {
    const vm = need(graph, 'vmInstance', params['uuid'])
    if (graph.get('affinityGroupUsage', keyOf(uuid, vm['uuid'] as string)))
      throw new SkerryError('illegal-state', `VM instance ${vm['name']} is in this affinity group already`, { uuid: vm['uuid'] })
    needFitting(graph, uuid, vm)
  },
}

function dropMember(ctx: Ctx) {
  const { group, vm } = at(ctx)
  if (!ctx.world.graph.get('affinityGroupUsage', keyOf(group, vm))) return {}
  return { change: { ops: [{ o: 'del' as const, t: 'affinityGroupUsage', k: keyOf(group, vm) }] } }
}

export const affinityGroupRemoveVm: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'affinityGroup.removeVm',
    version: 1,
    input,
    steps: [{ name: 'look', noUndo: 'it only looks', do: () => ({}) }],
    finish: (ctx) => {
      const { group, vm } = at(ctx)
      const dropped = dropMember(ctx as unknown as Ctx)
      if (!dropped.change) return {}
      return {
        change: {
          ...dropped.change,
          facts: [{ noun: 'affinityGroup', uuid: group, event: 'vm-removed', data: { vmInstanceUuid: vm } }],
        },
      }
    },
  }),
  check({ graph, uuid, params }) {
    const vm = need(graph, 'vmInstance', params['uuid'])
    if (!graph.get('affinityGroupUsage', keyOf(uuid, vm['uuid'] as string)))
      throw new SkerryError('illegal-state', `VM instance ${vm['name']} is not in this affinity group`, { uuid: vm['uuid'] })
  },
}
