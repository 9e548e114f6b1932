/** What to do about VMs, and what to tell of them. Pure. Disks are never touched here: they belong to their volumes. */
import { type kvmDesired, SkerryError, toErrorBody } from '@skerry/contract'
import type { CdromSpec, DiskSpec, DomainSpec, Iotune, NicSpec } from '@skerry/libvirt'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { Patch } from '../memory.ts'
import { unlikeAdopted } from './adopted.ts'
import { baseHash, definitionHash, domainOf, generationText, type HostConfig, marksOf } from './definition.ts'
import { type Hotplug, hotplugOf, keptTooLong, withoutDrive, writesElsewhere } from './hotplug.ts'
import { memoryPatch, type VmMemory } from './memory.ts'
import type { SeenVm } from './observe.ts'
import { heldByHand, passing } from './pause.ts'
import { causeOf, isStale, type PowerPlan, powerPlan, START_PENDING } from './power.ts'

export type VmChange = Change &
  (
    | { op: 'define'; generation: string; hash: string; base?: string; domain: DomainSpec }
    /** Gives the running guest a disk. */
    | { op: 'plug'; disk: DiskSpec }
    /** Asks the running guest to let go of a disk. */
    | { op: 'unplug'; disk: DiskSpec; again: boolean }
    /** Holds a disk of the running guest back, or lets it go as fast as it is. */
    | { op: 'tune'; target: string; iotune: Iotune }
    | { op: 'plug-nic'; nic: NicSpec }
    | { op: 'unplug-nic'; nic: NicSpec; again: boolean }
    /** Puts an ISO into the running guest's CD drive, or takes it out. */
    | { op: 'media'; cdrom: CdromSpec }
    /** What runs is as the definition says, again. */
    | { op: 'mark'; generation: string; hash: string; base?: string }
    /** Makes the file from which the guest learns who it is. What is on it may be secret: it stands in the document only. */
    | { op: 'seed'; path: string }
    | { op: 'unseed'; path: string }
    | { op: 'start' }
    /** Presses the power button. */
    | { op: 'ask' }
    | { op: 'cut' }
    | { op: 'pause' }
    | { op: 'resume' }
    | { op: 'undefine' }
    /** Takes away another's definition of an adopted domain that is off, so that ours can take its place. */
    | { op: 'replace'; name: string }
    | { op: 'remember'; facts: Patch }
  )

type Want = Wanted<kvmDesired.VmSpec>

export function planVms(config: HostConfig, want: readonly Want[], have: readonly SeenVm[], context: PlanContext): VmChange[] {
  const seenOf = new Map(have.map((seen) => [seen.uuid, seen]))
  const buried = have.filter((seen) => context.buried.has(seen.uuid)).flatMap(bury)
  return [...buried, ...want.flatMap((w) => planOne(config, w, seenOf.get(w.uuid)))]
}

function bury({ uuid, domain, memory, seeds = [] }: SeenVm): VmChange[] {
  // Those of a domain lie in the folder that goes with it.
  if (!domain) return seeds.map((path) => ({ uuid, op: 'unseed', path }))
  // The highest epoch stays known: a late order of an older one must still be refused.
  const facts = memoryPatch(memory, { epoch: memory.epoch })
  return [
    ...(facts ? [{ uuid, op: 'remember' as const, facts }] : []),
    ...(domain.active ? [{ uuid, op: 'cut' as const }] : []),
    { uuid, op: 'undefine' },
  ]
}

function planOne(config: HostConfig, want: Want, seen: SeenVm | undefined): VmChange[] {
  if (!seen || obstacle(config, want, seen)) return []
  const { uuid } = want
  const domain = domainOf(uuid, want.spec, config)
  const hash = definitionHash(domain)
  const changes: VmChange[] = seedChanges(uuid, domain, seen)
  const { adopted } = seen.domain ?? {}
  // A definition can't get another name while it runs: until its end it is left as it is.
  if (adopted && seen.domain?.active) return [...changes, ...powerChanges(uuid, powerPlan(want, seen), seen.memory)]
  if (adopted) changes.push({ uuid, op: 'replace', name: adopted.name })
  const hotplug = hotplugOf(domain, seen)
  // What a guest that is astray starts from again must be what it writes into.
  const defines = hotplug.elsewhere.length === 0 && seen.domain?.configHash !== hash
  if (defines || !seen.domain?.persistent)
    changes.push({ uuid, op: 'define', generation: generationText(want.generation), ...marksOf(domain), domain })
  const { unplugging: _, ...rest } = seen.memory
  const memory: VmMemory = hotplug.unplugging ? { ...rest, unplugging: hotplug.unplugging } : rest
  return [
    ...changes,
    ...diskChanges(want, seen, { domain, hotplug, memory }),
    ...wakeChanges(want, { ...seen, memory }),
    ...powerChanges(uuid, powerPlan(want, { ...seen, memory }), memory),
  ]
}

/** A guest that runs keeps what it has read open: an older file may go. */
function seedChanges(uuid: string, { configDrive }: DomainSpec, { seeds = [] }: SeenVm): VmChange[] {
  const wanted = configDrive?.file
  const make: VmChange[] = wanted === undefined || seeds.includes(wanted) ? [] : [{ uuid, op: 'seed', path: wanted }]
  return [...make, ...seeds.filter((path) => path !== wanted).map((path): VmChange => ({ uuid, op: 'unseed', path }))]
}

/** The question is remembered before it is asked: asked twice, libvirt refuses. */
function diskChanges(
  { uuid, generation }: Want,
  seen: SeenVm,
  { domain, hotplug, memory }: { domain: DomainSpec; hotplug: Hotplug; memory: VmMemory },
): VmChange[] {
  const facts = memoryPatch(seen.memory, memory)
  const { plug, unplug, plugNics, unplugNics, kept, media, elsewhere, tune } = hotplug
  const looked = seen.domain?.active && seen.domain.liveDisks !== undefined
  const settled = looked && kept.length === 0 && elsewhere.length === 0 && seen.domain?.liveBase === baseHash(domain)
  // It was marked when the file of its disk still counted as what only a start can change.
  const { active, liveHash, liveBase } = seen.domain ?? {}
  const outdated =
    active && !looked && liveHash === definitionHash(domain) && liveBase !== undefined && liveBase !== baseHash(domain)
  return [
    ...(facts ? [{ uuid, op: 'remember' as const, facts }] : []),
    ...unplug.map((u): VmChange => ({ uuid, op: 'unplug', ...u })),
    ...plug.map((disk): VmChange => ({ uuid, op: 'plug', disk })),
    ...tune.map((t): VmChange => ({ uuid, op: 'tune', ...t })),
    ...unplugNics.map((u): VmChange => ({ uuid, op: 'unplug-nic', ...u })),
    ...plugNics.map((nic): VmChange => ({ uuid, op: 'plug-nic', nic })),
    ...(media ? [{ uuid, op: 'media' as const, cdrom: media }] : []),
    ...(settled || outdated ? [{ uuid, op: 'mark' as const, generation: generationText(generation), ...marksOf(domain) }] : []),
  ]
}

/** What may fail is remembered when it is done; what would be taken for another's hand, were it found half done, before it too. */
function powerChanges(uuid: string, { step, memory }: PowerPlan, known: VmMemory): VmChange[] {
  const remember = (before: VmMemory, after: VmMemory): VmChange[] => {
    const facts = memoryPatch(before, after)
    return facts ? [{ uuid, op: 'remember', facts }] : []
  }
  if (step === 'cut' && memory.stopped) {
    const cutting: VmMemory = { ...memory, stopped: { ...memory.stopped, unseen: true } }
    return [...remember(known, cutting), { uuid, op: 'cut' }, ...remember(cutting, memory)]
  }
  if (step === 'start' || step === 'restart') {
    // Found running with a cause of being off, it would count as started by hand.
    const starting: VmMemory = { ...known, stopped: undefined }
    const cut: VmChange[] = step === 'restart' ? [{ uuid, op: 'cut' }] : []
    return [...remember(known, starting), ...cut, { uuid, op: 'start' }, ...remember(starting, memory)]
  }
  return [...(step === 'none' ? [] : [{ uuid, op: step } as VmChange]), ...remember(known, memory)]
}

/** Who is paused sees no power button. */
const wakeChanges = (want: Want, seen: SeenVm): VmChange[] =>
  heldByHand(seen) && powerPlan(want, seen).step === 'ask' ? [{ uuid: want.uuid, op: 'resume' }] : []

/** Why nothing is done for a wanted VM. */
function obstacle(config: HostConfig, want: Want, seen: SeenVm): Report | undefined {
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
  const open = openCard(config, want, seen)
  if (open) return open
  const [covered] = seen.coveredDisks ?? []
  // A definition that names it is an invitation to start it by hand.
  const names = covered && seen.domain?.configHash !== definitionHash(domainOf(uuid, spec, config))
  if (covered && (names || powerPlan(want, seen).step === 'start')) {
    const error = new SkerryError(
      'volume-layered',
      `${covered.over} lies over a disk of this VM, so it is not started on ${covered.path}`,
      {
        uuid,
        ...covered,
      },
    )
    return { condition: 'Failed', observed: observedOf(want, seen), error: toErrorBody(error) }
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

/** Open is worse than off: a card that nothing guards is given to no guest, neither at its start nor while it runs. */
function openCard(config: HostConfig, want: Want, seen: SeenVm): Report | undefined {
  const { uuid, spec } = want
  const [tap] = seen.unguarded ?? []
  if (tap === undefined) return undefined
  const plugs = hotplugOf(domainOf(uuid, spec, config), seen).plugNics.some((nic) => seen.unguarded?.includes(nic.tap))
  if (!plugs && !['start', 'restart'].includes(powerPlan(want, seen).step)) return undefined
  const error = new SkerryError('nic-unguarded', `the card ${tap} of this VM is not guarded by its security groups yet`, {
    uuid,
    taps: seen.unguarded,
  })
  return { condition: 'Failed', observed: observedOf(want, seen), error: toErrorBody(error) }
}

export function reportVm(config: HostConfig, want: Want | undefined, seen: SeenVm | undefined): Report {
  if (!seen) return { condition: 'Working', observed: {} }
  if (!want) return { condition: 'Ready', observed: observedOf(undefined, seen) }
  const why = obstacle(config, want, seen)
  if (why) return why
  const live = seen.domain?.liveHash
  const domain = domainOf(want.uuid, want.spec, config)
  const pendingChange = typeof live === 'string' && live !== definitionHash(domain)
  const observed = { ...observedOf(want, seen), ...(pendingChange ? { pendingChange } : {}) }
  const hotplug = hotplugOf(domain, seen)
  // A snapshot moves the guest first, and the document follows.
  const astray = pendingChange ? (writesElsewhere(hotplug, seen) ?? unlikeAdopted(domain, seen)) : undefined
  const late = astray ?? withoutDrive(hotplug, seen) ?? keptTooLong(hotplug, seen)
  if (late) return { condition: 'Failed', observed, error: toErrorBody(late) }
  const leaving = want.spec.power.state === 'Stopped' && seen.domain?.active && !seen.memory.kept
  const plugging =
    [hotplug.plug, hotplug.plugNics, hotplug.kept, hotplug.tune].some((list) => list.length > 0) || hotplug.media !== undefined
  return { condition: leaving || plugging ? 'Working' : 'Ready', observed }
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
export function observedOf(want: Want | undefined, seen: SeenVm): Record<string, unknown> {
  const { domain, memory, outside } = seen
  if (outside) return { power: powers[outside.state] ?? 'Unknown', cause: 'outside', pid: null, outside: outside.is }
  if (!domain?.active) {
    const power = domain ? (powers[domain.state] ?? 'Unknown') : 'Stopped'
    const starting = want !== undefined && powerPlan(want, seen).step === 'start'
    return { power, cause: starting ? START_PENDING : (memory.stopped?.cause ?? causeOf(domain?.reason)), pid: null }
  }
  const { state, reason, pid } = domain
  const power = state === 'paused' && passing.has(reason) ? 'Running' : (powers[state] ?? 'Unknown')
  return { power, cause: runningCause(want, seen, power), pid }
}

function runningCause(want: Want | undefined, { domain, memory }: SeenVm, power: string): string {
  const { state, reason } = domain!
  if (state === 'shutdown') return 'shutting-down' // the guest has ended, its qemu not yet
  if (state === 'paused' && reason === 'user') return memory.pause?.paused ? 'api' : 'by-hand'
  if (power !== 'Running' || !want) return reason
  return memory.kept?.cause ?? want.spec.power.cause
}
