/** Reads one router's folder: hosts, names, leases. */
import { type DnsmasqLease, dnsmasqFiles, type Files, parseLeases } from '@skerry/host'
import { type HostLine, parseHosts } from './hosts-file.ts'

export interface FolderView {
  hosts: string
  names: string
  lines: HostLine[]
  leases: DnsmasqLease[]
  /** Leased to a MAC that no line gives this address. */
  stale: DnsmasqLease[]
}

/** Absent files count as empty; without a hosts file nothing is stale, because nobody can say what is. */
export async function readFolder(files: Files, dir: string): Promise<FolderView> {
  const paths = dnsmasqFiles(dir)
  const [hosts, names, leaseText] = await Promise.all([paths.hosts, paths.names, paths.leases].map((path) => files.read(path)))
  const lines = parseHosts(hosts ?? '', names ?? '')
  const leases = parseLeases(leaseText ?? '')
  const allowed = new Set(lines.map(({ mac, ip }) => `${mac} ${ip}`))
  const stale = hosts === undefined ? [] : leases.filter(({ mac, ip }) => !allowed.has(`${mac} ${ip}`))
  return { hosts: hosts ?? '', names: names ?? '', lines, leases, stale }
}
