/** Reads routers' folders: hosts, names, leases. Parses only what has changed since the last look: five thousand lines take a while. */
import { type DnsmasqLease, type DnsmasqLease6, dnsmasqFiles, type Files, parseLeases, parseLeases6 } from '@skerry/host'
import { hostsDigest } from '../routers/service.ts'
import { type HostLine, parseHosts } from './hosts-file.ts'

export interface FolderView {
  /** Texts of the two files. */
  hosts: string
  names: string
  lines: readonly HostLine[]
  leases: readonly DnsmasqLease[]
  leases6: readonly DnsmasqLease6[]
  /** Leased to a MAC that no line gives this address; of IPv6, where the MAC is not told, an address that no line gives to anybody. */
  stale: readonly { ip: string }[]
  /** Of hosts and names, as `served` notes it. */
  digest: string
  /** Lines by the NIC that they name. */
  byNic: ReadonlyMap<string, readonly HostLine[]>
  /** Lines by MAC and by address, which never look alike. */
  byIdentity: ReadonlyMap<string, HostLine>
  leaseOf: ReadonlyMap<string, DnsmasqLease>
}

type HostsView = Pick<FolderView, 'hosts' | 'names' | 'lines' | 'digest' | 'byNic' | 'byIdentity'>
type LeasesView = Pick<FolderView, 'leases' | 'leases6' | 'leaseOf'>
type Text = string | undefined

interface Seen {
  texts: readonly [hosts: Text, names: Text, leases: Text]
  hosts: HostsView
  leases: LeasesView
  view: FolderView
}

export class Folders {
  readonly #files: Files
  readonly #seen = new Map<string, Seen>()

  constructor(files: Files) {
    this.#files = files
  }

  /** Absent files count as empty; without a hosts file nothing is stale, because nobody can say what is. */
  async read(dir: string): Promise<FolderView> {
    const paths = dnsmasqFiles(dir)
    const [hosts, names, leased] = await Promise.all(
      [paths.hosts, paths.names, paths.leases].map((path) => this.#files.read(path)),
    )
    const seen = this.#seen.get(dir)
    const sameHosts = seen && seen.texts[0] === hosts && seen.texts[1] === names
    const sameLeases = seen && seen.texts[2] === leased
    if (sameHosts && sameLeases) return seen.view
    const now = {
      hosts: sameHosts ? seen.hosts : readHosts(hosts ?? '', names ?? ''),
      leases: sameLeases ? seen.leases : readLeases(leased ?? ''),
    }
    const view = { ...now.hosts, ...now.leases, stale: hosts === undefined ? [] : staleIn(now) }
    if ([hosts, names, leased].some((text) => text !== undefined))
      this.#seen.set(dir, { texts: [hosts, names, leased], ...now, view })
    else this.#seen.delete(dir)
    return view
  }
}

function readHosts(hosts: string, names: string): HostsView {
  const lines = parseHosts(hosts, names)
  const byNic = new Map<string, HostLine[]>()
  const byIdentity = new Map<string, HostLine>()
  for (const line of lines) {
    byIdentity.set(line.mac, line).set(line.ip, line)
    if (line.ip6) byIdentity.set(line.ip6, line)
    if (line.uuid === null) continue
    const own = byNic.get(line.uuid)
    if (own) own.push(line)
    else byNic.set(line.uuid, [line])
  }
  return { hosts, names, lines, byNic, byIdentity, digest: hostsDigest({ hosts, names }) }
}

function readLeases(text: string): LeasesView {
  const leases = parseLeases(text)
  return { leases, leases6: parseLeases6(text), leaseOf: new Map(leases.map((lease) => [lease.ip, lease])) }
}

function staleIn({ hosts, leases }: { hosts: HostsView; leases: LeasesView }): { ip: string }[] {
  const four = leases.leases.filter(({ mac, ip }) => {
    const line = hosts.byIdentity.get(ip)
    return line?.mac !== mac && !hosts.lines.some((one) => one.ip === ip && one.mac === mac)
  })
  const six = leases.leases6.filter(({ mac, ip }) => {
    const line = hosts.byIdentity.get(ip)
    return line === undefined || (mac !== null && line.mac !== mac)
  })
  return [...four, ...six]
}
