/** A new VM: rows first, each guarded; then what the hosts must make, in the order in which one needs the other. */
import type { Guard, Op, Row } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { placeVm, RESERVED_DISK, RESERVED_MEMORY } from '../place/host.ts'
import { input } from './input.ts'
import { checkCreate, requestOf, sizeOf, uniqueL3s } from './vm.request.ts'
import { chooseRouters } from './vm.router.ts'
import { dropNics, dropVolumes, nicRows, volumeRow } from './vm.rows.ts'
import { moveVm, needsOf, releaseHost, reserveHost } from './vm.state.ts'
import { type Action, baseRow, type Ctx, derivedId, type Input, need, type World } from './world.ts'

/** How long a failed creation waits for agents to clean up before it says so; their tombstones stay. */
const CLEAN_UP_MS = 30_000
const ids = z.object({
  rootVolumeUuid: z.string(),
  nics: z.array(z.object({ nicUuid: z.string(), usedIpUuid: z.string(), l3NetworkUuid: z.string() })),
})
type Ids = z.infer<typeof ids>
const idsOf = (ctx: Ctx) => ctx.outputs['make-ids'] as Ids
const vmOf = (ctx: Ctx) => ctx.world.graph.get('vmInstance', ctx.input.uuid) as Row | undefined
const starts = (ctx: Ctx) => ctx.input.params['strategy'] !== 'CreateStopped'

const makeIds: Step<Input, World> = {
  name: 'make-ids',
  output: ids,
  do: (ctx: Ctx) => ({
    output: {
      rootVolumeUuid: derivedId(ctx, 'root'),
      nics: uniqueL3s(ctx.input.params).map((l3NetworkUuid, i) => ({
        nicUuid: derivedId(ctx, `nic${i}`),
        usedIpUuid: derivedId(ctx, `ip${i}`),
        l3NetworkUuid,
      })),
    },
  }),
  // The first step's undo is the last to run: by then all rows are gone, and agents are removing what they had made.
  undo: async (ctx: Ctx) => {
    const made = ctx.outputs['make-ids'] as Ids | undefined
    if (made)
      await ctx.world.agents.gone(
        [`vm/${ctx.input.uuid}`, `volume/${made.rootVolumeUuid}`, ...made.nics.map((n) => `lease/${n.nicUuid}`)],
        CLEAN_UP_MS,
      )
  },
}

const persist: Step<Input, World> = {
  name: 'persist',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    if (vmOf(ctx)) return {}
    const p = ctx.input.params
    const image = need(graph, 'image', p['imageUuid'])
    const row: Row = {
      ...baseRow(ctx),
      ...sizeOf(graph, p),
      zoneUuid: p['zoneUuid'] ?? null,
      clusterUuid: null,
      hostUuid: null,
      lastHostUuid: null,
      imageUuid: p['imageUuid'],
      instanceOfferingUuid: p['instanceOfferingUuid'] ?? null,
      rootVolumeUuid: idsOf(ctx).rootVolumeUuid,
      defaultL3NetworkUuid: p['defaultL3NetworkUuid'] ?? uniqueL3s(p)[0],
      platform: p['platform'] ?? image['platform'],
      architecture: image['architecture'],
      type: 'UserVm',
      hypervisorType: 'KVM',
      reservedMemorySize: 0,
      cpuSpeed: 0,
      allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy',
      state: 'Created',
      guestOsType: p['guestOsType'] ?? image['guestOsType'] ?? null,
      stateCause: null,
      placementEpoch: 0,
      power: 'Stopped',
      powerCause: 'api',
      powerMode: 'grace',
      destroyedAt: null,
    }
    return {
      change: {
        guards: [
          { g: 'absent', t: 'vmInstance', k: ctx.input.uuid },
          { g: 'exists', t: 'image', k: p['imageUuid'] as string },
        ],
        ops: [{ o: 'put', t: 'vmInstance', k: ctx.input.uuid, v: row }],
        facts: [{ noun: 'vmInstance', uuid: ctx.input.uuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) => (vmOf(ctx) ? { change: { ops: [{ o: 'del' as const, t: 'vmInstance', k: ctx.input.uuid }] } } : {}),
}

/** The root volume's row and its room, as counter guards. */
function reserveVolume(ctx: Ctx, at: { hostUuid: string; primaryStorageUuid: string }): { guards: Guard[]; ops: Op[] } {
  const uuid = idsOf(ctx).rootVolumeUuid
  const row = volumeRow(ctx, { uuid, ...at })
  const part = `${at.primaryStorageUuid}:${at.hostUuid}`
  const delta = -(row['size'] as number)
  return {
    guards: [
      { g: 'absent', t: 'volume', k: uuid },
      { g: 'counter', t: 'localStorageHost', k: part, field: 'availableCapacity', delta, min: RESERVED_DISK },
    ],
    ops: [
      { o: 'put', t: 'volume', k: uuid, v: row },
      { o: 'add', t: 'localStorageHost', k: part, field: 'availableCapacity', delta },
      { o: 'add', t: 'primaryStorage', k: at.primaryStorageUuid, field: 'availableCapacity', delta },
    ],
  }
}

/** Host and disk in one commit: what was chosen together can't be lost to another writer in between. */
const allocateHost: Step<Input, World> = {
  name: 'allocate-host',
  output: z.object({ hostUuid: z.string(), primaryStorageUuid: z.string() }),
  do: (ctx: Ctx) => {
    const vm = vmOf(ctx)!
    const had = ctx.outputs['allocate-host']
    if (vm['hostUuid'] && had) return { output: had }
    const at = placeVm(ctx.world.graph, requestOf({ graph: ctx.world.graph, params: ctx.input.params }))
    const reserve = reserveHost(at.hostUuid, vm, RESERVED_MEMORY)
    const volume = reserveVolume(ctx, at)
    return {
      output: { hostUuid: at.hostUuid, primaryStorageUuid: at.primaryStorageUuid },
      change: {
        guards: [
          ...reserve.guards,
          ...volume.guards,
          { g: 'field', t: 'vmInstance', k: ctx.input.uuid, field: 'hostUuid', in: [null] },
        ],
        ops: [
          ...reserve.ops,
          {
            o: 'set',
            t: 'vmInstance',
            k: ctx.input.uuid,
            v: { hostUuid: at.hostUuid, clusterUuid: at.clusterUuid, zoneUuid: at.zoneUuid, placementEpoch: 1 },
          },
          ...volume.ops,
        ],
        facts: [{ noun: 'volume', uuid: idsOf(ctx).rootVolumeUuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) => {
    const vm = vmOf(ctx)
    if (!vm?.['hostUuid']) return {}
    return {
      change: {
        ops: [
          ...dropVolumes(ctx.world.graph, ctx.input.uuid),
          ...releaseHost(ctx.world.graph, vm['hostUuid'], vm),
          { o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { hostUuid: null, clusterUuid: null, placementEpoch: 0 } },
        ],
      },
    }
  },
}

const allocateNics: Step<Input, World> = {
  name: 'allocate-nics',
  do: (ctx: Ctx) => {
    const parts = idsOf(ctx).nics.map((nic, i) =>
      ctx.world.graph.get('vmNic', nic.nicUuid) ? { guards: [], ops: [] } : nicRows(ctx, nic, i),
    )
    return { change: { guards: parts.flatMap((x) => x.guards), ops: parts.flatMap((x) => x.ops) } }
  },
  undo: (ctx: Ctx) => ({ change: { ops: dropNics(ctx.world.graph, ctx.input.uuid) } }),
}

const makeNetwork: Step<Input, World> = {
  name: 'make-network',
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge(needsOf(ctx.world.graph, ctx.input.uuid), ctx)),
  noUndo: 'removing the NICs removes their leases; bridges and routers belong to the networks',
}

const makeVolume: Step<Input, World> = {
  name: 'make-volume',
  do: async (ctx: Ctx) => {
    const uuid = idsOf(ctx).rootVolumeUuid
    const [status] = await ctx.world.agents.converge([`volume/${uuid}`], ctx)
    return {
      change: {
        ops: [
          {
            o: 'set',
            t: 'volume',
            k: uuid,
            v: { status: 'Ready', actualSize: (status?.observed['actualBytes'] as number | undefined) ?? null },
          },
        ],
      },
    }
  },
  // The domain goes before its disk does.
  undo: async (ctx: Ctx) => void (await ctx.world.agents.gone([`vm/${ctx.input.uuid}`], CLEAN_UP_MS)),
}

const powerOn: Step<Input, World> = {
  name: 'power-on',
  when: starts,
  do: (ctx: Ctx) => ({ change: moveVm(ctx, 'starting', { power: 'Running', powerCause: 'api' }) }),
  undo: (ctx: Ctx) =>
    vmOf(ctx)
      ? {
          change: { ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state: 'Created', power: 'Stopped' } }] },
        }
      : {},
}

const boot: Step<Input, World> = {
  name: 'boot',
  when: starts,
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)),
  noUndo: 'taking the power back removes the domain',
}

/** Last, in the commit that ends the job: Running, or Stopped on the host that holds its disk. */
function finish(ctx: Ctx) {
  if (starts(ctx)) return { change: moveVm(ctx, 'running') }
  const vm = vmOf(ctx)!
  const moved = moveVm(ctx, 'stopped', { hostUuid: null, lastHostUuid: vm['hostUuid'] })
  return { change: { ...moved, ops: [...moved.ops, ...releaseHost(ctx.world.graph, vm['hostUuid'], vm)] } }
}

export const vmCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.create',
    version: 1,
    input,
    steps: [makeIds, persist, allocateHost, allocateNics, chooseRouters, makeNetwork, makeVolume, powerOn, boot],
    finish,
  }),
  check: checkCreate,
}
