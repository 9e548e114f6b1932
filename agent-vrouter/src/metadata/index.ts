/** Noun `metadata`: what a guest of a flat network reads at 169.254.169.254. */
import { vrouterDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply } from './apply.ts'
import type { MetadataChange, MetadataHave } from './have.ts'
import { type MetadataPorts, observe } from './observe.ts'
import { plan, report } from './plan.ts'

export function metadataModule(ports: MetadataPorts): Module<vrouterDesired.MetadataSpec, MetadataHave, MetadataChange> {
  return {
    ...vrouterDesired.metadata,
    observe: (context) => observe(ports, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
  }
}
