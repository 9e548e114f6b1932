/**
 * [format] Desired documents between versions. Each noun has a schema number; an agent tells in its heartbeat up to which it
 * reads each of its nouns (`schemas`), and reads every older one. So a newer agent lifts what an older controller or its own
 * ledger says, and a newer controller lowers what it says to an older agent. Pure, total, never removed as long as an agent
 * or a ledger of that version may be met.
 */
import type { Row } from '../commit.ts'
import type { AgentKind } from '../resources/agent.ts'

export interface NounCasts {
  /** `up[v]` lifts a spec of schema `v` to `v + 1`: what the older one could not say gets the value that it meant. */
  readonly up: Readonly<Record<number, (spec: Row) => Row>>
  /** `down[v]` lowers a spec of schema `v` to `v − 1`; undefined where the older one can't say this, so nothing may be sent. */
  readonly down: Readonly<Record<number, (spec: Row) => Row | undefined>>
}
export type DocumentCasts = Readonly<Record<string, NounCasts>>

/** An empty drive is none to an older agent; one with an ISO in it can't be said. */
function withoutCdrom({ cdrom, ...spec }: Row): Row | undefined {
  return (cdrom as { path: string | null } | undefined)?.path ? undefined : spec
}

/** An older agent leaves a guest running, boots it from its disk, and holds back no disk: anything else can't be said to it. */
function plainlyRunning({ power, ...spec }: Row): Row | undefined {
  const { pause, ...rest } = power as { pause?: { paused: boolean } }
  const limited = (spec['disks'] as Row[]).some((disk) => disk['qos'] !== undefined)
  return pause?.paused || limited || spec['bootOrder'] !== undefined ? undefined : { ...spec, power: rest }
}

/** An older agent would plug in a card that nothing guards. */
const unguarded = (spec: Row): Row | undefined => ((spec['nics'] as Row[]).some((nic) => nic['guarded']) ? undefined : spec)

/** A volume of several files, or over an image on a storage server, can't be said to an agent that knows neither. */
function ofOneFile(spec: Row): Row | undefined {
  const elsewhere = (spec['backing'] as Row | null | undefined)?.['backupStorageUuid'] !== undefined
  return !elsewhere && ['layers', 'next', 'drop'].every((field) => spec[field] === undefined) ? spec : undefined
}

/** Only what the older agent has words for: a network or a guest without the rest would not be the one that is wanted. */
const without =
  (...fields: string[]) =>
  (spec: Row): Row | undefined =>
    fields.every((field) => spec[field] === undefined) ? spec : undefined

/** By noun. A noun that has only ever had one schema needs none. */
export const documentCasts: DocumentCasts = {
  bridge: { up: { 1: (spec) => spec }, down: { 2: without('vlan', 'vxlan') } },
  router: {
    up: { 1: (spec) => spec, 2: (spec) => spec },
    down: { 3: without('networks', 'flat'), 2: without('hostRoutes', 'v6', 'dns6') },
  },
  lease: { up: { 1: (spec) => spec }, down: { 2: without('ip6') } },
  vip: { up: { 1: (spec) => spec }, down: { 2: without('own', 'flat') } },
  volume: { up: { 1: (spec) => spec }, down: { 2: ofOneFile } },
  // A guest whose agent ignored its seed would come up without its keys.
  vm: {
    up: { 1: (spec) => spec, 2: (spec) => spec, 3: (spec) => spec, 4: (spec) => spec },
    down: { 5: unguarded, 4: plainlyRunning, 3: withoutCdrom, 2: (spec) => (spec['seed'] === undefined ? spec : undefined) },
  },
}

/** The spec in another schema; undefined: it can't be said there, or nobody knows how. */
export function castSpec(casts: NounCasts | undefined, spec: Row, { from, to }: { from: number; to: number }): Row | undefined {
  let cast: Row | undefined = spec
  for (let v = from; v < to && cast; v++) cast = casts?.up[v]?.(cast)
  for (let v = from; v > to && cast; v--) cast = casts?.down[v]?.(cast)
  return cast
}

/** What the code at hand says: injected, so that tests can be another version. */
export interface DocumentVersions {
  schemaOf(noun: string): number
  casts: DocumentCasts
}

export function documentVersions(
  nouns: Readonly<Record<AgentKind, readonly { noun: string; schema: number }[]>>,
  casts: DocumentCasts = documentCasts,
): DocumentVersions {
  const schemas = new Map(Object.values(nouns).flatMap((list) => list.map((n) => [n.noun, n.schema] as const)))
  return { schemaOf: (noun) => schemas.get(noun) ?? 1, casts }
}
