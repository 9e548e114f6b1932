/** Documents of routers and leases for the suites: unique uuids, so that no name meets another run's. */
import { randomBytes } from 'node:crypto'
import type { vrouterDesired } from '@skerry/contract'
import type { DesiredEntry, DesiredSource } from '@skerry/reconcile'

export const newUuid = () => randomBytes(16).toString('hex')

type Noun = 'router' | 'lease' | 'vip'

/** A desired state that tests move. */
export class Desired implements DesiredSource {
  readonly #entries = new Map<string, Map<string, DesiredEntry>>()
  #seq = 1

  put(noun: Noun, uuid: string, spec: vrouterDesired.RouterSpec | vrouterDesired.LeaseSpec | vrouterDesired.VipSpec): void {
    this.#set(noun, { uuid, generation: this.#next(), tombstone: false, schema: 1, spec: { ...spec }, facts: {} })
  }
  bury(noun: Noun, uuid: string): void {
    const before = this.#entries.get(noun)?.get(uuid)
    this.#set(noun, { uuid, generation: this.#next(), tombstone: true, schema: before?.schema, spec: before?.spec, facts: {} })
  }
  /** As an agent whose ledger was wiped. */
  forget(noun: Noun, uuid: string): void {
    this.#entries.get(noun)?.delete(uuid)
  }
  *entries(noun: string): Iterable<DesiredEntry> {
    yield* this.#entries.get(noun)?.values() ?? []
  }
  #set(noun: string, entry: DesiredEntry): void {
    const of = this.#entries.get(noun) ?? new Map<string, DesiredEntry>()
    this.#entries.set(noun, of.set(entry.uuid, entry))
  }
  #next() {
    this.#seq += 1
    return { incarnation: 1, seq: this.#seq }
  }
}

export function routerSpec(bridge: string, change: Partial<vrouterDesired.RouterSpec> = {}): vrouterDesired.RouterSpec {
  return {
    bridge,
    cidrs: [{ cidr: '10.10.0.0/24', gateway: '10.10.0.1' }],
    mtu: null,
    services: { dhcp: true, dns: true, snat: true },
    domain: 'net1.internal',
    dns: [],
    uplink: { hostIp: '169.254.64.1', routerIp: '169.254.64.2', prefixLen: 30 },
    leaseSeconds: 3600,
    ...change,
  }
}

export const leaseSpec = (
  routerUuid: string,
  n: number,
  change: Partial<vrouterDesired.LeaseSpec> = {},
): vrouterDesired.LeaseSpec => ({
  routerUuid,
  mac: `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
  ip: `10.10.${n >> 8}.${n & 255}`,
  hostname: `vm-${n}`,
  ...change,
})

export const vipSpec = (
  at: Pick<vrouterDesired.VipSpec, 'routerUuid' | 'l3NetworkUuid' | 'bridge'>,
  n: number,
  change: Partial<vrouterDesired.VipSpec> = {},
): vrouterDesired.VipSpec => ({
  ...at,
  ...{ ip: `198.51.100.${n}`, prefixLen: 24, gateway: '198.51.100.1', eip: null, portForwarding: [] },
  ...change,
})

/** TCP port 80 for everybody. */
export const forward = (
  guestIp: string,
  change: Partial<vrouterDesired.VipSpec['portForwarding'][number]> = {},
): vrouterDesired.VipSpec['portForwarding'][number] => ({
  ...{ protocol: 'TCP', vipPortStart: 80, vipPortEnd: 80, privatePortStart: 80, guestIp, allowedCidr: null },
  ...change,
})
