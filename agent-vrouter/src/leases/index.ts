/** Noun `lease`: the address that a NIC's MAC gets. */
import { vrouterDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { HostsWriter, type LeasePorts } from './apply.ts'
import type { LeaseChange, LeaseHave } from './have.ts'
import { observe } from './observe.ts'
import { plan, report } from './plan.ts'

/** They meet in one file a router, so they are written together. */
const CONCURRENCY = 4096

export function leaseModule(ports: LeasePorts): Module<vrouterDesired.LeaseSpec, LeaseHave, LeaseChange> {
  const writer = new HostsWriter(ports)
  return {
    ...vrouterDesired.lease,
    concurrency: CONCURRENCY,
    single: true,
    observe: (context) => observe({ ...ports, files: ports.host.files }, context),
    plan,
    apply: (change) => writer.apply(change),
    report,
  }
}
