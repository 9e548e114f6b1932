import type { z } from 'zod'
import type { AgentKind } from '../resources/agent.ts'
import { balancer } from './balancer.ts'
import { ipsec } from './ipsec.ts'
import { bridge, vm } from './kvm.ts'
import { nicSecurity, securityGroup, securityMembers } from './security.ts'
import { iso, pool, volume } from './storage.ts'
import { lease, metadata, router, routes, vip } from './vrouter.ts'

interface NounDef {
  noun: string
  schema: number
  spec: z.ZodObject
}
/** Nouns of each kind of agent, in the order in which they are made; they are removed in the opposite order. */
export const nouns: Record<AgentKind, readonly NounDef[]> = {
  // A guest's card is guarded before it is plugged in.
  kvm: [bridge, securityMembers, securityGroup, nicSecurity, vm],
  storage: [pool, iso, volume],
  vrouter: [router, lease, metadata, vip, routes, balancer, ipsec],
}

export * as balancerDesired from './balancer.ts'
export * from './document.ts'
export * as ipsecDesired from './ipsec.ts'
export * as kvmDesired from './kvm.ts'
export * from './naming.ts'
export * as kvmSecurity from './security.ts'
export * as storageDesired from './storage.ts'
export * as vrouterDesired from './vrouter.ts'
