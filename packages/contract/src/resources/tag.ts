import { z } from 'zod'
import { action, attach, create, query, remove, type Typed } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, text as longText, name, time, uuid } from '../scalars.ts'

/** ZStack's name of a kind of resource: `VmInstanceVO`. */
const resourceType = z.string().regex(/^[A-Z][A-Za-z0-9]{0,62}VO$/, 'must be a type such as VmInstanceVO')
const text = line(2048).min(1)
const common = { resourceUuid: uuid, resourceType, tag: text, type: z.enum(['System', 'User']) }

/** POST that tags a resource. `resourceUuid` is what gets the tag, and not the tag's own. */
function tagging<const N extends string, const P extends string, const O extends string, S extends z.ZodRawShape>(
  api: N,
  path: P,
  o: { of: O; params: S; many?: boolean },
): Typed<N, P, { resourceType: typeof resourceType } & S, { kind: 'inventory' | 'inventories'; of: O }, false> {
  return {
    ...{ api, method: 'POST', path, bodyKey: 'params', sync: false, session: true },
    params: z.object({ resourceType, ...o.params }) as z.ZodObject<{ resourceType: typeof resourceType } & S>,
    workflow: o.many ? 'tag.createMany' : 'tag.create',
    result: { kind: o.many ? 'inventories' : 'inventory', of: o.of },
    verb: o.many ? 'create-many' : 'create',
    summary: o.many ? 'Give a resource several system tags' : 'Give a resource a tag',
  }
}

/** A word on a resource (zstack-core §2.24). It goes with its resource, in the same commit. */
export const tag = defineResource({
  name: 'tag',
  noun: 'tag',
  path: '/tags',
  summary: 'A word on a resource: a system tag or a user tag',
  scope: { follows: 'resourceUuid', of: '*' },
  fields: { ...common, inherent: z.boolean().optional(), tagPatternUuid: uuid.nullable().optional() },
  edges: {},
  indexes: ['resourceUuid', 'resourceType', 'tag', 'tagPatternUuid'],
  columns: ['tag', 'uuid', 'type', 'resourceType', 'resourceUuid'],
  apis: [{ ...remove('DeleteTag', '/tags/{uuid}', 'tag', { workflow: 'tag.delete' }), alsoOf: 'tagPattern' }],
})

/** A tag of a registered form, which changes what is done with its resource. `inherent`: nobody may change or delete it. */
export const systemTag = defineResource({
  name: 'systemTag',
  noun: 'system-tag',
  path: '/system-tags',
  rows: { table: 'tag', where: { field: 'type', is: 'System' } },
  inventory: { sdk: 'SystemTagInventory', java: 'org.zstack.header.tag.SystemTagInventory' },
  summary: 'A tag of a registered form',
  scope: { follows: 'resourceUuid', of: '*' },
  fields: { ...common, inherent: z.boolean() },
  edges: {},
  indexes: [],
  columns: ['tag', 'uuid', 'resourceType', 'resourceUuid', 'inherent'],
  apis: [
    tagging('CreateSystemTag', '/system-tags', { of: 'systemTag', params: { resourceUuid: uuid, tag: text } }),
    tagging('CreateSystemTags', '/system-tags/{resourceUuid}/tags', {
      of: 'systemTag',
      params: { tags: z.array(text).min(1).max(100) },
      many: true,
    }),
    query('QuerySystemTag', '/system-tags', 'systemTag'),
    action('UpdateSystemTag', '/system-tags/{uuid}/actions', {
      of: 'systemTag',
      workflow: 'tag.update',
      verb: 'update',
      params: { tag: text },
      summary: 'Change what stands in a system tag',
    }),
  ],
})

/** A tag of any words. */
export const userTag = defineResource({
  name: 'userTag',
  noun: 'user-tag',
  path: '/user-tags',
  rows: { table: 'tag', where: { field: 'type', is: 'User' } },
  inventory: { sdk: 'UserTagInventory', java: 'org.zstack.header.tag.UserTagInventory' },
  summary: 'A tag of any words',
  scope: { follows: 'resourceUuid', of: '*' },
  fields: { ...common, tagPatternUuid: uuid.nullable().optional() },
  edges: {},
  indexes: [],
  columns: ['tag', 'uuid', 'resourceType', 'resourceUuid'],
  apis: [
    tagging('CreateUserTag', '/user-tags', { of: 'userTag', params: { resourceUuid: uuid, tag: text } }),
    query('QueryUserTag', '/user-tags', 'userTag'),
  ],
})

/** What became of one resource that the words were put on. */
const attached = z.object({
  inventory: z.object({ uuid, ...common, tagPatternUuid: uuid, createDate: time, lastOpDate: time }),
  success: z.boolean(),
})
const patternParams = { value: text, color: line(32).optional() }

/**
 * What ZStack calls a tag: words with a colour that are put on many resources, each time as a user tag. One `withToken` has
 * places that each resource fills (`owner::{name}`). It goes with all user tags that were made of it, in one commit.
 */
export const tagPattern = defineResource({
  name: 'tagPattern',
  noun: 'tag-pattern',
  path: '/tags',
  inventory: { sdk: 'TagPatternInventory', java: 'org.zstack.header.tag.TagPatternInventory' },
  summary: 'Words with a colour, to put on many resources',
  scope: { owner: 'ownerUuid', used: true },
  fields: { value: text, color: z.string().nullable(), type: z.enum(['simple', 'withToken']) },
  edges: {},
  indexes: ['name', 'value', 'type'],
  columns: ['name', 'uuid', 'value', 'color', 'type'],
  apis: [
    create('CreateTag', '/tags', {
      of: 'tagPattern',
      workflow: 'tagPattern.create',
      params: { ...patternParams, type: z.enum(['simple', 'withToken']).optional() },
      summary: 'Create words to put on resources',
    }),
    query('QueryTag', '/tags', 'tagPattern'),
    action('UpdateTag', '/tags/{uuid}/actions', {
      of: 'tagPattern',
      workflow: 'tagPattern.update',
      verb: 'update',
      params: { name: name.optional(), description: longText.optional(), value: text.optional(), color: line(32).optional() },
      summary: 'Change name, colour and names of places',
    }),
    {
      ...attach('AttachTagToResources', 'POST', '/tags/{tagUuid}/resources', {
        of: 'userTag',
        workflow: 'tagPattern.attach',
        verb: 'attach',
        params: { resourceUuids: z.array(uuid).min(1).max(100), tokens: z.record(z.string().max(255), text).optional() },
        summary: 'Put the words on resources',
      }),
      result: { kind: 'fields', schema: z.object({ success: z.boolean(), results: z.array(attached) }) },
    },
    {
      ...attach('DetachTagFromResources', 'DELETE', '/tags/{tagUuid}/resources', {
        of: 'userTag',
        workflow: 'tagPattern.detach',
        verb: 'detach',
        params: { resourceUuids: z.array(uuid).min(1).max(100) },
        summary: 'Take the words off resources',
      }),
      result: { kind: 'empty' },
    },
  ],
})
