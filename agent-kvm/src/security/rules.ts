/** A rule of a group as statements of nft. Pure. */
import type { kvmSecurity } from '@skerry/contract'
import { type NftStatement, type NftValue, nftables } from '@skerry/host'
import { memberSet } from './layout.ts'

const { accept, anyOf, drop, match, meta, payload } = nftables

const spanOf = <T extends NftValue>([from, to]: readonly [T, T]): NftValue => (from === to ? from : { range: [from, to] })

/** One rule of nft for one of a group: what does not fit goes on to the next. */
export function statementsOf(rule: kvmSecurity.SecurityRuleSpec): NftStatement[] {
  const { type, ipVersion, protocol, action, ips, ports, remoteGroupUuid } = rule
  const family = ipVersion === 4 ? 'ip' : 'ip6'
  const other = payload(family, type === 'Ingress' ? 'saddr' : 'daddr')
  const statements: NftStatement[] = [match(meta('protocol'), family)]
  if (remoteGroupUuid) statements.push(match(other, `@${memberSet(remoteGroupUuid, ipVersion)}`))
  else if (ips) statements.push(match(other, anyOf(...ips.map(spanOf))))
  if (protocol === 'ICMP') statements.push(match(meta('l4proto'), ipVersion === 4 ? 'icmp' : 'ipv6-icmp'))
  if (protocol === 'TCP' || protocol === 'UDP') {
    const l4 = protocol.toLowerCase()
    statements.push(match(meta('l4proto'), l4))
    if (ports) statements.push(match(payload(l4, 'dport'), anyOf(...ports.map(spanOf))))
  }
  return [...statements, action === 'ACCEPT' ? accept : drop]
}
