/**
 * Disks and network cards of a guest that runs: what is to be plugged in and what to be taken out. Pure. Of all that a definition says
 * only these, besides the disk that it boots from, can change while it runs; the rest waits for its next start.
 *
 * Taking out is a question to the guest, which may think about it as long as it likes: it is remembered since when it was asked, so
 * that it is asked again now and then, and so that somebody is told when it keeps the disk.
 */
import { canonicalJson, SkerryError } from '@skerry/contract'
import type { CdromSpec, DiskSpec, DomainSpec, Iotune, NicSpec } from '@skerry/libvirt'
import type { VmMemory } from './memory.ts'
import type { LiveDisks, SeenVm } from './observe.ts'

/** A guest that is still booting does not hear the question. */
const ASK_AGAIN_MS = 10_000
/** How long a guest may keep a disk before it is told; a multiple of the above, so that nobody has to wake for it alone. */
const KEEPS_MS = 60_000

export type Unplugging = NonNullable<VmMemory['unplugging']>

export interface Hotplug {
  /** The CD drive as it is to be, where something else is in it now. */
  media: CdromSpec | undefined
  /** It should have an ISO and has no drive: it runs since before it was given one. */
  driveless: boolean
  plug: DiskSpec[]
  /** `again`: it was asked before, so a refusal is no news. */
  unplug: { disk: DiskSpec; again: boolean }[]
  plugNics: NicSpec[]
  unplugNics: { nic: NicSpec; again: boolean }[]
  /** Disks that are held back otherwise than their document says. */
  tune: { target: string; iotune: Iotune }[]
  /** Volumes that the guest writes into another file of than its document says: never let go for that. */
  elsewhere: { file: string; wanted: string }[]
  /** Disks and taps of cards that the guest has and should not have. */
  kept: string[]
  /** What is to be remembered, before the guest is asked. */
  unplugging: Unplugging | undefined
}

const NOTHING: Hotplug = {
  media: undefined,
  driveless: false,
  plug: [],
  unplug: [],
  plugNics: [],
  unplugNics: [],
  tune: [],
  elsewhere: [],
  kept: [],
  unplugging: undefined,
}

export function hotplugOf(domain: DomainSpec, seen: SeenVm): Hotplug {
  const live = seen.domain?.active ? seen.domain.liveDisks : undefined
  if (!live) return NOTHING
  const wanted = new Map(domain.disks.map((disk) => [disk.file, disk]))
  const present = new Set(live.map((disk) => disk.file))
  const elsewhere = live.flatMap((disk) => {
    const same = domain.disks.find((one) => one.target === disk.target && one.file !== disk.file && isOfVolume(one, disk.file))
    return same ? [{ file: disk.file, wanted: same.file }] : []
  })
  const moved = new Set(elsewhere.map(({ file }) => file))
  const extra = live.filter((disk) => !wanted.has(disk.file) && !moved.has(disk.file))
  const asked = extra.map(({ file, target, format }) => ({ disk: { file, target, format }, ...askOf(file, seen) }))
  const nics = nicsOf(domain, seen)
  const questions = [...asked, ...nics.asked]
  // A slot is free only when the guest has let go of what is in it.
  const taken = new Set(live.map((disk) => disk.target))
  const plug = domain.disks.filter((disk) => disk.bootOrder === undefined && !present.has(disk.file) && !taken.has(disk.target))
  return {
    ...mediaOf(domain, seen),
    plug,
    unplug: asked.flatMap(({ due, disk, again }) => (due ? [{ disk, again }] : [])),
    tune: tuneOf(domain, live),
    elsewhere,
    plugNics: nics.plug,
    unplugNics: nics.asked.flatMap(({ due, nic, again }) => (due ? [{ nic, again }] : [])),
    kept: questions.map(({ key }) => key),
    unplugging: questions.length > 0 ? Object.fromEntries(questions.map(({ key, at }) => [key, at])) : undefined,
  }
}

function tuneOf({ disks }: DomainSpec, live: LiveDisks): Hotplug['tune'] {
  const limits = new Map(live.map(({ file, iotune = {} }) => [file, iotune]))
  return disks.flatMap(({ file, target, iotune = {} }) => {
    const now = limits.get(file)
    return now && canonicalJson(now) !== canonicalJson(iotune) ? [{ target, iotune }] : []
  })
}

/** All files of a volume have its uuid in their names. */
const isOfVolume = ({ volumeUuid }: DiskSpec, file: string) => volumeUuid !== undefined && file.includes(volumeUuid)

/** Neither is the right one known, nor would the guest survive a change; undefined: all is as the document says, or is about to be. */
export function writesElsewhere({ elsewhere }: Hotplug, { uuid }: SeenVm): SkerryError | undefined {
  const [first] = elsewhere
  if (!first) return undefined
  const message = `the guest writes into ${first.file}, and its document says ${first.wanted}`
  return new SkerryError('volume-layered', message, { uuid, path: first.file, wanted: first.wanted })
}

/** A drive that the guest has opened by itself is let be. */
function mediaOf({ cdroms: [wanted] = [] }: DomainSpec, { domain }: SeenVm): Pick<Hotplug, 'media' | 'driveless'> {
  const drive = domain?.liveCdrom
  if (!wanted || drive === undefined) return { media: undefined, driveless: false }
  if (drive === null || drive.target !== wanted.target) return { media: undefined, driveless: wanted.file !== undefined }
  return { media: drive.file === (wanted.file ?? null) ? undefined : wanted, driveless: false }
}

/** Why a guest can't be given its ISO while it runs; undefined: it can. */
export function withoutDrive({ driveless }: Hotplug, { uuid }: SeenVm): SkerryError | undefined {
  if (!driveless) return undefined
  const message = 'the guest runs without a CD drive since it was started by an older version: stop and start it to give it one'
  return new SkerryError('vm-illegal-state', message, { uuid })
}

/** Cards are known by their taps. */
function nicsOf(domain: DomainSpec, seen: SeenVm) {
  const live = seen.domain?.active ? seen.domain.liveNics : undefined
  if (!live) return { plug: [], asked: [] }
  const wanted = new Set(domain.nics.map(({ tap }) => tap))
  const present = new Set(live.map(({ tap }) => tap))
  return {
    plug: domain.nics.filter(({ tap }) => !present.has(tap)).map(({ bootOrder: _, ...nic }) => nic),
    asked: live.filter(({ tap }) => !wanted.has(tap)).map((nic) => ({ nic, ...askOf(nic.tap, seen) })),
  }
}

/** `key`: what the question is remembered by. */
function askOf(key: string, { memory, bootId, atMs }: SeenVm) {
  const known = memory.unplugging?.[key]
  const before = known?.bootId === bootId ? known : undefined
  const due = !before || atMs >= before.lastMs + ASK_AGAIN_MS
  const at = { atMs: before?.atMs ?? atMs, lastMs: due ? atMs : before.lastMs, bootId }
  return { key, due, again: before !== undefined, at }
}

/** What a guest has kept for too long; undefined: nothing, yet. */
export function keptTooLong(hotplug: Hotplug, { uuid, atMs }: SeenVm): SkerryError | undefined {
  const late = Object.entries(hotplug.unplugging ?? {}).filter(([, at]) => atMs >= at.atMs + KEEPS_MS)
  if (late.length === 0) return undefined
  const names = late.map(([key]) => key)
  const message = `the guest has not let go of ${names.join(', ')} within ${KEEPS_MS / 1000} s`
  const paths = names.filter((name) => name.startsWith('/'))
  return paths.length > 0
    ? new SkerryError('guest-keeps-volume', message, { uuid, paths })
    : new SkerryError('guest-keeps-nic', message, { uuid, taps: names })
}

/** When it is to be looked at again, on the host's monotonic clock. */
export const nextAskMs = (unplugging: Unplugging): number =>
  Math.min(...Object.values(unplugging).map((at) => at.lastMs + ASK_AGAIN_MS))
