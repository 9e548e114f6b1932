/** Rows that a VM consists of besides its own: disks and network cards, with what they hold. */
import { type Guard, type Op, type Row, SkerryError, tapName, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { chooseAddress, chooseMac, ipToLong, usedIpKey } from '../place/address.ts'
import { sourceIn, storeFor } from './cdrom.rows.ts'
import { dropBackends } from './load-balancer.rows.ts'
import { rows6 } from './nic.address6.ts'
import { endUses } from './vip.uses.ts'
import { fixedAddress } from './vm.nic.check.ts'
import { diskOf, isIso } from './vm.request.ts'
import { offeredQos } from './volume.limits.ts'
import { oneFile } from './volume.rows.ts'
import { type Ctx, derivedId, need } from './world.ts'

export interface NicIds {
  nicUuid: string
  usedIpUuid: string
  l3NetworkUuid: string
  /** asked for; without one any that is free */
  ip?: string | undefined
  ip6?: string | undefined
  mac?: string | undefined
}

export function volumeRow(ctx: Ctx, at: { uuid: string; hostUuid: string; primaryStorageUuid: string }): Row {
  const { graph, now } = ctx.world
  const p = ctx.input.params
  const image = need(graph, 'image', p['imageUuid'])
  const zone = graph.get('host', at.hostUuid)?.['zoneUuid'] as string
  const store = storeFor(graph, image, zone)
  const uuid = at.uuid
  const pool = need(graph, 'primaryStorage', at.primaryStorageUuid)['url'] as string
  return {
    uuid,
    name: `ROOT-for-${(p['name'] as string).slice(0, 240)}`,
    description: null,
    createDate: now(),
    lastOpDate: now(),
    primaryStorageUuid: at.primaryStorageUuid,
    vmInstanceUuid: ctx.input.uuid,
    diskOfferingUuid: p['rootDiskOfferingUuid'] ?? null,
    rootImageUuid: p['imageUuid'],
    installPath: volumePath(pool, uuid, 'qcow2'),
    type: 'Root',
    format: 'qcow2',
    size: diskOf(graph, p),
    actualSize: null,
    deviceId: 0,
    state: 'Enabled',
    status: 'Creating',
    isShareable: false,
    lastVmInstanceUuid: null,
    lastDetachDate: null,
    lastAttachDate: null,
    localHostUuid: at.hostUuid,
    qos: offeredQos(graph, p['rootDiskOfferingUuid'], p['instanceOfferingUuid']),
    ...oneFile,
    // What a VM is installed from is in its CD drive, and its root disk is empty.
    backing: isIso(image) ? null : { sha256: image['sha256'], format: image['format'], ...sourceIn(store) },
  }
}

/** Rows of one NIC: the card, its address, its MAC; all three can be had once only. */
export function nicRows(ctx: Ctx, nic: NicIds, deviceId: number): { guards: Guard[]; ops: Op[] } {
  const { graph, random, now } = ctx.world
  const l3 = need(graph, 'l3Network', nic.l3NetworkUuid)
  const chosen = nic.ip ? fixedAddress(graph, l3, nic.ip) : chooseAddress(graph, nic.l3NetworkUuid, random)
  if (!chosen)
    throw new SkerryError('no-address', `network ${l3['name']} has no free address left`, { l3NetworkUuid: nic.l3NetworkUuid })
  const mac = nic.mac ?? chooseMac(graph, deviceId, random)
  if (!mac) throw new SkerryError('no-mac', 'no free MAC address was found', { l3NetworkUuid: nic.l3NetworkUuid })
  const { ip, range } = chosen
  const dates = { createDate: now(), lastOpDate: now() }
  const uuid = nic.nicUuid
  const at = { l3NetworkUuid: nic.l3NetworkUuid, ip, netmask: range['netmask'], gateway: range['gateway'], ipVersion: 4 }
  const usedIp = {
    uuid: nic.usedIpUuid,
    name: ip,
    ...at,
    ipRangeUuid: range['uuid'],
    ipInLong: ipToLong(ip),
    usedFor: null,
    vmNicUuid: uuid,
  }
  const card = { uuid, name: `nic${deviceId}`, vmInstanceUuid: ctx.input.uuid, ...at, mac, internalName: tapName(uuid), deviceId }
  const kind = { hypervisorType: 'KVM', driverType: 'virtio', type: 'VNIC', state: 'enable', unplugged: false }
  const key = usedIpKey(nic.l3NetworkUuid, ip)
  const six = rows6(ctx, {
    nicUuid: uuid,
    l3NetworkUuid: nic.l3NetworkUuid,
    mac,
    usedIpUuid: derivedId(ctx, `${uuid}/6`),
    ip: nic.ip6,
  })
  return {
    guards: [
      { g: 'absent', t: 'usedIp', k: key },
      { g: 'absent', t: 'usedMac', k: mac },
      { g: 'absent', t: 'vmNic', k: uuid },
      // by version: addresses of it may be reserved meanwhile
      { g: 'version', t: 'ipRange', k: range['uuid'] as string, seq: graph.version('ipRange', range['uuid'] as string)! },
      ...six.guards,
    ],
    ops: [
      { o: 'put', t: 'usedIp', k: key, v: { ...usedIp, ...dates } },
      { o: 'put', t: 'usedMac', k: mac, v: { uuid, name: mac, vmNicUuid: uuid, ...dates } },
      { o: 'put', t: 'vmNic', k: uuid, v: { ...card, ...kind, ...dates } },
      ...six.ops,
    ],
  }
}

/** Removes a NIC with the address and MAC that it holds. */
export const dropNic = (graph: Graph, nic: string): Op[] => [
  ...endUses(graph, (table) => new Set(table === 'vmNic' ? [nic] : [])),
  ...dropBackends(graph, nic),
  ...[...graph.by('usedIp', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedIp', k })),
  ...[...graph.by('usedMac', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedMac', k })),
  { o: 'del', t: 'vmNic', k: nic },
]

/** Removes a VM's NICs. */
export const dropNics = (graph: Graph, vmUuid: string): Op[] =>
  [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].flatMap((nic) => dropNic(graph, nic))
