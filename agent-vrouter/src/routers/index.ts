/** Noun `router`: a network namespace that serves one L3 network. */
import { vrouterDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { RouterChange, RouterHave } from './have.ts'
import { observe, type RouterPorts } from './observe.ts'
import { planRouters, report } from './plan.ts'

/** A router is some twenty short commands; after a boot all of them are made. */
const CONCURRENCY = 4

export function routerModule(ports: RouterPorts): Module<vrouterDesired.RouterSpec, RouterHave, RouterChange> {
  return {
    ...vrouterDesired.router,
    concurrency: CONCURRENCY,
    observe: (context) => observe(ports, context),
    plan: planRouters(ports.stateDir),
    apply: (change) => apply(ports, change),
    report,
  }
}
