/** Which resource a parameter stands for: where names are taken for uuids, and where completion knows what to offer. */
import type { Resource } from './resource.ts'
import { resourceOf, resources } from './resources/index.ts'

/** What ZStack calls otherwise: an ISO is an image, and what is put on resources by its uuid is the pattern of a tag. */
const otherNames: Readonly<Record<string, string>> = {
  iso: 'image',
  vm: 'vmInstance',
  tag: 'tagPattern',
  group: 'userGroup',
  identity: 'account',
}

/** Longest first: `localStorageHost` ends in `Host`. */
const tables = Object.keys(resources).sort((a, b) => b.length - a.length)

/**
 * The resource that a parameter names: `zoneUuid` → zone, `defaultL3NetworkUuid` → l3Network,
 * `primaryStorageUuidForRootVolume` → primaryStorage. `uuid` is the API's own resource. Undefined: not resolved.
 */
export function resourceNamedBy(parameter: string, own: Resource): Resource | undefined {
  if (parameter === 'uuid') return own
  if (parameter === 'sessionUuid' || parameter === 'resourceUuid' || parameter === 'tagUuids') return undefined
  const stem = /^(.+?)Uuids?(For[A-Z]\w*)?$/.exec(parameter)?.[1]
  if (stem === undefined) return undefined
  const lower = stem.toLowerCase()
  const exact = otherNames[lower] ?? tables.find((name) => lower === name.toLowerCase())
  const table = exact ?? tables.find((name) => lower.endsWith(name.toLowerCase()))
  // `rootDiskOfferingUuid` ends in a name; `backupStorageUuids` is one; nothing else is left but typos of ours.
  return table === undefined ? undefined : resourceOf(table)
}
