/** What users may ask for next, drawn by chance of what there is or was: much of it can't be done at that moment, and is refused. */
import type { Row } from '@skerry/contract'
import type { SimWorld } from './world.ts'

const MIB = 1024 ** 2

export type Draw = () => { name: string; params: Row } | undefined

/** uuids of what users have made, whether it is still there or not. */
export interface Made {
  vms: string[]
  /** data volumes */
  volumes: string[]
  rootVolumes: string[]
  snapshots: string[]
  nics: string[]
  l2s: string[]
  hosts: string[]
}

export interface Dice {
  random(): number
  /** another one each time */
  name(kind: string): string
}

export function drawn(world: SimWorld, made: Made, dice: Dice): Draw[] {
  const one = pick(dice)
  const with1 =
    (uuids: readonly string[], name: string, params: (uuid: string) => Row): Draw =>
    () => {
      const uuid = one(uuids)
      return uuid === undefined ? undefined : { name, params: params(uuid) }
    }
  return [...guests(world, made, { dice, with1 }), ...volumes(made, { dice, with1 }), ...grounds(world, made, { dice, with1 })]
}

export const newVm = ({ image, l3, offering }: SimWorld, dice: Dice): Row => ({
  ...{ name: dice.name('vm'), imageUuid: image, l3NetworkUuids: [l3], instanceOfferingUuid: offering },
})

export const newVolume = ({ diskOffering }: SimWorld, dice: Dice): Row => ({
  ...{ name: dice.name('volume'), diskOfferingUuid: diskOffering },
})

export const pick =
  ({ random }: Pick<Dice, 'random'>) =>
  <T>(from: readonly T[]): T | undefined =>
    from[Math.floor(random() * from.length)]

interface By {
  dice: Dice
  with1(uuids: readonly string[], name: string, params: (uuid: string) => Row): Draw
}

function guests(world: SimWorld, { vms, nics }: Made, { dice, with1 }: By): Draw[] {
  const create: Draw = () => ({ name: 'CreateVmInstance', params: newVm(world, dice) })
  const large = { instanceOfferingUuid: undefined, cpuNum: 1, memorySize: 512 * MIB }
  const vm = (name: string, more: () => Row = () => ({})) => with1(vms, name, (uuid) => ({ uuid, ...more() }))
  return [
    ...[create, create, create],
    () => ({ name: 'CreateVmInstance', params: { ...newVm(world, dice), ...large } }),
    () => ({ name: 'CreateDataVolume', params: newVolume(world, dice) }),
    vm('StopVmInstance', () => ({ type: 'cold' })),
    vm('StopVmInstance'),
    vm('StartVmInstance'),
    vm('StartVmInstance'),
    vm('RebootVmInstance'),
    vm('RebootVmInstance'),
    vm('DestroyVmInstance'),
    vm('DestroyVmInstance'),
    vm('ExpungeVmInstance'),
    vm('ExpungeVmInstance'),
    vm('RecoverVmInstance'),
    vm('UpdateVmInstance', () => ({ name: dice.name('renamed') })),
    with1(vms, 'AttachL3NetworkToVm', (vmInstanceUuid) => ({ vmInstanceUuid, l3NetworkUuid: world.l3 })),
    with1(nics, 'DetachL3NetworkFromVm', (vmNicUuid) => ({ vmNicUuid })),
  ]
}

function volumes({ vms, volumes, rootVolumes, snapshots }: Made, { dice, with1 }: By): Draw[] {
  const attach: Draw = () => {
    const [volumeUuid, vmInstanceUuid] = [pick(dice)(volumes), pick(dice)(vms)]
    return volumeUuid && vmInstanceUuid ? { name: 'AttachDataVolumeToVm', params: { volumeUuid, vmInstanceUuid } } : undefined
  }
  const just = (uuids: readonly string[], name: string) => with1(uuids, name, (uuid) => ({ uuid }))
  const snapshot = (uuids: readonly string[]) =>
    with1(uuids, 'CreateVolumeSnapshot', (volumeUuid) => ({ volumeUuid, name: dice.name('snapshot') }))
  return [
    ...[attach, attach],
    just(volumes, 'DetachDataVolumeFromVm'),
    just(volumes, 'DeleteDataVolume'),
    just(volumes, 'ExpungeDataVolume'),
    snapshot(rootVolumes),
    snapshot(volumes),
    just(snapshots, 'RevertVolumeFromSnapshot'),
    just(snapshots, 'DeleteVolumeSnapshot'),
  ]
}

/** What only an administrator may: hosts and networks. */
function grounds({ zone, cluster, l3 }: SimWorld, { l2s, hosts }: Made, { dice, with1 }: By): Draw[] {
  const state = (stateEvent: string) => with1(hosts, 'ChangeHostState', (uuid) => ({ uuid, stateEvent }))
  const dns = () => `192.0.2.${Math.floor(dice.random() * 250)}`
  return [
    () => ({
      name: 'CreateL2NoVlanNetwork',
      params: { name: dice.name('l2-'), zoneUuid: zone, physicalInterface: 'none' },
    }),
    with1(l2s, 'AttachL2NetworkToCluster', (l2NetworkUuid) => ({ l2NetworkUuid, clusterUuid: cluster })),
    with1(l2s, 'DeleteL2Network', (uuid) => ({ uuid })),
    () => ({ name: 'AddDnsToL3Network', params: { l3NetworkUuid: l3, dns: dns() } }),
    state(dice.random() < 0.5 ? 'maintain' : 'disable'),
    ...[state('enable'), state('enable')],
    with1(hosts, 'ReconnectHost', (uuid) => ({ uuid })),
  ]
}
