/** Noun `balancer`: a haproxy in the namespace of a router. */
import { balancerDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { BalancerChange, BalancerHave } from './have.ts'
import { type BalancerPorts, observe } from './observe.ts'
import { plan, report } from './plan.ts'
import type { BalancerSpec } from './spec.ts'

/** Each starts a program and waits until it answers. */
const CONCURRENCY = 4

export function balancerModule(ports: BalancerPorts): Module<BalancerSpec, BalancerHave, BalancerChange> {
  return {
    ...balancerDesired.balancer,
    concurrency: CONCURRENCY,
    observe: (context) => observe(ports, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
