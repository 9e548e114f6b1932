/** A new VM: rows first, each guarded; then what the hosts must make, in the order in which one needs the other. */
import { type Guard, type Op, type Row, SkerryError, tapName, volumePath } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { chooseAddress, chooseMac, ipToLong, usedIpKey } from '../place/address.ts'
import { placeVm, RESERVED_DISK, RESERVED_MEMORY } from '../place/host.ts'
import { input } from './input.ts'
import { chooseRouters } from './vm.router.ts'
import { moveVm, needsOf, releaseHost, reserveHost } from './vm.state.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, need, needEnabled } from './world.ts'

/** How long a failed creation waits for agents to clean up before it says so; their tombstones stay. */
const CLEAN_UP_MS = 30_000
const ids = z.object({ rootVolumeUuid: z.string(), nics: z.array(z.object({ nicUuid: z.string(), usedIpUuid: z.string(), l3NetworkUuid: z.string() })) })
type Ids = z.infer<typeof ids>
const idsOf = (ctx: Ctx) => ctx.outputs['make-ids'] as Ids
const vmOf = (ctx: Ctx) => ctx.world.graph.get('vmInstance', ctx.input.uuid) as Row | undefined
const starts = (ctx: Ctx) => ctx.input.params['strategy'] !== 'CreateStopped'

/** CPU and memory: the offering's, unless the call says its own (0 says nothing). */
function sizeOf(graph: Ctx['world']['graph'], params: Row): { cpuNum: number; memorySize: number } {
  const offering = params['instanceOfferingUuid'] ? needEnabled(graph, 'instanceOffering', params['instanceOfferingUuid']) : undefined
  const cpuNum = (offering?.['cpuNum'] ?? params['cpuNum'] ?? 0) as number
  const memorySize = (offering?.['memorySize'] ?? params['memorySize'] ?? 0) as number
  if (cpuNum < 1 || memorySize < 16 * 1024 ** 2) throw new SkerryError('invalid-argument', 'give an instanceOfferingUuid, or cpuNum ≥ 1 and memorySize ≥ 16 MiB', { cpuNum, memorySize })
  return { cpuNum, memorySize }
}

/** Size of the root volume: what is asked for, at least the image's virtual size. */
function diskOf(graph: Ctx['world']['graph'], params: Row): number {
  const image = need(graph, 'image', params['imageUuid'])
  const offering = params['rootDiskOfferingUuid'] ? needEnabled(graph, 'diskOffering', params['rootDiskOfferingUuid']) : undefined
  const asked = (offering?.['diskSize'] ?? params['rootDiskSize'] ?? 0) as number
  if (asked > 0 && asked < (image['size'] as number)) throw new SkerryError('invalid-argument', `the root disk (${asked} bytes) is smaller than image ${image['name']} (${image['size']} bytes)`, { asked, imageSize: image['size'] })
  return Math.max(asked, image['size'] as number)
}

const uniqueL3s = (params: Row) => params['l3NetworkUuids'] as string[]

function checkCreate({ graph, params, uuid }: CheckInput): void {
  if (graph.get('vmInstance', uuid)) throw new SkerryError('duplicate-uuid', `a VM instance with uuid ${uuid} exists`, { uuid })
  sizeOf(graph, params)
  const image = needEnabled(graph, 'image', params['imageUuid'])
  if (image['status'] !== 'Ready') throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}, it must be Ready`, { uuid: image['uuid'], state: image['status'], allowed: ['Ready'] })
  if (image['format'] === 'iso') throw new SkerryError('invalid-argument', `image ${image['name']} is an ISO: it has no root disk`, { imageUuid: image['uuid'] })
  diskOf(graph, params)
  const l3s = uniqueL3s(params)
  if (new Set(l3s).size !== l3s.length) throw new SkerryError('invalid-argument', 'l3NetworkUuids names a network twice')
  for (const l3 of l3s) needEnabled(graph, 'l3Network', l3)
  const byDefault = params['defaultL3NetworkUuid']
  if (byDefault && !l3s.includes(byDefault as string)) throw new SkerryError('invalid-argument', 'defaultL3NetworkUuid is not among l3NetworkUuids')
  for (const [field, table] of [['zoneUuid', 'zone'], ['clusterUuid', 'cluster'], ['hostUuid', 'host'], ['primaryStorageUuidForRootVolume', 'primaryStorage']] as const) if (params[field]) need(graph, table, params[field])
  placeVm(graph, requestOf({ graph, params }))
}

function requestOf({ graph, params }: { graph: Ctx['world']['graph']; params: Row }) {
  const image = need(graph, 'image', params['imageUuid'])
  const stores = (image['backupStorageRefs'] as { backupStorageUuid: string }[]).map((r) => graph.get('backupStorage', r.backupStorageUuid))
  const { cpuNum, memorySize } = sizeOf(graph, params)
  return {
    ...(params['zoneUuid'] ? { zoneUuid: params['zoneUuid'] as string } : {}), ...(params['clusterUuid'] ? { clusterUuid: params['clusterUuid'] as string } : {}), ...(params['hostUuid'] ? { hostUuid: params['hostUuid'] as string } : {}),
    ...(params['primaryStorageUuidForRootVolume'] ? { primaryStorageUuid: params['primaryStorageUuidForRootVolume'] as string } : {}),
    cpuNum, memoryBytes: memorySize, diskBytes: diskOf(graph, params), l3NetworkUuids: uniqueL3s(params), imageZones: stores.flatMap((s) => (s ? (s['attachedZoneUuids'] as string[]) : [])),
  }
}

const makeIds: Step<any, any> = {
  name: 'make-ids', output: ids,
  do: (ctx: Ctx) => ({ output: { rootVolumeUuid: derivedId(ctx, 'root'), nics: uniqueL3s(ctx.input.params).map((l3NetworkUuid, i) => ({ nicUuid: derivedId(ctx, `nic${i}`), usedIpUuid: derivedId(ctx, `ip${i}`), l3NetworkUuid })) } }),
  // The first step's undo is the last to run: by then all rows are gone, and agents are removing what they had made.
  undo: async (ctx: Ctx) => {
    const made = ctx.outputs['make-ids'] as Ids | undefined
    if (made) await ctx.world.agents.gone([`vm/${ctx.input.uuid}`, `volume/${made.rootVolumeUuid}`, ...made.nics.map((n) => `lease/${n.nicUuid}`)], CLEAN_UP_MS)
  },
}

const persist: Step<any, any> = {
  name: 'persist',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    if (vmOf(ctx)) return {}
    const p = ctx.input.params
    const image = need(graph, 'image', p['imageUuid'])
    const row: Row = {
      ...baseRow(ctx), ...sizeOf(graph, p), zoneUuid: p['zoneUuid'] ?? null, clusterUuid: null, hostUuid: null, lastHostUuid: null, imageUuid: p['imageUuid'], instanceOfferingUuid: p['instanceOfferingUuid'] ?? null,
      rootVolumeUuid: idsOf(ctx).rootVolumeUuid, defaultL3NetworkUuid: p['defaultL3NetworkUuid'] ?? uniqueL3s(p)[0], platform: p['platform'] ?? image['platform'], architecture: image['architecture'], type: 'UserVm', hypervisorType: 'KVM',
      reservedMemorySize: 0, cpuSpeed: 0, allocatorStrategy: 'LeastVmPreferredHostAllocatorStrategy', state: 'Created', guestOsType: p['guestOsType'] ?? image['guestOsType'] ?? null, stateCause: null,
      placementEpoch: 0, power: 'Stopped', powerCause: 'api', powerMode: 'grace', destroyedAt: null,
    }
    return { change: { guards: [{ g: 'absent', t: 'vmInstance', k: ctx.input.uuid }, { g: 'exists', t: 'image', k: p['imageUuid'] as string }], ops: [{ o: 'put', t: 'vmInstance', k: ctx.input.uuid, v: row }], facts: [{ noun: 'vmInstance', uuid: ctx.input.uuid, event: 'created' }] } }
  },
  undo: (ctx: Ctx) => (vmOf(ctx) ? { change: { ops: [{ o: 'del' as const, t: 'vmInstance', k: ctx.input.uuid }] } } : {}),
}

const allocateHost: Step<any, any> = {
  name: 'allocate-host',
  output: z.object({ hostUuid: z.string(), primaryStorageUuid: z.string() }),
  do: (ctx: Ctx) => {
    const vm = vmOf(ctx)!
    const had = ctx.outputs['allocate-host']
    if (vm['hostUuid'] && had) return { output: had }
    const at = placeVm(ctx.world.graph, requestOf({ graph: ctx.world.graph, params: ctx.input.params }))
    const reserve = reserveHost(at.hostUuid, vm, RESERVED_MEMORY)
    return {
      output: { hostUuid: at.hostUuid, primaryStorageUuid: at.primaryStorageUuid },
      change: { guards: [...reserve.guards, { g: 'field', t: 'vmInstance', k: ctx.input.uuid, field: 'hostUuid', in: [null] }], ops: [...reserve.ops, { o: 'set', t: 'vmInstance', k: ctx.input.uuid, v: { hostUuid: at.hostUuid, clusterUuid: at.clusterUuid, zoneUuid: at.zoneUuid, placementEpoch: 1 } }] },
    }
  },
  undo: (ctx: Ctx) => {
    const vm = vmOf(ctx)
    if (!vm?.['hostUuid']) return {}
    return { change: { ops: [...releaseHost(ctx.world.graph, vm['hostUuid'], vm), { o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { hostUuid: null, clusterUuid: null, placementEpoch: 0 } }] } }
  },
}

function volumeRow(ctx: Ctx, at: { hostUuid: string; primaryStorageUuid: string }): Row {
  const { graph, now } = ctx.world
  const p = ctx.input.params
  const image = need(graph, 'image', p['imageUuid'])
  const zone = graph.get('host', at.hostUuid)?.['zoneUuid'] as string
  const store = (image['backupStorageRefs'] as { backupStorageUuid: string }[]).map((r) => graph.get('backupStorage', r.backupStorageUuid)).find((s) => s && (s['attachedZoneUuids'] as string[]).includes(zone))
  if (!store) throw new SkerryError('no-backup-storage', `no backup storage of this zone holds image ${image['name']}`, { imageUuid: image['uuid'] })
  const uuid = idsOf(ctx).rootVolumeUuid
  const pool = need(graph, 'primaryStorage', at.primaryStorageUuid)['url'] as string
  return {
    uuid, name: `ROOT-for-${(p['name'] as string).slice(0, 240)}`, description: null, createDate: now(), lastOpDate: now(), primaryStorageUuid: at.primaryStorageUuid, vmInstanceUuid: ctx.input.uuid, diskOfferingUuid: p['rootDiskOfferingUuid'] ?? null,
    rootImageUuid: p['imageUuid'], installPath: volumePath(pool, uuid, 'qcow2'), type: 'Root', format: 'qcow2', size: diskOf(graph, p), actualSize: null, deviceId: 0, state: 'Enabled', status: 'Creating', isShareable: false,
    lastVmInstanceUuid: null, lastDetachDate: null, lastAttachDate: null, localHostUuid: at.hostUuid, backing: { sha256: image['sha256'], format: image['format'], storePath: store['url'] },
  }
}

const allocateVolume: Step<any, any> = {
  name: 'allocate-volume',
  do: (ctx: Ctx) => {
    const uuid = idsOf(ctx).rootVolumeUuid
    if (ctx.world.graph.get('volume', uuid)) return {}
    const at = ctx.outputs['allocate-host'] as { hostUuid: string; primaryStorageUuid: string }
    const row = volumeRow(ctx, at)
    const part = `${at.primaryStorageUuid}:${at.hostUuid}`
    const size = row['size'] as number
    return {
      change: {
        guards: [{ g: 'absent', t: 'volume', k: uuid }, { g: 'counter', t: 'localStorageHost', k: part, field: 'availableCapacity', delta: -size, min: RESERVED_DISK }],
        ops: [{ o: 'put', t: 'volume', k: uuid, v: row }, { o: 'add', t: 'localStorageHost', k: part, field: 'availableCapacity', delta: -size }, { o: 'add', t: 'primaryStorage', k: at.primaryStorageUuid, field: 'availableCapacity', delta: -size }],
        facts: [{ noun: 'volume', uuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) => ({ change: { ops: dropVolumes(ctx.world.graph, ctx.input.uuid) } }),
}

/** Removes a VM's volume rows and gives their room back. */
export function dropVolumes(graph: Ctx['world']['graph'], vmUuid: string): Op[] {
  return [...graph.by('volume', 'vmInstanceUuid', vmUuid)].flatMap((key): Op[] => {
    const volume = graph.get('volume', key)!
    const part = `${volume['primaryStorageUuid']}:${volume['localHostUuid']}`
    const size = volume['size'] as number
    return [
      { o: 'del', t: 'volume', k: key },
      ...(graph.get('localStorageHost', part) ? [{ o: 'add' as const, t: 'localStorageHost', k: part, field: 'availableCapacity', delta: size }] : []),
      ...(graph.get('primaryStorage', volume['primaryStorageUuid'] as string) ? [{ o: 'add' as const, t: 'primaryStorage', k: volume['primaryStorageUuid'] as string, field: 'availableCapacity', delta: size }] : []),
    ]
  })
}

/** Rows of one NIC: the card, its address, its MAC; all three can be had once only. */
function nicRows(ctx: Ctx, nic: Ids['nics'][number], deviceId: number): { guards: Guard[]; ops: Op[] } {
  const { graph, random, now } = ctx.world
  const l3 = need(graph, 'l3Network', nic.l3NetworkUuid)
  const chosen = chooseAddress(graph, nic.l3NetworkUuid, random)
  if (!chosen) throw new SkerryError('no-address', `network ${l3['name']} has no free address left`, { l3NetworkUuid: nic.l3NetworkUuid })
  const mac = chooseMac(graph, deviceId, random)
  if (!mac) throw new SkerryError('no-mac', 'no free MAC address was found', { l3NetworkUuid: nic.l3NetworkUuid })
  const { ip, range } = chosen
  const dates = { createDate: now(), lastOpDate: now() }
  const at = { l3NetworkUuid: nic.l3NetworkUuid, ip, netmask: range['netmask'], gateway: range['gateway'], ipVersion: 4 }
  const key = usedIpKey(nic.l3NetworkUuid, ip)
  return {
    guards: [{ g: 'absent', t: 'usedIp', k: key }, { g: 'absent', t: 'usedMac', k: mac }, { g: 'absent', t: 'vmNic', k: nic.nicUuid }, { g: 'exists', t: 'ipRange', k: range['uuid'] as string }],
    ops: [
      { o: 'put', t: 'usedIp', k: key, v: { uuid: nic.usedIpUuid, name: ip, ...at, ipRangeUuid: range['uuid'], ipInLong: ipToLong(ip), usedFor: null, vmNicUuid: nic.nicUuid, ...dates } },
      { o: 'put', t: 'usedMac', k: mac, v: { uuid: nic.nicUuid, name: mac, vmNicUuid: nic.nicUuid, ...dates } },
      { o: 'put', t: 'vmNic', k: nic.nicUuid, v: { uuid: nic.nicUuid, name: `nic${deviceId}`, vmInstanceUuid: ctx.input.uuid, ...at, mac, hypervisorType: 'KVM', driverType: 'virtio', internalName: tapName(nic.nicUuid), deviceId, type: 'VNIC', state: 'enable', ...dates } },
    ],
  }
}

const allocateNics: Step<any, any> = {
  name: 'allocate-nics',
  do: (ctx: Ctx) => {
    const parts = idsOf(ctx).nics.map((nic, i) => (ctx.world.graph.get('vmNic', nic.nicUuid) ? { guards: [], ops: [] } : nicRows(ctx, nic, i)))
    return { change: { guards: parts.flatMap((x) => x.guards), ops: parts.flatMap((x) => x.ops) } }
  },
  undo: (ctx: Ctx) => ({ change: { ops: dropNics(ctx.world.graph, ctx.input.uuid) } }),
}

/** Removes a VM's NICs with the addresses and MACs that they hold. */
export function dropNics(graph: Ctx['world']['graph'], vmUuid: string): Op[] {
  return [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].flatMap((nic): Op[] => [
    ...[...graph.by('usedIp', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedIp', k })),
    ...[...graph.by('usedMac', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedMac', k })),
    { o: 'del', t: 'vmNic', k: nic },
  ])
}

const makeNetwork: Step<any, any> = { name: 'make-network', do: async (ctx: Ctx) => void (await ctx.world.agents.converge(needsOf(ctx.world.graph, ctx.input.uuid), ctx)), noUndo: 'removing the NICs removes their leases; bridges and routers belong to the networks' }

const makeVolume: Step<any, any> = {
  name: 'make-volume',
  do: async (ctx: Ctx) => {
    const uuid = idsOf(ctx).rootVolumeUuid
    const [status] = await ctx.world.agents.converge([`volume/${uuid}`], ctx)
    return { change: { ops: [{ o: 'set', t: 'volume', k: uuid, v: { status: 'Ready', actualSize: (status?.observed['actualBytes'] as number | undefined) ?? null } }] } }
  },
  // The domain goes before its disk does.
  undo: async (ctx: Ctx) => void (await ctx.world.agents.gone([`vm/${ctx.input.uuid}`], CLEAN_UP_MS)),
}

const powerOn: Step<any, any> = {
  name: 'power-on', when: starts,
  do: (ctx: Ctx) => ({ change: moveVm(ctx, 'starting', { power: 'Running', powerCause: 'api' }) }),
  undo: (ctx: Ctx) => (vmOf(ctx) ? { change: { ops: [{ o: 'set' as const, t: 'vmInstance', k: ctx.input.uuid, v: { state: 'Created', power: 'Stopped' } }] } } : {}),
}

const boot: Step<any, any> = { name: 'boot', when: starts, do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`vm/${ctx.input.uuid}`], ctx)), noUndo: 'taking the power back removes the domain' }

/** Last, in the commit that ends the job: Running, or Stopped on the host that holds its disk. */
function finish(ctx: Ctx) {
  if (starts(ctx)) return { change: moveVm(ctx, 'running') }
  const vm = vmOf(ctx)!
  const moved = moveVm(ctx, 'stopped', { hostUuid: null, lastHostUuid: vm['hostUuid'] })
  return { change: { ...moved, ops: [...moved.ops, ...releaseHost(ctx.world.graph, vm['hostUuid'], vm)] } }
}

export const vmCreate: Action = {
  workflow: defineWorkflow<any, any>({ name: 'vm.create', version: 1, input, steps: [makeIds, persist, allocateHost, allocateVolume, allocateNics, chooseRouters, makeNetwork, makeVolume, powerOn, boot], finish }),
  check: checkCreate,
}
