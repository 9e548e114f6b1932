/**
 * What to do about bridges. A NIC that carries addresses of the host, or belongs elsewhere, is never taken: that could cut the
 * host off. A bridge is removed only when nothing but the uplink that we attached is left in it.
 */
import { type kvmDesired, SkerryError, toErrorBody } from '@skerry/contract'
import type { UplinkSpec } from '@skerry/host'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { Patch } from '../memory.ts'
import type { SeenBridge } from './observe.ts'
import { floodChange, hindrance, isRight, isThat, wantedUplink } from './uplink.ts'

export type BridgeChange = Change &
  (
    | { op: 'create'; name: string; mtu: number | null }
    | { op: 'set'; name: string; up?: true; mtu?: number }
    | { op: 'ipv6-off'; name: string }
    | { op: 'attach' | 'detach'; name: string; nic: string }
    | { op: 'plug'; name: string; tap: string }
    | { op: 'tap-mtu'; name: string; tap: string; mtu: number }
    | { op: 'uplink'; name: string; link: UplinkSpec }
    | { op: 'unlink'; name: string; link: string }
    | { op: 'flood'; name: string; link: string; add: string[]; del: string[] }
    | { op: 'remove'; name: string }
    | { op: 'remember'; facts: Patch }
  )

type Want = Wanted<kvmDesired.BridgeSpec>

export function planBridges(want: readonly Want[], have: readonly SeenBridge[], context: PlanContext): BridgeChange[] {
  const buried = have.filter((seen) => context.buried.has(seen.uuid)).flatMap(bury)
  const made = want.flatMap((w) => {
    const seen = have.find((h) => h.uuid === w.uuid)
    return seen && !obstacle(seen) ? make(w, seen) : []
  })
  return [...buried, ...made]
}

/** Ports that keep a bridge alive: all but our uplinks. */
export const keepers = (seen: SeenBridge): string[] =>
  (seen.there?.ports ?? []).filter((port) => port !== seen.attached && !seen.own?.some((own) => own.name === port))

function bury(seen: SeenBridge): BridgeChange[] {
  const { uuid, name } = seen
  if (keepers(seen).length > 0) return []
  const detach = seen.attached && seen.there?.ports.includes(seen.attached) ? [seen.attached] : []
  return [
    ...detach.map((nic): BridgeChange => ({ uuid, op: 'detach', name, nic })),
    ...(seen.attached === null ? [] : [forget(uuid)]),
    ...(seen.own ?? []).map((own): BridgeChange => ({ uuid, op: 'unlink', name, link: own.name })),
    ...[...(seen.there ? [name] : []), ...seen.strays].map((stray): BridgeChange => ({ uuid, op: 'remove', name: stray })),
  ]
}

const forget = (uuid: string): BridgeChange => ({ uuid, op: 'remember', facts: { uplink: null } })

function make({ uuid, spec }: Want, seen: SeenBridge): BridgeChange[] {
  const { name, mtu } = spec
  const link = wantedUplink(uuid, spec, seen.carrier)
  const nic = link ? null : spec.physicalInterface
  const { there, attached } = seen
  const changes: BridgeChange[] = seen.strays.map((stray) => ({ uuid, op: 'remove', name: stray }))
  if (!there) changes.push({ uuid, op: 'create', name, mtu })
  else {
    const set = { ...(there.up ? {} : { up: true as const }), ...(mtu !== null && there.mtu !== mtu ? { mtu } : {}) }
    if (Object.keys(set).length > 0) changes.push({ uuid, op: 'set', name, ...set })
  }
  if (!there?.ipv6Off) changes.push({ uuid, op: 'ipv6-off', name })
  for (const tap of seen.loose ?? []) changes.push({ uuid, op: 'plug', name, tap })
  if (mtu !== null) for (const tap of seen.unequal ?? []) changes.push({ uuid, op: 'tap-mtu', name, tap, mtu })
  if (attached !== null && attached !== nic) {
    if (there?.ports.includes(attached)) changes.push({ uuid, op: 'detach', name, nic: attached })
    if (nic === null) changes.push(forget(uuid))
  }
  for (const own of seen.own ?? []) if (!isThat(own, link)) changes.push({ uuid, op: 'unlink', name, link: own.name })
  if (link && !seen.own?.some((own) => isRight(own, link, name))) changes.push({ uuid, op: 'uplink', name, link })
  const own = seen.own?.find((one) => isThat(one, link))
  const flood = link && spec.vxlan && floodChange(own?.vxlan?.peers ?? [], spec.vxlan.peers)
  if (flood) changes.push({ uuid, op: 'flood', name, link: link.name, ...flood })
  if (nic === null) return changes
  // Remembered first: what we attached must be known as ours after a crash.
  if (attached !== nic) changes.push({ uuid, op: 'remember', facts: { uplink: nic } })
  if (!there?.ports.includes(nic)) changes.push({ uuid, op: 'attach', name, nic })
  return changes
}

/** Why nothing is done for a wanted bridge. */
function obstacle(seen: SeenBridge): Report | undefined {
  const { name, uplink } = seen
  if (seen.foreign) {
    return blocked(
      'Refused',
      new SkerryError('in-use', `an interface called ${name} exists and is not ours`, {
        interface: name,
        kind: seen.foreign.kind,
      }),
    )
  }
  const hindered = seen.carrier && hindrance(seen.carrier, seen.interfaces)
  if (hindered) return blocked(hindered.code === 'in-use' ? 'Refused' : 'Failed', hindered)
  if (!uplink || seen.there?.ports.includes(uplink.name)) return undefined
  const nic = uplink.name
  if (!uplink.there) {
    return blocked(
      'Failed',
      new SkerryError('invalid-argument', `there is no network interface called ${nic} on this host`, {
        interface: nic,
        interfaces: seen.interfaces,
      }),
    )
  }
  if (uplink.there.addresses.length > 0) {
    const remedy = 'Name an interface without an address, or move the address onto a bridge of your own first.'
    const details = { interface: nic, addresses: uplink.there.addresses, remedy }
    return blocked(
      'Refused',
      new SkerryError('in-use', `${nic} carries an address of the host itself, so bridging it would cut the host off`, details),
    )
  }
  if (uplink.there.master !== null) {
    return blocked(
      'Refused',
      new SkerryError('in-use', `${nic} belongs to ${uplink.there.master} already`, {
        interface: nic,
        master: uplink.there.master,
      }),
    )
  }
  return undefined
}

const blocked = (condition: 'Failed' | 'Refused', error: SkerryError): Report => ({
  condition,
  observed: {},
  error: toErrorBody(error),
})

export function reportBridge(want: Want | undefined, seen: SeenBridge | undefined): Report {
  if (!seen) return { condition: 'Working', observed: {} }
  const why = want && obstacle(seen)
  if (why) return why
  return {
    condition: seen.there ? 'Ready' : 'Working',
    observed: { name: seen.name, mtu: seen.there?.mtu ?? null, uplink: seen.attached ?? seen.own?.[0]?.name ?? null },
  }
}
