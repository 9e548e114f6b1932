/** Noun `routes`: static routes of a VPC router. */
import { vrouterDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { RoutesChange, RoutesHave } from './have.ts'
import { observe, type RoutesPorts } from './observe.ts'
import { plan, report } from './plan.ts'

export function routesModule(ports: RoutesPorts): Module<vrouterDesired.RoutesSpec, RoutesHave, RoutesChange> {
  return {
    ...vrouterDesired.routes,
    observe: (context) => observe(ports, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
