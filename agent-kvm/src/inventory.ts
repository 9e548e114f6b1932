/** Everything of ours on this host, also what nobody wants: what an audit compares with the graph. */
import type { InventoryItem, kvmDesired } from '@skerry/contract'
import { type Host, ownerOf } from '@skerry/host'
import { type DomainRow, type Libvirt, markNamespace, parseDomain, parseMark } from '@skerry/libvirt'
import type { DesiredSource } from '@skerry/reconcile'
import { ADOPTED } from './vms/definition.ts'
import { isOurs } from './vms/observe.ts'

const TIMEOUT_MS = 10_000
const TAP = /^sktp/
const BRIDGE = /^skbr/

export interface InventoryPorts {
  libvirt: Libvirt
  host: Host
  /** Which NIC a tap is for: its name holds only a part of the uuid. */
  ledger: DesiredSource
}

export async function inventory(ports: InventoryPorts): Promise<InventoryItem[]> {
  const [domains, links] = await Promise.all([domainItems(ports), linkItems(ports)])
  return [...domains, ...links]
}

const powers: Readonly<Record<string, string>> = {
  shutoff: 'Stopped',
  paused: 'Paused',
  pmsuspended: 'Paused',
  crashed: 'Crashed',
  nostate: 'Unknown',
}

const isAdopted = (row: DomainRow) => parseMark(row.metadata)?.hash === ADOPTED

async function domainItems({ libvirt, ledger }: InventoryPorts): Promise<InventoryItem[]> {
  const wanted = new Set([...ledger.entries('vm')].map(({ uuid }) => uuid))
  const all = await libvirt.call('listDomains', { metadataUri: markNamespace }, { timeoutMs: TIMEOUT_MS })
  // One that is only about to be adopted is somebody else's.
  const rows = all.filter((row) => isOurs(row) && (!isAdopted(row) || wanted.has(row.uuid)))
  return Promise.all(
    rows.map(async (row) => {
      const { uuid, state, id } = row
      const { disks, nics } = parseDomain(await libvirt.call('domainXml', { uuid }, { timeoutMs: TIMEOUT_MS }))
      const facts = {
        power: powers[state] ?? 'Running',
        disks: disks.flatMap((d) => (d.file === null || d.readonly ? [] : [d.file])),
        taps: nics.flatMap((n) => n.tap ?? []),
        ...(id !== null && isAdopted(row) ? { adopted: true } : {}),
      }
      return { kind: 'domain', id: uuid, owner: uuid, facts }
    }),
  )
}

async function linkItems({ host, ledger }: InventoryPorts): Promise<InventoryItem[]> {
  const links = await host.ip.at().links.list()
  const nicOfTap = new Map<string, string>()
  for (const { spec } of ledger.entries('vm')) {
    for (const { tap, nicUuid } of (spec as kvmDesired.VmSpec | undefined)?.nics ?? []) nicOfTap.set(tap, nicUuid)
  }
  return links.flatMap((link): InventoryItem[] => {
    if (TAP.test(link.name))
      return [{ kind: 'tap', id: link.name, owner: nicOfTap.get(link.name) ?? null, facts: { bridge: link.master, up: link.up } }]
    if (link.kind !== 'bridge') return []
    const owner = ownerOf(link.alias)
    if (owner === null && !BRIDGE.test(link.name)) return []
    const ports = links.filter((port) => port.master === link.name).map((port) => port.name)
    return [{ kind: 'bridge', id: link.name, owner, facts: { up: link.up, mtu: link.mtu, ports } }]
  })
}
