/** Why the document of a VIP can't be carried out now: nothing is changed then. Pure. */
import { type ErrorBody, routerLeg, routerNetns, SkerryError, toErrorBody } from '@skerry/contract'
import { markOf } from '@skerry/host'
import { contains } from '../routers/cidr.ts'
import type { VipHave } from './have.ts'
import type { Want } from './plan.ts'
import type { Spec } from './rules.ts'

export function faultOf({ uuid, spec }: Want, have: VipHave): ErrorBody | undefined {
  const problem = problemOf(spec)
  if (problem)
    return toErrorBody(
      new SkerryError('invalid-document', `the document of a VIP is contradictory: ${problem}`, { vipUuid: uuid }),
    )
  const view = have.routers.find((router) => router.uuid === spec.routerUuid)
  const netns = routerNetns(spec.routerUuid)
  if (!view?.netns)
    return toErrorBody(new SkerryError('not-found', 'the router of the VIP is not on this host', { vipUuid: uuid, netns }))
  if (view.unseen)
    return toErrorBody(
      new SkerryError('host-command-failed', 'the namespace of the router of the VIP cannot be read', {
        netns,
        cause: view.unseen,
      }),
    )
  const name = routerLeg(spec.routerUuid, spec.l3NetworkUuid)
  const port = view.ports[name]
  if (port && port.alias !== null && port.alias !== markOf(spec.routerUuid))
    return toErrorBody(
      new SkerryError('in-use', `an interface called ${name} exists and is not this router's`, {
        interface: name,
        alias: port.alias,
      }),
    )
  return undefined
}

function problemOf({ ip, prefixLen, gateway, eip, portForwarding }: Spec): string | undefined {
  if (!contains(`${ip}/${prefixLen}`, gateway)) return `gateway ${gateway} is not in ${ip}/${prefixLen}`
  if (ip === gateway) return `it is the gateway of its network, ${gateway}`
  if (eip?.guestIp === ip) return `its guest has its own address, ${ip}`
  for (const [n, rule] of portForwarding.entries()) {
    const { protocol, vipPortStart: from, vipPortEnd: to, privatePortStart } = rule
    if (to < from) return `ports ${from} to ${to} are none`
    if (privatePortStart + to - from > 65_535) return `ports from ${privatePortStart} on are not enough for ${from} to ${to}`
    const other = portForwarding.slice(0, n).find((o) => o.protocol === protocol && o.vipPortStart <= to && o.vipPortEnd >= from)
    if (other) return `${protocol} ports ${from} to ${to} overlap ${other.vipPortStart} to ${other.vipPortEnd}`
  }
  return undefined
}
