import { z } from 'zod'
import { action, call, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, uuid } from '../scalars.ts'

const value = line(2048)
const key = { category: line(255), name: line(255) }
const path = '/global-configurations/{category}/{name}'
const own = '/resource-configurations/{category}/{name}/{resourceUuid}'
const many = z
  .array(z.strictObject({ ...key, value }))
  .min(1)
  .max(100)
const options = z.object({
  validValue: z.array(z.string()).optional(),
  numberGreaterThanOrEqual: z.number().optional(),
  numberLessThanOrEqual: z.number().optional(),
})
const shown = { uuid: uuid.optional(), category: z.string(), name: z.string(), description: z.string(), value: z.string() }
const effective = z.object({ ...shown, resourceUuid: uuid.optional(), resourceType: z.string().optional() })
const bindable = z.object({ ...key, description: z.string(), defaultValue: z.string(), bindResourceTypes: z.array(z.string()) })
const fields = <T extends z.ZodRawShape>(shape: T) => ({ kind: 'fields' as const, schema: z.object(shape) })

/** A setting of the whole site. There is a row of each that this version knows. */
export const globalConfig = defineResource({
  name: 'globalConfig',
  noun: 'global-config',
  path: '/global-configurations',
  inventory: { sdk: 'GlobalConfigInventory', java: 'org.zstack.core.config.GlobalConfigInventory' },
  summary: 'A setting of the whole site',
  scope: 'admin',
  fields: { id: z.number().int(), category: z.string(), defaultValue: z.string(), value: z.string() },
  edges: {},
  indexes: ['category', 'name'],
  columns: ['category', 'name', 'value', 'defaultValue'],
  apis: [
    query('QueryGlobalConfig', '/global-configurations', 'globalConfig', { byUuid: false }),
    call('GetGlobalConfigOptions', 'GET', path, {
      result: fields({ options }),
      verb: 'options',
      summary: 'The values that a setting may have',
    }),
    action('UpdateGlobalConfig', `${path}/actions`, {
      of: 'globalConfig',
      workflow: 'globalConfig.update',
      verb: 'update',
      params: { value: value.optional() },
      summary: 'Change a setting of the site; without a value it gets its default again',
    }),
    action('ResetGlobalConfig', '/global-configurations/actions', {
      of: 'globalConfig',
      workflow: 'globalConfig.reset',
      verb: 'reset',
      result: { kind: 'empty' },
      summary: 'Give all settings of the site their defaults again',
    }),
  ],
})

/** A setting of one resource, which wins over those of what it is in, and over the site's. It goes with its resource. */
export const resourceConfig = defineResource({
  name: 'resourceConfig',
  noun: 'resource-config',
  path: '/resource-configurations',
  inventory: { sdk: 'ResourceConfigInventory', java: 'org.zstack.resourceconfig.ResourceConfigInventory' },
  summary: 'A setting of one resource',
  scope: 'admin',
  fields: { resourceUuid: uuid, resourceType: z.string(), category: z.string(), value: z.string(), key: z.string() },
  hidden: ['key'],
  edges: {},
  indexes: ['resourceUuid', 'category', 'name', 'key'],
  columns: ['category', 'name', 'value', 'resourceType', 'resourceUuid'],
  apis: [
    query('QueryResourceConfig', '/resource-configurations', 'resourceConfig', { byUuid: false }),
    {
      ...call('GetResourceBindableConfig', 'GET', '/resource-configurations/bindable', {
        params: { category: line(255).optional() },
        result: fields({ bindableConfigs: z.array(bindable) }),
        verb: 'bindable',
        summary: 'The settings that a resource may have of its own',
      }),
      also: ['/resource-configurations/bindable/{category}'],
    },
    call('GetResourceConfigs', 'GET', '/resource-configurations/{resourceUuid}/{category}', {
      params: { names: z.array(key.name).min(1).max(100) },
      result: fields({
        configs: z.array(z.object({ name: z.string(), value: z.string(), effectiveConfigs: z.array(effective) })),
      }),
      verb: 'values',
      summary: 'What several settings are for a resource',
    }),
    call('GetResourceConfig', 'GET', '/resource-configurations/{resourceUuid}/{category}/{name}', {
      result: fields({ value: z.string(), effectiveConfigs: z.array(effective) }),
      verb: 'value',
      summary: 'What a setting is for a resource, and where that comes from',
    }),
    action('UpdateResourceConfig', `${own}/actions`, {
      of: 'resourceConfig',
      workflow: 'resourceConfig.update',
      verb: 'update',
      params: { value },
      summary: 'Give a resource a setting of its own',
    }),
    {
      ...action('UpdateResourceConfigs', '/resource-configurations/{resourceUuid}/resource-configs/actions', {
        of: 'resourceConfig',
        workflow: 'resourceConfig.updateMany',
        verb: 'update-many',
        params: { resourceConfigs: many },
        result: { kind: 'inventories', of: 'resourceConfig' },
        summary: 'Give a resource several settings of its own, all or none',
      }),
      method: 'POST',
      bodyKey: 'params',
    },
    remove('DeleteResourceConfig', own, 'resourceConfig', {
      workflow: 'resourceConfig.delete',
      summary: 'Let a resource have the setting of what it is in again',
    }),
  ],
})
