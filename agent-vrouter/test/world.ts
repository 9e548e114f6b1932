/** Documents of routers and leases for the suites: unique uuids, so that no name meets another run's. */
import { randomBytes } from 'node:crypto'
import type { balancerDesired, ipsecDesired, vrouterDesired } from '@skerry/contract'
import type { DesiredEntry, DesiredSource } from '@skerry/reconcile'

export const newUuid = () => randomBytes(16).toString('hex')

type Noun = 'router' | 'lease' | 'vip' | 'routes' | 'ipsec' | 'metadata' | 'balancer'
type Spec =
  | vrouterDesired.RouterSpec
  | vrouterDesired.LeaseSpec
  | vrouterDesired.VipSpec
  | vrouterDesired.RoutesSpec
  | vrouterDesired.MetadataSpec
  | ipsecDesired.IpsecSpec
  | balancerDesired.BalancerSpec

/** A desired state that tests move. */
export class Desired implements DesiredSource {
  readonly #entries = new Map<string, Map<string, DesiredEntry>>()
  #seq = 1

  put(noun: Noun, uuid: string, spec: Spec): void {
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

/** A router of these networks, and of none besides. */
export const vpcSpec = (
  networks: NonNullable<vrouterDesired.RouterSpec['networks']>,
  change: Partial<vrouterDesired.RouterSpec> = {},
): vrouterDesired.RouterSpec => ({
  ...routerSpec('skbr0'),
  ...{ bridge: null, cidrs: [], domain: null, uplink: null, services: { dhcp: false, dns: false, snat: false } },
  networks,
  ...change,
})

/** Of one host: guests with their addresses, and nothing else. */
export const flatSpec = (bridge: string, change: Partial<vrouterDesired.RouterSpec> = {}): vrouterDesired.RouterSpec => ({
  ...routerSpec(bridge, { services: { dhcp: true, dns: false, snat: false }, uplink: null, dns: ['192.0.2.53'] }),
  hostRoutes: [{ destination: '169.254.169.254/32', gateway: '10.10.0.2' }],
  flat: { dhcpIp: '10.10.0.2', metadata: true, eip: true },
  ...change,
})

/** Of the guest of `leaseSpec` with that number. */
export function metadataSpec(
  routerUuid: string,
  n: number,
  change: Partial<vrouterDesired.MetadataSpec> = {},
): vrouterDesired.MetadataSpec {
  const { mac, ip, hostname } = leaseSpec(routerUuid, n)
  return { routerUuid, mac, ip, hostname, instanceId: newUuid(), sshKeys: [], userData: `#!/bin/sh\n# vm-${n}\n`, ...change }
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

export const ipsecSpec = (
  at: Pick<ipsecDesired.IpsecSpec, 'routerUuid' | 'l3NetworkUuid'>,
  change: Partial<ipsecDesired.IpsecSpec> = {},
): ipsecDesired.IpsecSpec => ({
  ...at,
  ...{ ip: '198.51.100.30', peerAddress: '192.0.2.77', keyUuid: '0'.repeat(32) },
  ...{ localId: '198.51.100.30', peerId: '192.0.2.77', ikeVersion: 'ikev2' },
  ...{ ikeProposal: 'aes256-sha256-ecp256', espProposal: 'aes256-sha256-ecp256', ikeLifeSeconds: 86_400, lifeSeconds: 3_600 },
  ...{ localCidrs: ['10.10.0.0/24'], peerCidrs: ['10.20.0.0/24', '10.30.0.0/24'] },
  ...change,
})

type BalancerListener = balancerDesired.BalancerListener
/** TCP port 80, for everybody, to nobody yet. */
export const balancerListener = (change: Partial<BalancerListener> = {}): BalancerListener => ({
  ...{ uuid: 'b'.repeat(32), protocol: 'tcp', port: 80, algorithm: 'roundrobin', idleSeconds: 60, maxConnections: 1_000 },
  ...{ httpMode: 'http-server-close', persistence: null, health: null, allow: ['0.0.0.0/0'], deny: [] },
  ...{ certificate: null, tls: null, servers: [] },
  ...change,
})
/** Asked each second; one answer decides. */
export const quickHealth = (change: Partial<NonNullable<BalancerListener['health']>> = {}): BalancerListener['health'] => ({
  ...{ kind: 'tcp', port: null, method: 'GET', path: '/', statuses: ['200-399'] },
  ...{ intervalSeconds: 1, timeoutSeconds: 1, healthyThreshold: 1, unhealthyThreshold: 1 },
  ...change,
})
