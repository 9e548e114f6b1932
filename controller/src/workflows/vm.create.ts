/** A new VM: rows first, each guarded; then what the hosts must make, in the order in which one needs the other. */
import type { Guard, Op, Row } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { keepApart } from '../place/affinity.ts'
import { placeBy } from '../plugins/rank.ts'
import { joining } from './affinity-group.ts'
import { driveRow, dropDrives, loaded } from './cdrom.rows.ts'
import { input } from './input.ts'
import { networkPart } from './vm.network.ts'
import { askedCards, checkAskedCards } from './vm.nic-tags.ts'
import { allocatorOf, checkCreate, dataDisksOf, isIso, requestOf, sizeOf, uniqueL3s } from './vm.request.ts'
import { dropNics, nicRows, volumeRow } from './vm.rows.ts'
import { moveVm, releaseHost, reserveHost } from './vm.state.ts'
import { joiningScheduling } from './vm-scheduling-group.ts'
import { offeredQos } from './volume.limits.ts'
import { dataVolumeRow, dropVolumes, placed, takeRoom, type VolumePlace } from './volume.rows.ts'
import { type Action, baseRow, type Ctx, derivedId, type Input, need, type World } from './world.ts'

/** How long a failed creation waits for agents to clean up before it says so; their tombstones stay. */
const CLEAN_UP_MS = 30_000
const ids = z.object({
  rootVolumeUuid: z.string(),
  /** absent in jobs from before there were data volumes */
  dataVolumeUuids: z.array(z.string()).optional(),
  /** the drive of a VM that is made from an ISO */
  cdRomUuid: z.string().optional(),
  nics: z.array(z.object({ nicUuid: z.string(), usedIpUuid: z.string(), l3NetworkUuid: z.string() })),
})
type Ids = z.infer<typeof ids>
const idsOf = (ctx: Ctx) => ctx.outputs['make-ids'] as Ids
/** Root first. */
const volumesOf = ({ rootVolumeUuid, dataVolumeUuids = [] }: Ids) => [rootVolumeUuid, ...dataVolumeUuids]
/** Documents of what agents keep on disks for it. */
const filesOf = (made: Ids) => [
  ...volumesOf(made).map((uuid) => `volume/${uuid}`),
  ...(made.cdRomUuid ? [`iso/${made.cdRomUuid}`] : []),
]
const fromIso = (ctx: Ctx) => isIso(need(ctx.world.graph, 'image', ctx.input.params['imageUuid']))
const vmOf = (ctx: Ctx) => ctx.world.graph.get('vmInstance', ctx.input.uuid) as Row | undefined
const starts = (ctx: Ctx) => ctx.input.params['strategy'] !== 'CreateStopped'

const makeIds: Step<Input, World> = {
  name: 'make-ids',
  output: ids,
  do: (ctx: Ctx) => ({
    output: {
      rootVolumeUuid: derivedId(ctx, 'root'),
      dataVolumeUuids: dataDisksOf(ctx.world.graph, ctx.input.params).map((_, i) => derivedId(ctx, `data${i}`)),
      ...(fromIso(ctx) ? { cdRomUuid: derivedId(ctx, 'cdrom') } : {}),
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
        [`vm/${ctx.input.uuid}`, ...filesOf(made), ...made.nics.map((n) => `lease/${n.nicUuid}`)],
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
    const groups = joining(ctx)
    const scheduling = joiningScheduling(ctx)
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
      allocatorStrategy: allocatorOf(graph, p),
      state: 'Created',
      guestOsType: p['guestOsType'] ?? image['guestOsType'] ?? null,
      stateCause: null,
      placementEpoch: 0,
      power: 'Stopped',
      powerCause: 'api',
      powerMode: 'grace',
      bootOrder: null,
      destroyedAt: null,
    }
    return {
      change: {
        guards: [
          { g: 'absent', t: 'vmInstance', k: ctx.input.uuid },
          { g: 'exists', t: 'image', k: p['imageUuid'] as string },
          ...groups.guards,
          ...scheduling.guards,
        ],
        ops: [{ o: 'put', t: 'vmInstance', k: ctx.input.uuid, v: row }, ...groups.ops, ...scheduling.ops],
        facts: [{ noun: 'vmInstance', uuid: ctx.input.uuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) => (vmOf(ctx) ? { change: { ops: [{ o: 'del' as const, t: 'vmInstance', k: ctx.input.uuid }] } } : {}),
}

/** The rows of root and data volumes and their room, as counter guards. */
function reserveVolumes(ctx: Ctx, at: VolumePlace): { guards: Guard[]; ops: Op[] } {
  const { graph, now } = ctx.world
  const { rootVolumeUuid, dataVolumeUuids = [] } = idsOf(ctx)
  const disks = dataDisksOf(graph, ctx.input.params)
  const data = dataVolumeUuids.map((uuid, i): Row => {
    const { sizeBytes: size, diskOfferingUuid } = disks[i]!
    const name = `DATA-for-${(ctx.input.params['name'] as string).slice(0, 240)}`
    const row = dataVolumeRow({ uuid, name, description: null, size }, now())
    const qos = offeredQos(graph, diskOfferingUuid)
    return { ...row, ...placed(graph, uuid, at), diskOfferingUuid, qos, vmInstanceUuid: ctx.input.uuid, deviceId: i + 1 }
  })
  const rows = [volumeRow(ctx, { uuid: rootVolumeUuid, ...at }), ...data]
  const room = takeRoom(
    graph,
    at,
    rows.reduce((sum, row) => sum + (row['size'] as number), 0),
  )
  const drives = driveRows(ctx, at)
  return {
    guards: [...rows.map((row): Guard => ({ g: 'absent', t: 'volume', k: row['uuid'] as string })), ...room.guards],
    ops: [...rows.map((v): Op => ({ o: 'put', t: 'volume', k: v['uuid'] as string, v })), ...drives, ...room.ops],
  }
}

/** The drive with the ISO that the VM is made from. */
function driveRows(ctx: Ctx, at: VolumePlace): Op[] {
  const { graph, now } = ctx.world
  const { cdRomUuid: k } = idsOf(ctx)
  if (k === undefined) return []
  const fields = loaded(graph, need(graph, 'image', ctx.input.params['imageUuid']), at)
  return [{ o: 'put', t: 'vmCdRom', k, v: driveRow({ uuid: k, vmInstanceUuid: ctx.input.uuid }, fields, now()) }]
}

/** Host and disk in one commit: what was chosen together can't be lost to another writer in between. */
const allocateHost: Step<Input, World> = {
  name: 'allocate-host',
  output: z.object({ hostUuid: z.string(), primaryStorageUuid: z.string() }),
  do: async (ctx: Ctx) => {
    const vm = vmOf(ctx)!
    const had = ctx.outputs['allocate-host']
    if (vm['hostUuid'] && had) return { output: had }
    const request = requestOf({ ...ctx.world, params: ctx.input.params })
    const at = await placeBy(ctx.world, request)
    const apart = keepApart(ctx.world.graph, request)
    const reserve = reserveHost(ctx.world.graph, at.hostUuid, vm)
    const volumes = reserveVolumes(ctx, at)
    return {
      output: { hostUuid: at.hostUuid, primaryStorageUuid: at.primaryStorageUuid },
      change: {
        guards: [
          ...reserve.guards,
          ...apart.guards,
          ...volumes.guards,
          { g: 'field', t: 'vmInstance', k: ctx.input.uuid, field: 'hostUuid', in: [null] },
        ],
        ops: [
          ...reserve.ops,
          ...apart.ops,
          {
            o: 'set',
            t: 'vmInstance',
            k: ctx.input.uuid,
            v: { hostUuid: at.hostUuid, clusterUuid: at.clusterUuid, zoneUuid: at.zoneUuid, placementEpoch: 1 },
          },
          ...volumes.ops,
        ],
        facts: volumesOf(idsOf(ctx)).map((uuid) => ({ noun: 'volume', uuid, event: 'created' })),
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
          ...dropDrives(ctx.world.graph, ctx.input.uuid),
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
    const asked = askedCards(ctx.input.params)
    const parts = idsOf(ctx).nics.map((nic, i) =>
      ctx.world.graph.get('vmNic', nic.nicUuid)
        ? { guards: [], ops: [] }
        : nicRows(ctx, { ...nic, ...asked.get(nic.l3NetworkUuid) }, i),
    )
    return { change: { guards: parts.flatMap((x) => x.guards), ops: parts.flatMap((x) => x.ops) } }
  },
  undo: (ctx: Ctx) => ({ change: { ops: dropNics(ctx.world.graph, ctx.input.uuid) } }),
}

const makeVolume: Step<Input, World> = {
  name: 'make-volume',
  needs: ['make-ids', 'persist', 'allocate-host'],
  do: async (ctx: Ctx) => {
    const uuids = volumesOf(idsOf(ctx))
    const statuses = await ctx.world.agents.converge(filesOf(idsOf(ctx)), ctx)
    const sizeOfFile = (uuid: string) =>
      (statuses.find((status) => status.uuid === uuid)?.observed['actualBytes'] as number | undefined) ?? null
    const ready = (k: string): Op => ({ o: 'set', t: 'volume', k, v: { status: 'Ready', actualSize: sizeOfFile(k) } })
    const { cdRomUuid: k } = idsOf(ctx)
    const insert: Op[] = k === undefined ? [] : [{ o: 'set', t: 'vmCdRom', k, v: { inserted: true } }]
    return { change: { ops: [...uuids.map(ready), ...insert] } }
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
    steps: [
      makeIds,
      persist,
      allocateHost,
      allocateNics,
      ...networkPart({ needs: ['allocate-host', 'allocate-nics'] }),
      makeVolume,
      powerOn,
      boot,
    ],
    finish,
  }),
  check: (given) => {
    checkCreate(given)
    checkAskedCards(given.graph, given.params, uniqueL3s(given.params))
  },
  places: ({ params }, graph) => requestOf({ graph, params }),
}
