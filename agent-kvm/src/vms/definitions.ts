/**
 * Definitions of domains, as their next start uses them. Our mark on one says what it was made from; but where a running guest is moved to
 * another file (a snapshot), libvirt writes that file into the definition too, and the mark stays as it was.
 */
import { type Libvirt, parseDomain } from '@skerry/libvirt'

const TIMEOUT_MS = 10_000

export class Definitions {
  readonly #libvirt: Libvirt
  /** Of each domain that is off, the hash in its mark under which it was found to name the files that it should. */
  readonly #checked = new Map<string, string>()

  constructor(libvirt: Libvirt) {
    this.#libvirt = libvirt
  }

  /** Something has happened to this domain, or may have to any. */
  doubt(uuid?: string): void {
    if (uuid === undefined) this.#checked.clear()
    else this.#checked.delete(uuid)
  }

  /** The hash in its mark; null: it has none. */
  async hashOf(uuid: string): Promise<string | null> {
    return (await this.#parsed(uuid)).mark?.hash ?? null
  }

  /** `hash` of a domain that is off, or null where its start would open other files than these. Looked at once, until something happens. */
  async checked(uuid: string, hash: string, disks: readonly { path: string }[]): Promise<string | null> {
    if (this.#checked.get(uuid) === hash) return hash
    const named = new Set((await this.#parsed(uuid)).disks.map(({ file }) => file))
    if (!disks.every(({ path }) => named.has(path))) return null
    this.#checked.set(uuid, hash)
    return hash
  }

  async #parsed(uuid: string): Promise<ReturnType<typeof parseDomain>> {
    return parseDomain(await this.#libvirt.call('domainXml', { uuid, inactive: true }, { timeoutMs: TIMEOUT_MS }))
  }
}
