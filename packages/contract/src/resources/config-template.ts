import { z } from 'zod'
import { action, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, uuid } from '../scalars.ts'

const path = '/template-configurations/{templateUuid}/actions'
const ofTemplate = {
  of: 'globalConfigTemplate',
  names: { templateUuid: 'globalConfigTemplate' },
  target: 'templateUuid',
  result: { kind: 'empty' },
} as const

/** Values for several settings of the site, that are set together. Each version brings its own; nobody makes others. */
export const globalConfigTemplate = defineResource({
  name: 'globalConfigTemplate',
  noun: 'global-config-template',
  path: '/template-configurations/templates',
  inventory: { sdk: 'GlobalConfigTemplateInventory' },
  summary: 'Values for several settings of the site, set together',
  scope: 'admin',
  fields: {
    type: z.string(),
    /** what the settings were before it was applied, by key; null: it is not applied */
    replaced: z.record(z.string(), z.string()).nullable(),
  },
  hidden: ['replaced'],
  edges: {},
  indexes: ['name', 'type'],
  columns: ['name', 'uuid', 'type', 'description'],
  apis: [
    query('QueryGlobalConfigTemplate', '/template-configurations/templates', 'globalConfigTemplate', { byUuid: false }),
    action('ApplyTemplateConfig', path, {
      ...ofTemplate,
      workflow: 'globalConfigTemplate.apply',
      verb: 'apply',
      summary: 'Give the settings of the site the values of a template',
    }),
    action('RevertTemplateConfig', path, {
      ...ofTemplate,
      workflow: 'globalConfigTemplate.revert',
      verb: 'revert',
      summary: 'Give the settings of the site the values that they had before the template was applied',
    }),
    action('ResetTemplateConfig', path, {
      ...ofTemplate,
      workflow: 'globalConfigTemplate.reset',
      verb: 'reset',
      summary: 'Give the values of a template their defaults again; the site stays as it is',
    }),
  ],
})

/** What a template says of one setting. */
export const templateConfig = defineResource({
  name: 'templateConfig',
  noun: 'template-config',
  path: '/template-configurations/configs',
  inventory: { sdk: 'TemplateConfigInventory', java: 'org.zstack.templateConfig.TemplateConfigInventory' },
  summary: 'What a template says of one setting',
  scope: 'admin',
  fields: { templateUuid: uuid, category: z.string(), defaultValue: z.string(), value: z.string() },
  edges: {
    template: { to: 'globalConfigTemplate', via: 'templateUuid', kind: 'parent', onDelete: 'cascade', inverse: 'configs' },
  },
  indexes: ['templateUuid', 'category', 'name'],
  columns: ['category', 'name', 'value', 'defaultValue', 'templateUuid'],
  apis: [
    query('QueryTemplateConfig', '/template-configurations/configs', 'templateConfig', { byUuid: false }),
    action('UpdateTemplateConfig', path, {
      of: 'templateConfig',
      workflow: 'templateConfig.update',
      verb: 'update',
      names: { templateUuid: 'globalConfigTemplate' },
      params: { category: line(255), name: line(255), value: line(2048) },
      summary: 'Change what a template says of a setting',
    }),
  ],
})
