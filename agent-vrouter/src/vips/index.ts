/** Noun `vip`: an address on a leg of a router, and what it is used for. */
import { vrouterDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { VipChange, VipHave } from './have.ts'
import { observe, type VipPorts } from './observe.ts'
import { plan, report } from './plan.ts'

export function vipModule(ports: VipPorts): Module<vrouterDesired.VipSpec, VipHave, VipChange> {
  return {
    ...vrouterDesired.vip,
    observe: (context) => observe(ports, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
