/**
 * The name of a VM in the DNS and DHCP of its networks. One label has one VM in a network, whatever the case of its letters: what
 * `hostname::` says goes before what follows from a VM's name, then the older VM; any other gets the head of its uuid behind. Pure.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** A VM's name as a DNS label (RFC 1123), or null when nothing of it is left. */
export function dnsLabel(name: string): string | null {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '')
  return label === '' ? null : label
}

const HOSTNAME = /^hostname::([^.]+)/

/** `hostname::Web.example` → `web`: the network has a domain of its own. Undefined: the tag is about something else. */
const hostLabel = (tag: string): string | undefined => HOSTNAME.exec(tag)?.[1]?.toLowerCase()

/** What VMs are found by when their labels are compared: indexes of the graph. */
export const labelIndexes = {
  vmInstance: { nameLabel: (row: Readonly<Row>) => dnsLabel(row['name'] as string) ?? undefined },
  tag: {
    hostLabel: (row: Readonly<Row>) =>
      row['type'] === 'System' && row['resourceType'] === 'VmInstanceVO' ? hostLabel(row['tag'] as string) : undefined,
  },
}

interface Claim {
  vm: Readonly<Row>
  label: string | null
  /** a tag says so */
  said: boolean
}

/** Host names that tags give a VM, the newest last. */
function saidOf(graph: Graph, vmUuid: string): string[] {
  const rows = [...graph.by('tag', 'resourceUuid', vmUuid)].map((key) => graph.get('tag', key)!)
  return rows
    .filter((row) => labelIndexes.tag.hostLabel(row) !== undefined)
    .sort((a, b) => (isOlder(a, b) ? -1 : 1))
    .map((row) => hostLabel(row['tag'] as string)!)
}

function claimOf(graph: Graph, vm: Readonly<Row>): Claim {
  const said = saidOf(graph, vm['uuid'] as string).at(-1)
  return { vm, label: said ?? dnsLabel(vm['name'] as string), said: said !== undefined }
}

/** Of two rows made in the same millisecond the one with the lesser uuid. */
function isOlder(a: Readonly<Row>, b: Readonly<Row>): boolean {
  const [made, other] = [a['createDate'] as number, b['createDate'] as number]
  return made < other || (made === other && (a['uuid'] as string) < (b['uuid'] as string))
}

const goesBefore = (a: Claim, b: Claim): boolean => (a.said === b.said ? isOlder(a.vm, b.vm) : a.said)

/** VMs other than this one that would have the label. */
function* claims(graph: Graph, label: string, but: unknown): Generator<Claim> {
  const found = new Set<string>()
  for (const key of graph.by('tag', 'hostLabel', label)) found.add(graph.get('tag', key)!['resourceUuid'] as string)
  for (const key of graph.by('vmInstance', 'nameLabel', label)) found.add(key)
  for (const key of found) {
    const vm = key === but ? undefined : graph.get('vmInstance', key)
    const claim = vm && claimOf(graph, vm)
    if (claim?.label === label) yield claim
  }
}

const nicsOf = (graph: Graph, vmUuid: unknown): Readonly<Row>[] =>
  [...graph.by('vmNic', 'vmInstanceUuid', vmUuid)].map((key) => graph.get('vmNic', key)!)

const isIn = (graph: Graph, vmUuid: unknown, l3Uuids: ReadonlySet<unknown>): boolean =>
  nicsOf(graph, vmUuid).some((nic) => l3Uuids.has(nic['l3NetworkUuid']))

/** The name of a NIC in its network; null: the VM's name leaves nothing that could be one. */
export function hostnameOf(graph: Graph, nic: Readonly<Row>): string | null {
  const vm = graph.get('vmInstance', nic['vmInstanceUuid'] as string)
  const own = vm && claimOf(graph, vm)
  if (!own?.label) return null
  const here = new Set([nic['l3NetworkUuid']])
  for (const other of claims(graph, own.label, own.vm['uuid']))
    if (goesBefore(other, own) && isIn(graph, other.vm['uuid'], here))
      return `${own.label.slice(0, 54)}-${(own.vm['uuid'] as string).slice(0, 8)}`
  return own.label
}

/**
 * NICs whose name depends on this VM: for each label that it has or could have, of each network the NIC of the VM that goes before all
 * others. Those others carry their uuid's head whatever becomes of this one.
 */
export function namesakes(graph: Graph, vm: Readonly<Row> | undefined): string[] {
  if (!vm) return []
  const labels = new Set([...saidOf(graph, vm['uuid'] as string), dnsLabel(vm['name'] as string)])
  return [...labels].flatMap((label) => (label === null ? [] : firstNics(graph, label, vm['uuid'])))
}

function firstNics(graph: Graph, label: string, but: unknown): string[] {
  const first = new Map<unknown, { claim: Claim; nics: string[] }>()
  for (const claim of claims(graph, label, but)) {
    for (const nic of nicsOf(graph, claim.vm['uuid'])) {
      const known = first.get(nic['l3NetworkUuid'])
      if (known?.claim.vm === claim.vm) known.nics.push(nic['uuid'] as string)
      else if (!known || goesBefore(claim, known.claim)) first.set(nic['l3NetworkUuid'], { claim, nics: [nic['uuid'] as string] })
    }
  }
  return [...first.values()].flatMap(({ nics }) => nics)
}

/** Networks of a VM. */
export const l3sOf = (graph: Graph, vmUuid: string): string[] =>
  nicsOf(graph, vmUuid).map((nic) => nic['l3NetworkUuid'] as string)

/** Throws `duplicate-name` where the tag gives a VM in these networks the host name that a tag has given another one there. */
export function checkHostname(graph: Graph, of: { tag: string; l3Uuids: readonly string[]; vmUuid?: string }): void {
  const label = hostLabel(of.tag)
  if (label === undefined) return
  const here = new Set<unknown>(of.l3Uuids)
  for (const other of claims(graph, label, of.vmUuid)) {
    if (!other.said || !isIn(graph, other.vm['uuid'], here)) continue
    // Not which one: it may be of another account.
    const message = `another VM instance in the same network has the host name ${label} already`
    throw new SkerryError('duplicate-name', message, { field: 'systemTags', hostname: label })
  }
}
