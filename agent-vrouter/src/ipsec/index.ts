/** Noun `ipsec`: a tunnel from an address of a router to a peer. */
import { ipsecDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { IpsecChange, IpsecHave } from './have.ts'
import { type IpsecPorts, observe } from './observe.ts'
import { plan, report } from './plan.ts'

export function ipsecModule(ports: IpsecPorts): Module<ipsecDesired.IpsecSpec, IpsecHave, IpsecChange> {
  return {
    ...ipsecDesired.ipsec,
    observe: (context) => observe(ports, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
