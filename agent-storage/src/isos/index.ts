/** Noun `iso`: the copy of an ISO image that a guest on this host has in its CD drive. */
import { storageDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply, type IsoPorts } from './apply.ts'
import { type IsoHave, observe } from './observe.ts'
import { type IsoChange, plan, report } from './plan.ts'

/** Copying takes long; other drives needn't wait for it. */
const CONCURRENCY = 4

export function isoModule(ports: IsoPorts): Module<storageDesired.IsoSpec, IsoHave, IsoChange> {
  return {
    ...storageDesired.iso,
    concurrency: CONCURRENCY,
    observe: (context) => observe(ports.files, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
