/** What to do about VMs, and what to tell of them. Pure. Disks are never touched here: they belong to their volumes. */
import { type kvmDesired, SkerryError, toErrorBody } from '@skerry/contract'
import type { DomainSpec } from '@skerry/libvirt'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { Patch } from '../memory.ts'
import { definitionHash, domainOf, generationText, type HostConfig } from './definition.ts'
import { memoryPatch } from './memory.ts'
import type { SeenVm } from './observe.ts'
import { causeOf, isStale, powerPlan } from './power.ts'

export type VmChange = Change &
  (
    | { op: 'define'; generation: string; hash: string; domain: DomainSpec }
    | { op: 'start' }
    /** Presses the power button. */
    | { op: 'ask' }
    | { op: 'cut' }
    | { op: 'undefine' }
    | { op: 'remember'; facts: Patch }
  )

type Want = Wanted<kvmDesired.VmSpec>

export function planVms(config: HostConfig, want: readonly Want[], have: readonly SeenVm[], context: PlanContext): VmChange[] {
  const seenOf = new Map(have.map((seen) => [seen.uuid, seen]))
  const buried = have.filter((seen) => context.buried.has(seen.uuid)).flatMap(bury)
  return [...buried, ...want.flatMap((w) => planOne(config, w, seenOf.get(w.uuid)))]
}

function bury({ uuid, domain, memory }: SeenVm): VmChange[] {
  if (!domain) return []
  // The highest epoch stays known: a late order of an older one must still be refused.
  const facts = memoryPatch(memory, { epoch: memory.epoch })
  return [
    ...(facts ? [{ uuid, op: 'remember' as const, facts }] : []),
    ...(domain.active ? [{ uuid, op: 'cut' as const }] : []),
    { uuid, op: 'undefine' },
  ]
}

function planOne(config: HostConfig, want: Want, seen: SeenVm | undefined): VmChange[] {
  if (!seen || obstacle(want, seen)) return []
  const { uuid } = want
  const { step, memory } = powerPlan(want, seen)
  const domain = domainOf(uuid, want.spec, config)
  const hash = definitionHash(domain)
  const changes: VmChange[] = []
  if (seen.domain?.configHash !== hash)
    changes.push({ uuid, op: 'define', generation: generationText(want.generation), hash, domain })
  const facts = memoryPatch(seen.memory, memory)
  const remember: VmChange[] = facts ? [{ uuid, op: 'remember', facts }] : []
  // A cut is remembered before it is made (see power.ts); what may fail is remembered when it is done.
  if (step === 'cut') return [...changes, ...remember, { uuid, op: 'cut' }]
  return [...changes, ...(step === 'none' ? [] : [{ uuid, op: step }]), ...remember]
}

/** Why nothing is done for a wanted VM. */
function obstacle(want: Want, seen: SeenVm): Report | undefined {
  const { uuid, spec } = want
  if (seen.foreign) {
    const error = new SkerryError(
      'in-use',
      `a domain called ${seen.foreign.name} stands where this VM should be, and is not ours`,
      { uuid, domain: seen.foreign },
    )
    return { condition: 'Refused', observed: {}, error: toErrorBody(error) }
  }
  if (isStale(want, seen.memory) && spec.power.state === 'Running') {
    const details = { uuid, placementEpoch: spec.placementEpoch, known: seen.memory.epoch?.placementEpoch ?? null }
    const error = new SkerryError(
      'stale-epoch',
      'a newer placement of this VM is known here, so this one does not run it',
      details,
    )
    return { condition: 'Refused', observed: observedOf(want, seen), error: toErrorBody(error) }
  }
  const needsDisks = !seen.domain || powerPlan(want, seen).step === 'start'
  if (needsDisks && seen.missingDisks.length > 0) {
    const error = new SkerryError('volume-lost', `a disk of this VM is not there: ${seen.missingDisks.join(', ')}`, {
      uuid,
      paths: seen.missingDisks,
    })
    return { condition: 'Failed', observed: observedOf(want, seen), error: toErrorBody(error) }
  }
  return undefined
}

export function reportVm(config: HostConfig, want: Want | undefined, seen: SeenVm | undefined): Report {
  if (!seen) return { condition: 'Working', observed: {} }
  if (!want) return { condition: 'Ready', observed: observedOf(undefined, seen) }
  const why = obstacle(want, seen)
  if (why) return why
  const observed = observedOf(want, seen)
  const live = seen.domain?.liveHash
  const pendingChange = typeof live === 'string' && live !== definitionHash(domainOf(want.uuid, want.spec, config))
  const leaving = want.spec.power.state === 'Stopped' && seen.domain?.active
  return { condition: leaving ? 'Working' : 'Ready', observed: pendingChange ? { ...observed, pendingChange } : observed }
}

const powers: Readonly<Record<string, string>> = {
  running: 'Running',
  blocked: 'Running',
  shutdown: 'Running',
  paused: 'Paused',
  pmsuspended: 'Paused',
  crashed: 'Crashed',
  shutoff: 'Stopped',
}

/** `vmObserved` of the contract. */
export function observedOf(want: Want | undefined, { domain, memory }: SeenVm): Record<string, unknown> {
  if (!domain?.active) {
    const power = domain ? (powers[domain.state] ?? 'Unknown') : 'Stopped'
    return { power, cause: memory.stopped?.cause ?? causeOf(domain?.reason), pid: null }
  }
  const power = powers[domain.state] ?? 'Unknown'
  const ending = domain.state === 'shutdown' // the guest has ended, its qemu not yet
  const cause = ending ? 'shutting-down' : power === 'Running' && want ? want.spec.power.cause : domain.reason
  return { power, cause, pid: domain.pid }
}
