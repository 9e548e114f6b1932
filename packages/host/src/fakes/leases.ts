/** The part of dnsmasq that answers guests: gives each MAC that its hosts file knows the address that stands there. */
import { dnsmasqFiles } from '../dnsmasq-config.ts'
import type { FakeDisk } from './files.ts'

export interface FakeLeasePorts {
  disk: FakeDisk
  nowMs(): number
  /** the daemon of a folder, if one runs */
  running(dir: string): Promise<unknown>
}

interface Guest {
  mac: string
  answer(address: string | undefined): void
}

interface Leases {
  /** by MAC */
  lines: Map<string, string>
  /** MACs by address */
  holders: Map<string, string>
}

const textOf = (data: Uint8Array | undefined) => new TextDecoder().decode(data)

export class FakeLeases {
  readonly #p: FakeLeasePorts
  /** By folder: who asks in this turn. They are answered together, as their files are written once. */
  readonly #asking = new Map<string, Guest[]>()
  /** What was read, by the bytes that it was read from: a new text is other bytes. */
  readonly #hosts = new WeakMap<Uint8Array, ReadonlyMap<string, string>>()
  readonly #leases = new WeakMap<Uint8Array, Leases>()

  constructor(ports: FakeLeasePorts) {
    this.#p = ports
  }

  /** The address; undefined: no daemon runs there, it doesn't know the MAC, or somebody else has the address. */
  ask(dir: string, mac: string): Promise<string | undefined> {
    return new Promise((answer, reject) => {
      const asking = this.#asking.get(dir)
      if (asking) return void asking.push({ mac, answer })
      this.#asking.set(dir, [{ mac, answer }])
      setImmediate(() => this.#serve(dir).catch(reject))
    })
  }

  async #serve(dir: string): Promise<void> {
    const running = await this.#p.running(dir)
    const guests = this.#asking.get(dir) ?? []
    this.#asking.delete(dir)
    if (!running) for (const { answer } of guests) answer(undefined)
    else this.#give(dir, guests)
  }

  #give(dir: string, guests: readonly Guest[]): void {
    const { disk, nowMs } = this.#p
    const paths = dnsmasqFiles(dir)
    const hosts = this.#hostsIn(disk.files.get(paths.hosts)?.data)
    const conf = textOf(disk.files.get(paths.conf)?.data).split('\n')
    const seconds = Number(conf.flatMap((line) => /^dhcp-range=.*,(\d+)s$/.exec(line)?.[1] ?? [])[0])
    const before = disk.files.get(paths.leases)?.data
    const { lines: leases, holders } = (before && this.#leases.get(before)) ?? leasesIn(textOf(before))
    if (before) this.#leases.delete(before) // they are changed below
    const answers = guests.map(({ mac }) => {
      const [, address, name] = hosts.get(mac)?.split(',') ?? []
      if (address === undefined || (holders.get(address) ?? mac) !== mac) return undefined
      const old = leases.get(mac)
      if (old) holders.delete(old.split(' ')[2]!)
      leases.delete(mac)
      leases.set(mac, `${Math.floor(nowMs() / 1000) + seconds} ${mac} ${address} ${name ?? '*'} *`)
      holders.set(address, mac)
      return address
    })
    if (answers.some((address) => address !== undefined)) {
      const after = new TextEncoder().encode([...leases.values(), ''].join('\n'))
      disk.put(paths.leases, after)
      this.#leases.set(after, { lines: leases, holders })
    }
    for (const [i, { answer }] of guests.entries()) answer(answers[i])
  }

  /** By MAC. */
  #hostsIn(data: Uint8Array | undefined): ReadonlyMap<string, string> {
    const known = data && this.#hosts.get(data)
    if (known) return known
    const hosts = new Map(
      textOf(data)
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(',')), line]),
    )
    if (data) this.#hosts.set(data, hosts)
    return hosts
  }
}

function leasesIn(text: string): Leases {
  const lines = new Map(text.split('\n').flatMap((line) => (line === '' ? [] : [[line.split(' ')[1]!, line]])))
  return { lines, holders: new Map([...lines].map(([mac, line]) => [line.split(' ')[2]!, mac])) }
}
