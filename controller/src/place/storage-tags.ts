/** Primary storages that the tags of an offering name for its volumes (zstack-core §3.15). Pure. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

const UUID = 'primaryStorage::allocator::uuid::'
const USER_TAG = 'primaryStorage::allocator::userTag::'
const REQUIRED = '::required'

/** Empty lists: any will do. */
export interface StorageWish {
  uuids: readonly string[]
  /** user tags of which it must have one */
  required: readonly string[]
  /** user tags of which it had better have one */
  rather: readonly string[]
}

const tagsOf = (graph: Graph, resourceUuid: unknown): Readonly<Row>[] =>
  [...graph.by('tag', 'resourceUuid', resourceUuid)].map((k) => graph.get('tag', k)!)

/** What the system tags of these offerings say together; undefined: nothing. */
export function storageWish(graph: Graph, offeringUuids: readonly unknown[]): StorageWish | undefined {
  const texts = offeringUuids.flatMap((uuid) =>
    tagsOf(graph, uuid).flatMap(({ type, tag }) => (type === 'System' && typeof tag === 'string' ? [tag] : [])),
  )
  const after = (prefix: string) => texts.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length))
  const userTags = after(USER_TAG)
  const required = userTags.filter((tag) => tag.endsWith(REQUIRED)).map((tag) => tag.slice(0, -REQUIRED.length))
  const rather = userTags.filter((tag) => !tag.endsWith(REQUIRED))
  const uuids = after(UUID)
  return uuids.length + required.length + rather.length > 0 ? { uuids, required, rather } : undefined
}

const hasOne = (graph: Graph, storageUuid: unknown, wanted: readonly string[]): boolean =>
  tagsOf(graph, storageUuid).some(({ type, tag }) => type === 'User' && wanted.includes(tag as string))

/** Why a storage is not one of those; undefined: it is. */
export function wishRefusal(graph: Graph, storage: Readonly<Row>, { uuids, required }: StorageWish): string | undefined {
  if (uuids.length > 0 && !uuids.includes(storage['uuid'] as string))
    return `primary storage ${storage['name']} is not the one that a tag of the offering names`
  return required.length > 0 && !hasOne(graph, storage['uuid'], required)
    ? `primary storage ${storage['name']} lacks the tag that the offering requires: ${required.join(', ')}`
    : undefined
}

export const isRather = (graph: Graph, storage: Readonly<Row>, { rather }: StorageWish): boolean =>
  rather.length > 0 && hasOne(graph, storage['uuid'], rather)
