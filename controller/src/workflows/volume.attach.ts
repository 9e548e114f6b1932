/**
 * A data volume comes to a VM. One that has no place yet gets it on the VM's host; one that lies on another host's local disk is
 * refused. The VM's document lists its volumes, so its agent plugs it in, live when the VM runs.
 */
import { MAX_DATA_VOLUMES, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import { needAllHeard } from '../orphans/reunite.ts'
import { needPool, offeredStorage, type PoolRequest } from '../place/pool.ts'
import { poolBy } from '../plugins/storages.ts'
import { input } from './input.ts'
import { CLEAN_UP_MS, makeVolume } from './volume.create.ts'
import { dataVolumesOf, giveRoom, needData, needIdleFiles, placed, takeRoom, unplaced } from './volume.rows.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

/** States of a VM in which its volumes may come and go (zstack-core §2.11a). */
export const VM_STATES = ['Running', 'Stopped', 'Paused']

const chosen = z.object({ hostUuid: z.string(), primaryStorageUuid: z.string(), makes: z.boolean() })
type Chosen = z.infer<typeof chosen>
const chosenOf = (ctx: Ctx) => ctx.outputs['choose'] as Chosen | undefined
const makes = (ctx: Ctx) => chosenOf(ctx)?.makes === true
const vmUuidOf = (ctx: EndCtx) => ctx.input.params['vmInstanceUuid'] as string
const volumeOf = (ctx: EndCtx) => ctx.world.graph.get('volume', ctx.input.uuid)

export function needVm(graph: Graph, uuid: unknown, doing: string): Row {
  const vm = need(graph, 'vmInstance', uuid)
  if (!VM_STATES.includes(vm['state'] as string))
    throw new SkerryError(
      'vm-illegal-state',
      `VM instance ${vm['name']} is ${vm['state']}: volumes can be ${doing} when it is ${VM_STATES.join(', ')}`,
      { uuid, state: vm['state'], allowed: VM_STATES },
    )
  return vm
}

/** Where the volume is or is to be. Throws what stands in the way of these two coming together. */
export function chooseFor(graph: Graph, volumeUuid: unknown, vmUuid: unknown): Chosen {
  const volume = needData(graph, volumeUuid, ['NotInstantiated', 'Ready'])
  const vm = needVm(graph, vmUuid, 'attached')
  const holder = volume['vmInstanceUuid'] as string | null
  if (holder !== null)
    throw new SkerryError(
      'in-use',
      `volume ${volume['name']} is attached to VM instance ${graph.get('vmInstance', holder)?.['name'] ?? holder}`,
      { uuid: volumeUuid, vmInstanceUuid: holder },
    )
  needIdleFiles(volume)
  freeSlot(graph, vm)
  const root = need(graph, 'volume', vm['rootVolumeUuid'])
  const host = need(graph, 'host', root['localHostUuid'])
  const hostUuid = host['uuid'] as string
  if (volume['status'] === 'Ready') {
    if (volume['localHostUuid'] !== hostUuid) throw elsewhere(graph, { volume, vm, host })
    return { hostUuid, primaryStorageUuid: volume['primaryStorageUuid'] as string, makes: false }
  }
  needAllHeard(graph)
  return {
    hostUuid,
    primaryStorageUuid: needPool(graph, poolFor(graph, volume, { hostUuid })),
    makes: true,
  }
}

const poolFor = (graph: Graph, volume: Readonly<Row>, { hostUuid }: { hostUuid: string }): PoolRequest => ({
  host: need(graph, 'host', hostUuid),
  diskBytes: volume['size'] as number,
  ...offeredStorage(graph, volume['diskOfferingUuid']),
})

function elsewhere(graph: Graph, { volume, vm, host }: { volume: Row; vm: Row; host: Row }): SkerryError {
  const there = graph.get('host', volume['localHostUuid'] as string)
  return new SkerryError(
    'illegal-state',
    `volume ${volume['name']} lies on the local disk of host ${there?.['name']}, but the disks of VM instance ${vm['name']} on that of host ${host['name']}`,
    { uuid: volume['uuid'], volumeHostUuid: there?.['uuid'], vmInstanceUuid: vm['uuid'], vmHostUuid: host['uuid'] },
  )
}

/** The lowest device id that is free; the root volume has 0. */
function freeSlot(graph: Graph, vm: Readonly<Row>): number {
  const taken = new Set(dataVolumesOf(graph, vm['uuid'] as string).map((v) => v['deviceId']))
  for (let id = 1; id <= MAX_DATA_VOLUMES; id++) if (!taken.has(id)) return id
  throw new SkerryError(
    'illegal-state',
    `VM instance ${vm['name']} has ${MAX_DATA_VOLUMES} data volumes, the most there can be`,
    {
      uuid: vm['uuid'],
      limit: MAX_DATA_VOLUMES,
    },
  )
}

/** A stopped VM is only defined anew, and its agent does that when it is back. */
export async function convergeVm(ctx: Ctx, vmUuid: string): Promise<void> {
  const { graph, agents } = ctx.world
  const vm = graph.get('vmInstance', vmUuid)
  const agent = agentOn(graph, (vm?.['hostUuid'] ?? vm?.['lastHostUuid']) as string | null, 'kvm')
  if (vm?.['state'] === 'Stopped' && (!agent || !agents.alive(agent))) return
  await agents.converge([`vm/${vmUuid}`], ctx)
}

export const volumeAttach: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.attach',
    version: 1,
    input,
    steps: [
      {
        name: 'choose',
        output: chosen,
        do: async (ctx: Ctx) => {
          const at = chooseFor(ctx.world.graph, ctx.input.uuid, vmUuidOf(ctx))
          return {
            output: at.makes
              ? { ...at, primaryStorageUuid: await poolBy(ctx.world, poolFor(ctx.world.graph, volumeOf(ctx)!, at)) }
              : at,
          }
        },
        // The last undo: the volume has lost its place by now, and the agent is removing what it had made.
        undo: async (ctx: Ctx) => void (makes(ctx) && (await ctx.world.agents.gone([`volume/${ctx.input.uuid}`], CLEAN_UP_MS))),
      },
      {
        name: 'instantiate',
        when: makes,
        do: (ctx: Ctx) => {
          const { graph } = ctx.world
          const { uuid } = ctx.input
          const at = chosenOf(ctx)!
          const volume = need(graph, 'volume', uuid)
          if (volume['placingJob'] === ctx.job) return {}
          // Another job may have given it a place since, or taken the room.
          needData(graph, uuid, ['NotInstantiated'])
          const room = takeRoom(graph, at, volume['size'] as number)
          const free = { g: 'field' as const, t: 'volume', k: uuid, field: 'status', in: ['NotInstantiated'] }
          const set = { o: 'set' as const, t: 'volume', k: uuid, v: { ...placed(graph, uuid, at), placingJob: ctx.job } }
          return { change: { guards: [free, ...room.guards], ops: [set, ...room.ops] } }
        },
        undo: (ctx: Ctx) => {
          const volume = volumeOf(ctx)
          if (volume?.['placingJob'] !== ctx.job) return {}
          const set = { o: 'set' as const, t: 'volume', k: ctx.input.uuid, v: { ...unplaced, placingJob: null } }
          return { change: { ops: [set, ...giveRoom(ctx.world.graph, volume)] } }
        },
      },
      {
        name: 'make-volume',
        when: makes,
        do: (ctx: Ctx) => makeVolume(ctx, ctx.input.uuid),
        noUndo: 'taking its place away removes the file',
      },
      {
        name: 'attach',
        do: (ctx: Ctx) => {
          const { graph } = ctx.world
          const { uuid } = ctx.input
          const vmUuid = vmUuidOf(ctx)
          if (volumeOf(ctx)?.['vmInstanceUuid'] === vmUuid) return {}
          chooseFor(graph, uuid, vmUuid)
          const deviceId = freeSlot(graph, need(graph, 'vmInstance', vmUuid))
          return {
            change: {
              guards: [
                { g: 'version', t: 'volume', k: uuid, seq: graph.version('volume', uuid)! },
                { g: 'field', t: 'volume', k: uuid, field: 'state', in: ['Enabled'] },
                { g: 'field', t: 'vmInstance', k: vmUuid, field: 'state', in: VM_STATES },
              ],
              ops: [{ o: 'set', t: 'volume', k: uuid, v: { vmInstanceUuid: vmUuid, deviceId } }],
            },
          }
        },
        undo: (ctx: Ctx) =>
          volumeOf(ctx)?.['vmInstanceUuid'] === vmUuidOf(ctx)
            ? {
                change: {
                  ops: [{ o: 'set' as const, t: 'volume', k: ctx.input.uuid, v: { vmInstanceUuid: null, deviceId: null } }],
                },
              }
            : {},
      },
      {
        name: 'plug',
        do: (ctx: Ctx) => convergeVm(ctx, vmUuidOf(ctx)),
        noUndo: 'taking it out of the VM unplugs it',
      },
    ],
    finish: (ctx: EndCtx) => {
      const { uuid } = ctx.input
      const lastAttachDate = ctx.world.now()
      return {
        change: {
          ops: [{ o: 'set', t: 'volume', k: uuid, v: { lastAttachDate, lastOpDate: lastAttachDate, placingJob: null } }],
          facts: [{ noun: 'volume', uuid, event: 'attached', data: { vmInstanceUuid: vmUuidOf(ctx) } }],
        },
      }
    },
  }),
  check({ graph, params, uuid }: CheckInput) {
    const volume = need(graph, 'volume', uuid)
    if (volume['state'] !== 'Enabled')
      throw new SkerryError('illegal-state', `volume ${volume['name']} is ${volume['state']}, it must be Enabled`, {
        uuid,
        state: volume['state'],
        allowed: ['Enabled'],
      })
    chooseFor(graph, uuid, params['vmInstanceUuid'])
  },
  // In turn with what starts, stops and destroys the VM.
  queueKey: ({ params }) => params['vmInstanceUuid'] as string,
}
