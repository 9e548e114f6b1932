/** The three nouns of security groups: members, rules, and what each card needs. */
import { kvmSecurity } from '@skerry/contract'
import type { AnyModule, Module } from '@skerry/reconcile'
import { applySecurity } from './apply.ts'
import { Abilities, observeSecurity, type SecurityPorts, type Seen, type SeenGuard } from './observe.ts'
import { planSecurity, reportSecurity, type SecurityChange } from './plan.ts'

export function securityModules(ports: SecurityPorts): AnyModule[] {
  const abilities = new Abilities(ports)
  const { securityMembers, securityGroup, nicSecurity } = kvmSecurity
  return [securityMembers, securityGroup, nicSecurity].map(({ noun, schema, spec }) => {
    let seen: Seen | undefined
    const module: Module<unknown, SeenGuard, SecurityChange> = {
      noun,
      schema,
      spec,
      async observe(context) {
        seen = await observeSecurity(ports, abilities, context)
        return seen ? context.wanted.map(({ uuid }) => ({ uuid, seen: seen! })) : []
      },
      // What is seen belongs to all documents, and is there when the last of them is to go.
      plan: (_want, _have, context) => planSecurity(seen, context),
      apply: (change) => applySecurity(ports, change),
      report: (_want, have) => reportSecurity(have),
    }
    return module as AnyModule
  })
}
