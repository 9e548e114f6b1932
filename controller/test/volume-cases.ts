/** Data volumes before their workflows are proven. */
import type { Row } from '@skerry/contract'
import { after, type Before, created, on, onSite } from './before.ts'
import { GIB, id, u } from './world.ts'

export const data = id('data')
const at = (params: Row = {}) => on('volume', data, params)
const made: [string, ReturnType<typeof on>] = ['volume.create', at({ name: 'data', diskSize: GIB })]
const toVm = at({ volumeUuid: data, vmInstanceUuid: u.vm })
const attached: [string, ReturnType<typeof on>] = ['volume.attach', toVm]
const stored = at({ name: 'data', diskSize: GIB, primaryStorageUuid: u.ps })

export const volumeCases: Record<string, Before> = {
  'volume.create': onSite(stored),
  'volume.attach': after([created, made], toVm),
  'volume.detach': after([created, made, attached], at()),
  'volume.delete': after([created, made, attached], at()),
  'volume.recover': after(
    [
      ['volume.create', stored],
      ['volume.delete', at()],
    ],
    at(),
  ),
  'volume.expunge': after(
    [
      ['volume.create', stored],
      ['volume.delete', at()],
    ],
    at(),
  ),
}

/** Further ways through the same workflows. */
export const otherVolumeCases: [sentence: string, workflow: string, before: Before][] = [
  ['a volume without a place', 'volume.create', onSite(made[1])],
  ['a volume that was never made', 'volume.delete', after([made], at())],
  ['a volume that is there already', 'volume.attach', after([created, ['volume.create', stored]], toVm)],
  ['a VM with a data volume', 'vm.destroy', after([created, made, attached], on('vmInstance', u.vm))],
  [
    'a VM with data volumes of its own',
    'vm.create',
    onSite(on('vmInstance', u.vm, { ...created[1].params, dataDiskSizes: [GIB, 2 * GIB] })),
  ],
]
