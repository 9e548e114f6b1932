/**
 * The hosts and names of one router's dnsmasq. Above each host stands `# <NIC uuid>`, our mark: the file itself says whose
 * an address is. Pure.
 */
import { renderHosts, renderNames } from '@skerry/host'

export interface HostLine {
  /** NIC; null: a line that nobody of us wrote. */
  uuid: string | null
  mac: string
  ip: string
  /** What the DHCP server calls it. */
  dhcpName: string | null
  /** What DNS calls it. */
  dnsName: string | null
}

export interface HostEntry {
  uuid: string
  mac: string
  ip: string
  hostname: string | null
}

const OWNER = /^# ([0-9a-f]{32})$/

export function parseHosts(hosts: string, names: string): HostLine[] {
  const nameOf = new Map<string, string>()
  for (const line of names.split('\n')) {
    const at = line.indexOf(' ')
    if (at > 0) nameOf.set(line.slice(0, at), line.slice(at + 1))
  }
  const lines: HostLine[] = []
  let uuid: string | null = null
  for (const line of hosts.split('\n')) {
    const [mac, ip, name] = line.split(',')
    if (mac && ip) lines.push({ uuid, mac, ip, dhcpName: name ?? null, dnsName: nameOf.get(ip) ?? null })
    uuid = OWNER.exec(line)?.[1] ?? null
  }
  return lines
}

/**
 * The name that may stand in a DHCP host line. dnsmasq guesses the meaning of a field by its look: `45m` is a lease time,
 * `ignore` shuts the guest out, `10.0.0.9` is another address. Such names are for DNS only.
 */
export function dhcpName(hostname: string | null): string | null {
  return hostname !== null && /^[a-z]/i.test(hostname) && !/^(ignore|infinite)$/i.test(hostname) ? hostname : null
}

/** Whether a line says what an entry wants. */
export function says(line: HostLine, entry: Pick<HostEntry, 'mac' | 'ip' | 'hostname'>): boolean {
  return (
    line.mac === entry.mac &&
    line.ip === entry.ip &&
    line.dhcpName === dhcpName(entry.hostname) &&
    line.dnsName === entry.hostname
  )
}

export interface Edit {
  put: readonly HostEntry[]
  /** NICs. */
  remove: readonly string[]
}

/**
 * Both files after an edit. Lines without an owner go, and so does a line that has a new one's MAC or address: dnsmasq
 * takes neither twice. Only new lines are checked; the others were when they were written.
 */
export function editHosts(before: readonly HostLine[], { put, remove }: Edit): { hosts: string; names: string } {
  const gone = new Set([...remove, ...put.map((entry) => entry.uuid)])
  const macs = new Set(put.map((entry) => entry.mac))
  const ips = new Set(put.map((entry) => entry.ip))
  const blocks = new Map<string, { host: string; name: string }>()
  for (const { uuid, mac, ip, dhcpName: name, dnsName } of before) {
    if (uuid === null || gone.has(uuid) || macs.has(mac) || ips.has(ip)) continue
    blocks.set(uuid, { host: `${mac},${ip}${name ? `,${name}` : ''}\n`, name: dnsName ? `${ip} ${dnsName}\n` : '' })
  }
  for (const { uuid, mac, ip, hostname } of put) {
    const host = renderHosts([{ mac, ip, hostname: dhcpName(hostname) ?? undefined }])
    blocks.set(uuid, { host, name: renderNames([{ mac, ip, hostname: hostname ?? undefined }]) })
  }
  const sorted = [...blocks].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    hosts: sorted.map(([uuid, { host }]) => `# ${uuid}\n${host}`).join(''),
    names: sorted.map(([, { name }]) => name).join(''),
  }
}
