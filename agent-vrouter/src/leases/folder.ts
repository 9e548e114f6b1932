/** Reads routers' folders: hosts, names, leases. Parses only what has changed since the last look: five thousand lines take a while. */
import { type DnsmasqLease, dnsmasqFiles, type Files, parseLeases } from '@skerry/host'
import { hostsDigest } from '../routers/service.ts'
import { type HostLine, parseHosts } from './hosts-file.ts'

export interface FolderView {
  lines: readonly HostLine[]
  leases: readonly DnsmasqLease[]
  /** Leased to a MAC that no line gives this address. */
  stale: readonly DnsmasqLease[]
  /** Of hosts and names, as `served` notes it. */
  digest: string
}

interface Seen {
  texts: readonly (string | undefined)[]
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
    const texts = await Promise.all([paths.hosts, paths.names, paths.leases].map((path) => this.#files.read(path)))
    const seen = this.#seen.get(dir)
    if (seen?.texts.every((text, n) => text === texts[n])) return seen.view
    const view = parseFolder(texts)
    if (texts.some((text) => text !== undefined)) this.#seen.set(dir, { texts, view })
    else this.#seen.delete(dir)
    return view
  }
}

function parseFolder([hosts, names, leaseText]: readonly (string | undefined)[]): FolderView {
  const lines = parseHosts(hosts ?? '', names ?? '')
  const leases = parseLeases(leaseText ?? '')
  const allowed = new Set(lines.map(({ mac, ip }) => `${mac} ${ip}`))
  const stale = hosts === undefined ? [] : leases.filter(({ mac, ip }) => !allowed.has(`${mac} ${ip}`))
  return { lines, leases, stale, digest: hostsDigest({ hosts: hosts ?? '', names: names ?? '' }) }
}
