import { z } from 'zod'
import { changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { uuid } from '../scalars.ts'

const architecture = z.enum(['x86_64', 'aarch64', 'mips64el', 'loongarch64'])

/** Hosts of one kind that share networks and storage (zstack-core §2.2). */
export const cluster = defineResource({
  name: 'cluster',
  noun: 'cluster',
  path: '/clusters',
  inventory: { sdk: 'ClusterInventory', java: 'org.zstack.header.cluster.ClusterInventory' },
  summary: 'Hosts of one hypervisor type that share networks and storage',
  scope: 'everyone',
  fields: {
    zoneUuid: uuid,
    hypervisorType: z.string(),
    type: z.string(),
    state: enabledState,
    architecture: architecture.nullable().optional(),
  },
  states: enabledDisabled,
  edges: { zone: { to: 'zone', via: 'zoneUuid', kind: 'parent', onDelete: 'cascade', inverse: 'clusters' } },
  indexes: ['name', 'state', 'zoneUuid'],
  columns: ['name', 'uuid', 'hypervisorType', 'state'],
  apis: [
    create('CreateCluster', '/clusters', {
      of: 'cluster',
      workflow: 'cluster.create',
      summary: 'Create a cluster',
      params: {
        zoneUuid: uuid,
        hypervisorType: z.enum(['KVM']),
        type: z.enum(['zstack']).optional(),
        architecture: architecture.optional(),
      },
    }),
    query('QueryCluster', '/clusters', 'cluster'),
    update('UpdateCluster', '/clusters/{uuid}/actions', 'cluster'),
    changeState('ChangeClusterState', '/clusters/{uuid}/actions', 'cluster', ['enable', 'disable']),
    remove('DeleteCluster', '/clusters/{uuid}', 'cluster'),
  ],
})
