/** Which connections a VIP loses with its uses: an address or a port that is given to somebody else must not lead to who had it. Pure. */
import type { FlowMatch } from '@skerry/host'
import type { Spec } from './rules.ts'

/** `after`: undefined: the VIP goes. Connections of what stays the same stay. */
export function lostFlows(before: Spec, after: Spec | undefined): FlowMatch[] {
  const { ip } = before
  const ofEip: FlowMatch[] = [{ destination: ip }, { answeredTo: ip }]
  if (!after || after.ip !== ip) return before.eip || before.own ? ofEip : [{ destination: ip }]
  if (before.eip && before.eip.guestIp !== after.eip?.guestIp) return ofEip
  const kept = new Set(after.portForwarding.map((rule) => JSON.stringify(rule)))
  return before.portForwarding
    .filter((rule) => !kept.has(JSON.stringify(rule)))
    .map(
      ({ protocol, vipPortStart, vipPortEnd }): FlowMatch => ({
        destination: ip,
        protocol: protocol === 'TCP' ? 'tcp' : 'udp',
        ports: { from: vipPortStart, to: vipPortEnd },
      }),
    )
}
