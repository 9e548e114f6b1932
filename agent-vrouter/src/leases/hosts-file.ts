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
  ip6?: string
  /** What the DHCP server calls it. */
  dhcpName: string | null
  /** What DNS calls it. */
  dnsName: string | null
  /** What DNS calls its second address. */
  dnsName6?: string | null
}

export interface HostEntry {
  uuid: string
  mac: string
  ip: string
  ip6?: string | undefined
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
    const [mac, ip, ...rest] = line.split(',')
    const ip6 = rest[0]?.startsWith('[') ? rest.shift()?.slice(1, -1) : undefined
    const second = ip6 ? { ip6, dnsName6: nameOf.get(ip6) ?? null } : {}
    if (mac && ip) lines.push({ uuid, mac, ip, ...second, dhcpName: rest[0] ?? null, dnsName: nameOf.get(ip) ?? null })
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
export function says(line: HostLine, entry: Pick<HostEntry, 'mac' | 'ip' | 'ip6' | 'hostname'>): boolean {
  return (
    line.mac === entry.mac &&
    line.ip === entry.ip &&
    line.ip6 === entry.ip6 &&
    (line.ip6 === undefined || line.dnsName6 === entry.hostname) &&
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
  const ips = new Set(put.flatMap((entry) => [entry.ip, ...(entry.ip6 ? [entry.ip6] : [])]))
  const blocks = new Map<string, { host: string; name: string }>()
  for (const { uuid, mac, ip, ip6, dhcpName: name, dnsName, dnsName6 } of before) {
    if (uuid === null || gone.has(uuid) || macs.has(mac) || ips.has(ip) || (ip6 && ips.has(ip6))) continue
    const host = `${[mac, ip, ...(ip6 ? [`[${ip6}]`] : []), ...(name ? [name] : [])].join(',')}\n`
    const named = [dnsName ? `${ip} ${dnsName}\n` : '', ip6 && dnsName6 ? `${ip6} ${dnsName6}\n` : '']
    blocks.set(uuid, { host, name: named.join('') })
  }
  for (const { uuid, mac, ip, ip6, hostname } of put) {
    const at = { mac, ip, ...(ip6 ? { ip6 } : {}) }
    const host = renderHosts([{ ...at, hostname: dhcpName(hostname) ?? undefined }])
    blocks.set(uuid, { host, name: renderNames([{ ...at, hostname: hostname ?? undefined }]) })
  }
  const sorted = [...blocks].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    hosts: sorted.map(([uuid, { host }]) => `# ${uuid}\n${host}`).join(''),
    names: sorted.map(([, { name }]) => name).join(''),
  }
}
