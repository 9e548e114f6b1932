/** VM instances before what ZStack's clients do with them besides starting and stopping is proven. */
import { type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { after, type Before, created, on, ran, vm } from './before.ts'
import { GIB, id, u } from './world.ts'

const offering = id('larger')
const larger = on('instanceOffering', offering, { name: 'larger', cpuNum: 2, memorySize: 2 * GIB })
const at = (params: Row) => on('vmInstance', u.vm, params)
const stopped: [string, ReturnType<typeof on>] = ['vm.stop', vm]
/** Another network on the same host. */
const l3 = id('other')
export const otherNetwork: [string, ReturnType<typeof on>][] = [
  ['l2Network.create', on('l2Network', id('otherL2'), { name: 'other', zoneUuid: u.zone, physicalInterface: 'none' })],
  ['l2Network.attach', on('l2Network', id('otherL2'), { l2NetworkUuid: id('otherL2'), clusterUuid: u.cluster })],
  ['l3Network.create', on('l3Network', l3, { name: 'other', l2NetworkUuid: id('otherL2') })],
  [
    'ipRange.add',
    on('ipRange', id('otherRange'), {
      name: 'other',
      l3NetworkUuid: l3,
      startIp: '10.9.0.10',
      endIp: '10.9.0.20',
      netmask: '255.255.255.0',
      gateway: '10.9.0.1',
    }),
  ],
  ['l3Network.attachServices', on('l3Network', l3, { l3NetworkUuid: l3, networkServices: { [VROUTER_PROVIDER]: ['DHCP'] } })],
]
const nic = at({ vmInstanceUuid: u.vm, l3NetworkUuid: l3, staticIp: '10.9.0.15', customMac: 'fa:00:00:00:00:15' })
/** Takes out the card that the VM was created with. */
const itsNic =
  (earlier: [string, ReturnType<typeof on>][]): Before =>
  async (w) => {
    await after(earlier, vm)(w)
    return on('vmNic', [...w.state.graph.by('vmNic', 'vmInstanceUuid', u.vm)][0]!)
  }
/** Of the disk that a running VM boots from. `earlier`: limits that it has by then. */
const onRoot =
  (params: Row, earlier?: Row): Before =>
  async (w) => {
    await after([created], vm)(w)
    const root = w.state.graph.get('vmInstance', u.vm)!['rootVolumeUuid'] as string
    if (earlier) await ran(w, 'volume.setQos', on('volume', root, earlier))
    return on('volume', root, params)
  }
const key = `ssh-ed25519 ${'A'.repeat(68)} me`

export const vmCases: Record<string, Before> = {
  'vm.pause': after([created], vm),
  'vm.resume': after([created, ['vm.pause', vm]], vm),
  'vm.update': after([created, stopped], at({ name: 'renamed', cpuNum: 2, memorySize: 2 * GIB })),
  'vm.changeOffering': after(
    [created, stopped, ['instanceOffering.create', larger]],
    at({ vmInstanceUuid: u.vm, instanceOfferingUuid: offering }),
  ),
  'vm.setBootOrder': after([created], at({ bootOrder: ['CdRom', 'HardDisk'] })),
  'volume.setQos': onRoot({ totalIOPS: 7 }),
  'volume.deleteQos': onRoot({ mode: 'all' }, { totalIOPS: 7, readBandwidth: 4096 }),
  'vm.attachNic': after([created, ...otherNetwork], nic),
  'vm.detachNic': itsNic([created]),
  'vm.setHostname': after([created, ['vm.setHostname', at({ hostname: 'before' })]], at({ hostname: 'web' })),
  'vm.deleteHostname': after([created, ['vm.setHostname', at({ hostname: 'web' })]], vm),
  'vm.setSshKey': after([created], at({ SshKey: key })),
  'vm.deleteSshKey': after([created, ['vm.setSshKey', at({ SshKey: key })]], vm),
}

/** Further ways through the same workflows. */
export const otherVmCases: [sentence: string, workflow: string, before: Before][] = [
  ['a VM that is off', 'vm.attachNic', after([created, stopped, ...otherNetwork], nic)],
  ['a VM that is off', 'vm.detachNic', itsNic([created, ...otherNetwork, ['vm.attachNic', nic], stopped])],
  ['a VM that is paused', 'vm.stop', after([created, ['vm.pause', vm]], vm)],
  ['a VM that was paused and stopped', 'vm.start', after([created, ['vm.pause', vm], stopped], vm)],
]
