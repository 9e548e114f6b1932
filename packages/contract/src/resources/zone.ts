import { z } from 'zod'
import { call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'

/** A site's outermost container (zstack-core §2.1). */
export const zone = defineResource({
  name: 'zone',
  noun: 'zone',
  path: '/zones',
  inventory: { sdk: 'ZoneInventory', java: 'org.zstack.header.zone.ZoneInventory' },
  summary: 'The outermost container: everything of one place',
  scope: 'everyone',
  fields: { state: enabledState, type: z.string(), isDefault: z.boolean() },
  states: enabledDisabled,
  edges: {},
  indexes: ['name', 'state'],
  columns: ['name', 'uuid', 'state'],
  apis: [
    create('CreateZone', '/zones', {
      of: 'zone',
      workflow: 'zone.create',
      params: { isDefault: z.boolean().optional() },
      summary: 'Create a zone',
    }),
    query('QueryZone', '/zones', 'zone'),
    call('GetZone', 'GET', '/zones/{uuid}/info', {
      verb: 'info',
      summary: 'One zone by its uuid',
      result: { kind: 'inventories', of: 'zone' },
    }),
    update('UpdateZone', '/zones/{uuid}/actions', 'zone', { isDefault: z.boolean().optional() }),
    changeState('ChangeZoneState', '/zones/{uuid}/actions', 'zone', ['enable', 'disable']),
    remove('DeleteZone', '/zones/{uuid}', 'zone'),
  ],
})
