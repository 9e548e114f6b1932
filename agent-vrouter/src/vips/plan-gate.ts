/** A guest of a flat network that has an EIP is told that its router there is its gateway. Pure. */

import { isSameRule, type RoutingRule } from '@skerry/host'
import type { ArpPair } from '../routers/flat.ts'
import { samePair } from '../routers/plan-flat.ts'
import { lanMac } from '../routers/plan-links.ts'
import type { VipHave, VipStep } from './have.ts'
import type { RouterPlan, Want } from './plan.ts'
import { legMark, type Spec } from './rules.ts'

const pairOf = ({ eip, flat }: Spec): ArpPair | undefined => (eip && flat ? { ifname: flat.tap, ip: flat.gateway } : undefined)

/**
 * Who asks for an address (ARP) has no mark, and a flat router has no way out but its legs: where it looks for whoever asks follows from
 * the address.
 */
const ruleOf = (spec: Spec): RoutingRule | undefined =>
  spec.flat ? { priority: 1_002, source: spec.ip, table: String(legMark(spec.l3NetworkUuid)) } : undefined
const hasRule = (rules: readonly RoutingRule[], rule: RoutingRule) => rules.some(isSameRule(rule))

/** `before`: as it was made here. */
export function planGate(w: Want, h: VipHave, { router, before }: { router: RouterPlan; before: Spec | undefined }): VipStep[] {
  const pair = pairOf(w.spec)
  const rule = ruleOf(w.spec)
  const asks = pair !== undefined && !h.asks?.some(samePair(pair))
  return [
    ...(before ? planGateRemoval(before, h, router) : []),
    ...(rule && !hasRule(router.view.rules, rule) ? [{ op: 'rule.add', rule } as const] : []),
    ...(asks ? [{ op: 'gate.move', add: [pair], remove: [] } as const] : []),
    ...(asks ? [{ op: 'gate.announce', mac: lanMac(router.view.uuid) } as const] : []),
  ]
}

/** Unless another VIP wants it still. */
export function planGateRemoval(spec: Spec, h: VipHave, router: RouterPlan): VipStep[] {
  const rule = ruleOf(spec)
  const ruled = rule && router.view.rules.length > 0 && hasRule(router.view.rules, rule)
  const kept = router.vips.some(
    (vip) => vip.spec.flat && vip.spec.ip === spec.ip && vip.spec.l3NetworkUuid === spec.l3NetworkUuid,
  )
  return [...pairRemoval(spec, h, router), ...(ruled && !kept ? [{ op: 'rule.del', rule } as const] : [])]
}

function pairRemoval(spec: Spec, h: VipHave, { vips, claimed }: RouterPlan): VipStep[] {
  const pair = pairOf(spec)
  if (!pair || !h.asks?.some(samePair(pair))) return []
  if (vips.some((vip) => samePair(pair)(pairOf(vip.spec) ?? { ifname: '', ip: '' }))) return []
  const key = `gate ${pair.ifname} ${pair.ip}`
  if (claimed.has(key)) return []
  claimed.add(key)
  return [{ op: 'gate.move', add: [], remove: [pair] }]
}
