/** What a VM's guest is told at its first boot, from its system tags. Pure. A VM without such tags has no seed: it asks DHCP, as any machine. */
import type { kvmDesired, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type GuestTags, guestTagsOf } from '../engine/guest-tags.ts'
import { hasRouted } from './flat.ts'
import { dnsLabel } from './host-names.ts'
import { hasService } from './router.ts'

/** What a VM's tags tell its guest; undefined: nothing. */
export function guestTags(graph: Graph, vm: Readonly<Row>): GuestTags | undefined {
  const uuid = vm['uuid'] as string
  const rows = [...graph.by('tag', 'resourceUuid', uuid)].map((key) => graph.get('tag', key)!)
  // The oldest first, and always in the same order: another order would be another document.
  rows.sort(
    (a, b) =>
      (a['createDate'] as number) - (b['createDate'] as number) || ((a['uuid'] as string) < (b['uuid'] as string) ? -1 : 1),
  )
  return guestTagsOf(rows.filter((row) => row['type'] === 'System').map((row) => row['tag'] as string))
}

/** Keys that are attached to a VM, the oldest first. */
function attachedKeys(graph: Graph, vmUuid: string): string[] {
  const rows = [...graph.by('sshKeyPair', 'vmInstanceUuids', vmUuid)].map((key) => graph.get('sshKeyPair', key)!)
  rows.sort(
    (a, b) => (a['createDate'] as number) - (b['createDate'] as number) || (String(a['uuid']) < String(b['uuid']) ? -1 : 1),
  )
  return rows.map((row) => row['publicKey'] as string)
}

/** What a VM's guest is told, whichever way; `said`: by tags or keys. */
export function toldGuest(graph: Graph, vm: Readonly<Row>) {
  const uuid = vm['uuid'] as string
  const tags = guestTags(graph, vm)
  const attached = attachedKeys(graph, uuid)
  return {
    said: tags !== undefined || attached.length > 0,
    hostname: tags?.hostname ?? dnsLabel(vm['name'] as string) ?? `vm-${uuid.slice(0, 8)}`,
    sshKeys: [...new Set([...(tags?.sshKeys ?? []), ...attached])],
    userData: tags?.userData ?? null,
  }
}

export function seedOf(graph: Graph, vm: Readonly<Row>): kvmDesired.GuestSeed | undefined {
  const { said, ...told } = toldGuest(graph, vm)
  return said ? { ...told, nics: nicsOf(graph, vm) } : undefined
}

function nicsOf(graph: Graph, vm: Readonly<Row>): kvmDesired.GuestSeed['nics'] {
  const rows = [...graph.by('vmNic', 'vmInstanceUuid', vm['uuid'])].map((key) => graph.get('vmNic', key)!)
  rows.sort((a, b) => (a['deviceId'] as number) - (b['deviceId'] as number))
  const leading = rows.find((nic) => nic['l3NetworkUuid'] === vm['defaultL3NetworkUuid']) ?? rows[0]
  return rows.map((nic) => {
    const l3 = graph.get('l3Network', nic['l3NetworkUuid'] as string) as Row
    const gateway = nic['gateway'] as string
    return {
      mac: nic['mac'] as string,
      dhcp: hasService(l3, 'DHCP'),
      defaultRoute: nic === leading,
      address: `${nic['ip']}/${prefixOf(nic['netmask'] as string)}`,
      gateway,
      dns: hasRouted(l3, 'DNS') ? [gateway] : (l3['dns'] as string[]).filter((ip) => !ip.includes(':')),
      search: (l3['dnsDomain'] as string | null | undefined) ?? null,
    }
  })
}

/** `255.255.255.0` → 24. */
const prefixOf = (netmask: string): number =>
  netmask.split('.').reduce((bits, part) => bits + Number(part).toString(2).replaceAll('0', '').length, 0)

/** VMs of a network whose guests are told about it. */
export const seededIn = (graph: Graph, l3Uuid: string): string[] =>
  [...graph.by('vmNic', 'l3NetworkUuid', l3Uuid)].map((key) => graph.get('vmNic', key)!['vmInstanceUuid'] as string)
