/** Affinity groups and hosts before what changes them is proven, and VMs that join a group. */
import { ADMIN_ACCOUNT } from '@skerry/contract'
import { after, type Before, created, on, onSite } from './before.ts'
import { id, input, u, vmParams } from './world.ts'

const group = id('group')
const made: [string, ReturnType<typeof on>] = [
  'affinityGroup.create',
  on('affinityGroup', group, { name: 'apart', policy: 'antiHard' }),
]
const member = on('affinityGroup', group, { affinityGroupUuid: group, uuid: u.vm })
const joins = {
  ...input(u.vm, 'vmInstance', { ...vmParams, systemTags: [`affinityGroupUuid::${group}`] }),
  accountUuid: ADMIN_ACCOUNT,
}

export const placeCases: Record<string, Before> = {
  'host.changeState': after([created], on('host', u.host, { stateEvent: 'maintain' })),
  'affinityGroup.create': onSite(made[1]),
  'affinityGroup.addVm': after([created, made], member),
  'affinityGroup.removeVm': after([created, made, ['affinityGroup.addVm', member]], member),
}

/** Further ways through other workflows. */
export const otherPlaceCases: [sentence: string, workflow: string, before: Before][] = [
  [
    'a host whose maintenance ends',
    'host.changeState',
    after(
      [created, ['host.changeState', on('host', u.host, { stateEvent: 'maintain' })]],
      on('host', u.host, { stateEvent: 'enable' }),
    ),
  ],
  ['a VM that joins an affinity group', 'vm.create', after([made], joins)],
]
