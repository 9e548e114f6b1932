import { z } from 'zod'
import { attach, call, changeState, create, query, remove, update } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { ipv4, name, uuid } from '../scalars.ts'

const page = { limit: z.number().int().min(1).max(10_000).optional(), start: z.number().int().min(0).optional() }

/** A VIP that is one guest's, in both directions (zstack-core §2.17). */
export const eip = defineResource({
  name: 'eip',
  noun: 'eip',
  path: '/eips',
  inventory: { sdk: 'EipInventory', java: 'org.zstack.network.service.eip.EipInventory' },
  summary: 'A public address that is one guest’s, in both directions',
  scope: { owner: 'ownerUuid' },
  fields: { vmNicUuid: uuid.nullable(), vipUuid: uuid, state: enabledState, vipIp: ipv4, guestIp: ipv4.nullable() },
  states: enabledDisabled,
  edges: {
    vip: { to: 'vip', via: 'vipUuid', kind: 'parent', onDelete: 'cascade', inverse: 'eip' },
    vmNic: { to: 'vmNic', via: 'vmNicUuid', kind: 'parent', onDelete: 'detach', inverse: 'eips' },
  },
  indexes: ['name', 'state', 'vipUuid', 'vmNicUuid', 'vipIp', 'guestIp'],
  columns: ['name', 'uuid', 'vipIp', 'guestIp', 'state'],
  apis: [
    create('CreateEip', '/eips', {
      of: 'eip',
      workflow: 'eip.create',
      summary: 'Make a VIP the public address of one guest',
      params: { vipUuid: uuid, vmNicUuid: uuid.optional(), usedIpUuid: uuid.optional() },
      names: { usedIpUuid: null },
    }),
    query('QueryEip', '/eips', 'eip'),
    update('UpdateEip', '/eips/{uuid}/actions', 'eip'),
    { ...changeState('ChangeEipState', '/eips/{uuid}/actions', 'eip', ['enable', 'disable']), workflow: 'eip.changeState' },
    attach('AttachEip', 'POST', '/eips/{eipUuid}/vm-instances/nics/{vmNicUuid}', {
      of: 'eip',
      workflow: 'eip.attach',
      verb: 'attach',
      params: { usedIpUuid: uuid.optional() },
      names: { usedIpUuid: null },
      target: 'eipUuid',
      summary: 'Give a guest this EIP',
    }),
    attach('DetachEip', 'DELETE', '/eips/{uuid}/vm-instances/nics', {
      of: 'eip',
      workflow: 'eip.detach',
      verb: 'detach',
      summary: 'Take an EIP from its guest',
    }),
    call('GetEipAttachableVmNics', 'GET', '/eips/{eipUuid}/vm-instances/candidate-nics', {
      verb: 'candidate-nics',
      summary: 'Network cards that an EIP could be given to',
      params: {
        vipUuid: uuid.optional(),
        vmUuid: uuid.optional(),
        vmName: name.optional(),
        networkServiceProvider: z.enum(['vrouter']).optional(),
        attachedToVm: z.boolean().optional(),
        ...page,
      },
      names: { vmUuid: 'vmInstance' },
      result: { kind: 'inventories', of: 'vmNic' },
    }),
    call('GetVmNicAttachableEips', 'GET', '/vm-instances/nics/{vmNicUuid}/candidate-eips', {
      verb: 'candidates',
      summary: 'EIPs that a network card could be given',
      params: { ipVersion: z.literal([4, 6]).optional(), ...page },
      result: { kind: 'inventories', of: 'eip' },
    }),
    remove('DeleteEip', '/eips/{uuid}', 'eip', { workflow: 'eip.delete' }),
  ],
})
