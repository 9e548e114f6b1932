/** Tags of resources: what they may say, and the rows that they are. Pure. */
import {
  ephemeralRefusal,
  fitsPattern,
  isEphemeral,
  type Op,
  patternOf,
  type Resource,
  type Row,
  resourceOf,
  resources,
  SkerryError,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { checkHostname, l3sOf } from '../desired/host-names.ts'
import { checkListenerTag, checkListenerTagsTogether, settingOf } from '../workflows/load-balancer.settings.ts'
import { limitOfTag } from '../workflows/volume.limits.ts'
import { checkGuestTag, checkGuestTagsTogether } from './guest-tags.ts'
import { needPattern, wornText } from './tag-patterns.ts'

export type TagKind = 'System' | 'User'

/** ZStack's name of a kind of resource: `vmInstance` → `VmInstanceVO`. */
export const resourceTypeOf = (table: string): string => `${table.charAt(0).toUpperCase()}${table.slice(1)}VO`

/** Resources that ZStack knows and whose row stands under its uuid. */
const taggable = new Map(
  Object.values(resources as Record<string, Resource>)
    .filter(({ inventory, rows, indexes }) => inventory && !rows && !indexes.includes('uuid'))
    .map(({ name }) => [resourceTypeOf(name), name]),
)

/** The table behind a type. `invalid-argument` where there is none. */
export function tableOfType(resourceType: string): string {
  const table = taggable.get(resourceType)
  if (table !== undefined) return table
  throw new SkerryError('invalid-argument', `invalid field[resourceType]: there is no type ${resourceType}`, {
    field: 'resourceType',
    allowed: [...taggable.keys()].sort(),
  })
}

/** ZStack's name of the kind of a resource. `not-found` where there is no resource with this uuid that could have tags. */
export function typeOfUuid(graph: Graph, uuid: string): string {
  for (const [type, table] of taggable) if (graph.get(table, uuid)) return type
  throw new SkerryError('not-found', `there is no resource ${uuid} that can have tags`, { field: 'resourceUuids', uuid })
}

/** Whether a plugin that is switched on has registered its form. */
function isOfPlugin(graph: Graph, table: string, tag: string): boolean {
  for (const [, { state, tagPatterns }] of graph.rows('plugin'))
    for (const { resource, pattern } of tagPatterns as { resource: string; pattern: string }[])
      if (state === 'Enabled' && resource === table && fitsPattern(tag, pattern)) return true
  return false
}

/** Throws where a system tag has no form that is registered for this resource: nobody would act on it. */
export function checkSystemTag(table: string, tag: string, field: string, graph?: Graph): void {
  if (graph && isOfPlugin(graph, table, tag)) return
  if (patternOf(table, tag) !== undefined) {
    if (table === 'vmInstance') checkGuestTag(tag)
    if (table === 'loadBalancerListener') checkListenerTag(tag, field)
    if (Number.isNaN(limitOfTag(tag)?.value))
      throw new SkerryError('invalid-argument', `invalid field[${field}]: a limit is a whole number above 0: ${tag}`, {
        field,
        tag,
      })
    return
  }
  const noun = resourceOf(table)?.noun ?? table
  throw new SkerryError('invalid-argument', `invalid field[${field}]: no system tag of a ${noun} has the form of ${tag}`, {
    field,
    resourceType: resourceTypeOf(table),
    tag,
  })
}

const listOf = (params: Row, field: string) => (params[field] as string[] | undefined) ?? []

/** Tags that a creation brings along: each kind without repeats, system tags of a registered form, patterns without places to fill. */
export function checkGivenTags(graph: Graph, table: string, params: Row): void {
  if (table === 'vmInstance') {
    checkGuestTagsTogether(listOf(params, 'systemTags'))
    for (const tag of listOf(params, 'systemTags')) checkHostname(graph, { tag, l3Uuids: listOf(params, 'l3NetworkUuids') })
  }
  if (table === 'loadBalancerListener') checkListenerTagsTogether(listOf(params, 'systemTags'), 'systemTags')
  const worn = listOf(params, 'tagUuids').map((uuid) => wornText(needPattern(graph, uuid), undefined, 'tagUuids'))
  for (const [field, given] of [
    ['systemTags', listOf(params, 'systemTags')],
    ['userTags', [...listOf(params, 'userTags'), ...worn]],
  ] as const) {
    const twice = given.find((tag, i) => given.indexOf(tag) !== i)
    if (twice !== undefined) throw new SkerryError('duplicate-name', `${field} holds ${twice} twice`, { field, tag: twice })
  }
  for (const tag of listOf(params, 'systemTags')) {
    if (!isEphemeral(table, tag)) checkSystemTag(table, tag, 'systemTags', graph)
    const why = ephemeralRefusal(table, tag)
    if (why === undefined) continue
    throw new SkerryError('invalid-argument', `invalid field[systemTags]: ${tag}: ${why}`, { field: 'systemTags', tag })
  }
}

/** Throws where the resource has this tag already, or another VM its host name. `except`: the tag's own row. */
export function checkNewTag(graph: Graph, of: { resourceUuid: string; kind: TagKind; tag: string; except?: string }): void {
  const vmUuid = of.kind === 'System' && graph.get('vmInstance', of.resourceUuid) ? of.resourceUuid : undefined
  if (vmUuid !== undefined) checkHostname(graph, { tag: of.tag, l3Uuids: l3sOf(graph, vmUuid), vmUuid })
  for (const key of graph.by('tag', 'resourceUuid', of.resourceUuid)) {
    const row = graph.get('tag', key)!
    const said = of.kind === 'System' && row['resourceType'] === 'LoadBalancerListenerVO' ? settingOf(of.tag)?.name : undefined
    const same = row['tag'] === of.tag || (said !== undefined && settingOf(row['tag'] as string)?.name === said)
    if (key === of.except || row['type'] !== of.kind || !same) continue
    throw new SkerryError(
      'duplicate-name',
      `resource ${of.resourceUuid} has the ${of.kind.toLowerCase()} tag ${of.tag} already`,
      {
        field: 'tag',
        tagUuid: key,
      },
    )
  }
}

/** One tag's row. */
export function tagRow(
  of: { uuid: string; resourceUuid: string; resourceType: string; tag: string; kind: TagKind; tagPatternUuid?: string },
  now: number,
): Op {
  const { kind, ...fields } = of
  const row: Row = { ...fields, type: kind, createDate: now, lastOpDate: now, ...(kind === 'System' ? { inherent: false } : {}) }
  return { o: 'put', t: 'tag', k: of.uuid, v: row }
}

/** Rows of the tags that a creation brings along. Ephemeral ones are not kept. */
export function givenTagOps(
  graph: Graph,
  input: { uuid: string; table: string; params: Row },
  { newId, now }: { newId: () => string; now: number },
): Op[] {
  const of = { resourceUuid: input.uuid, resourceType: resourceTypeOf(input.table) }
  const rows = (kind: TagKind, tags: readonly string[]) => tags.map((tag) => tagRow({ ...of, uuid: newId(), tag, kind }, now))
  const lasting = listOf(input.params, 'systemTags').filter((tag) => !isEphemeral(input.table, tag))
  const worn = listOf(input.params, 'tagUuids').map((tagPatternUuid) => {
    const tag = wornText(needPattern(graph, tagPatternUuid), undefined, 'tagUuids')
    return tagRow({ ...of, uuid: newId(), tag, kind: 'User', tagPatternUuid }, now)
  })
  return [...rows('System', lasting), ...rows('User', listOf(input.params, 'userTags')), ...worn]
}
