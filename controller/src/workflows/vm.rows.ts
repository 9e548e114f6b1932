/** Rows that a VM consists of besides its own: disks and network cards, with what they hold. */
import { type Guard, type Op, type Row, SkerryError, tapName, volumePath } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { chooseAddress, chooseMac, ipToLong, usedIpKey } from '../place/address.ts'
import { diskOf } from './vm.request.ts'
import { type Ctx, need } from './world.ts'

export interface NicIds {
  nicUuid: string
  usedIpUuid: string
  l3NetworkUuid: string
}

export function volumeRow(ctx: Ctx, at: { uuid: string; hostUuid: string; primaryStorageUuid: string }): Row {
  const { graph, now } = ctx.world
  const p = ctx.input.params
  const image = need(graph, 'image', p['imageUuid'])
  const zone = graph.get('host', at.hostUuid)?.['zoneUuid'] as string
  const store = (image['backupStorageRefs'] as { backupStorageUuid: string }[])
    .map((r) => graph.get('backupStorage', r.backupStorageUuid))
    .find((s) => s && (s['attachedZoneUuids'] as string[]).includes(zone))
  if (!store)
    throw new SkerryError('no-backup-storage', `no backup storage of this zone holds image ${image['name']}`, {
      imageUuid: image['uuid'],
    })
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
    backing: { sha256: image['sha256'], format: image['format'], storePath: store['url'] },
  }
}

/** Removes a VM's volume rows and gives their room back. */
export function dropVolumes(graph: Graph, vmUuid: string): Op[] {
  return [...graph.by('volume', 'vmInstanceUuid', vmUuid)].flatMap((key): Op[] => {
    const volume = graph.get('volume', key)!
    const part = `${volume['primaryStorageUuid']}:${volume['localHostUuid']}`
    const size = volume['size'] as number
    return [
      { o: 'del', t: 'volume', k: key },
      ...(graph.get('localStorageHost', part)
        ? [{ o: 'add' as const, t: 'localStorageHost', k: part, field: 'availableCapacity', delta: size }]
        : []),
      ...(graph.get('primaryStorage', volume['primaryStorageUuid'] as string)
        ? [
            {
              o: 'add' as const,
              t: 'primaryStorage',
              k: volume['primaryStorageUuid'] as string,
              field: 'availableCapacity',
              delta: size,
            },
          ]
        : []),
    ]
  })
}

/** Rows of one NIC: the card, its address, its MAC; all three can be had once only. */
export function nicRows(ctx: Ctx, nic: NicIds, deviceId: number): { guards: Guard[]; ops: Op[] } {
  const { graph, random, now } = ctx.world
  const l3 = need(graph, 'l3Network', nic.l3NetworkUuid)
  const chosen = chooseAddress(graph, nic.l3NetworkUuid, random)
  if (!chosen)
    throw new SkerryError('no-address', `network ${l3['name']} has no free address left`, { l3NetworkUuid: nic.l3NetworkUuid })
  const mac = chooseMac(graph, deviceId, random)
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
  const kind = { hypervisorType: 'KVM', driverType: 'virtio', type: 'VNIC', state: 'enable' }
  const key = usedIpKey(nic.l3NetworkUuid, ip)
  return {
    guards: [
      { g: 'absent', t: 'usedIp', k: key },
      { g: 'absent', t: 'usedMac', k: mac },
      { g: 'absent', t: 'vmNic', k: uuid },
      { g: 'exists', t: 'ipRange', k: range['uuid'] as string },
    ],
    ops: [
      { o: 'put', t: 'usedIp', k: key, v: { ...usedIp, ...dates } },
      { o: 'put', t: 'usedMac', k: mac, v: { uuid, name: mac, vmNicUuid: uuid, ...dates } },
      { o: 'put', t: 'vmNic', k: uuid, v: { ...card, ...kind, ...dates } },
    ],
  }
}

/** Removes a VM's NICs with the addresses and MACs that they hold. */
export function dropNics(graph: Graph, vmUuid: string): Op[] {
  return [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].flatMap((nic): Op[] => [
    ...[...graph.by('usedIp', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedIp', k })),
    ...[...graph.by('usedMac', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedMac', k })),
    { o: 'del', t: 'vmNic', k: nic },
  ])
}
