/** Noun `pool`: a folder of ours on a file system, marked with a file that holds its uuid. */
import { storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { Module } from '@skerry/reconcile'
import { apply, type PoolPorts } from './apply.ts'
import { observe, type PoolHave } from './observe.ts'
import { type PoolChange, plan, report, steady } from './plan.ts'

export function poolModule(ports: PoolPorts & { files: Host['files'] }): Module<storageDesired.PoolSpec, PoolHave, PoolChange> {
  return {
    ...storageDesired.pool,
    observe: (context) => observe(ports.files, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
    steady,
  }
}
