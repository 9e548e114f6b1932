/** What a VM is made of, changed: its fields, what it boots from, its size. CPUs and memory change while it is off: it has them of its host. */
import { type Row, SkerryError } from '@skerry/contract'
import { resourceUpdating } from './resource.update.ts'
import { type Action, type CheckInput, need, needEnabled } from './world.ts'

const SIZE = ['cpuNum', 'memorySize'] as const

/** Whether these fields would give the VM another size. */
const resizes = (vm: Readonly<Row>, set: Readonly<Row>): boolean =>
  SIZE.some((field) => set[field] !== undefined && set[field] !== vm[field])

function checkSize(vm: Readonly<Row>, set: Readonly<Row>): void {
  if (vm['state'] === 'Stopped' || !resizes(vm, set)) return
  throw new SkerryError(
    'vm-illegal-state',
    `VM instance ${vm['name']} is ${vm['state']}: its CPUs and memory can be changed when it is Stopped`,
    {
      uuid: vm['uuid'],
      state: vm['state'],
      allowed: ['Stopped'],
    },
  )
}

/** Off until the change is in: what it would be started with meanwhile is what its host would get back later. */
const whileOff = (vm: Readonly<Row>, set: Readonly<Row>) =>
  resizes(vm, set) ? [{ g: 'field' as const, t: 'vmInstance', k: vm['uuid'] as string, field: 'state', in: ['Stopped'] }] : []

export const vmUpdate: Action = resourceUpdating('vm.update', {
  also: () => ({}),
  guards: whileOff,
  check: ({ graph, uuid, params }) => checkSize(need(graph, 'vmInstance', uuid), params),
})

const sizeOf = (offering: Readonly<Row>): Row => ({
  instanceOfferingUuid: offering['uuid'],
  ...Object.fromEntries(SIZE.map((field) => [field, offering[field]])),
})

export const vmChangeOffering: Action = resourceUpdating('vm.changeOffering', {
  also: ({ instanceOfferingUuid }, graph) => sizeOf(need(graph, 'instanceOffering', instanceOfferingUuid)),
  guards: whileOff,
  check: ({ graph, uuid, params }: CheckInput) =>
    checkSize(need(graph, 'vmInstance', uuid), sizeOf(needEnabled(graph, 'instanceOffering', params['instanceOfferingUuid']))),
})

const listed = (params: Row): string[] => (params['bootOrder'] as string[] | undefined) ?? []

export const vmSetBootOrder: Action = resourceUpdating('vm.setBootOrder', {
  also: (params) => ({ bootOrder: listed(params).length > 0 ? listed(params) : null }),
  check: ({ graph, uuid, params }) => {
    need(graph, 'vmInstance', uuid)
    const twice = listed(params).find((device, i, all) => all.indexOf(device) !== i)
    if (twice !== undefined)
      throw new SkerryError('invalid-argument', `invalid field[bootOrder]: it names ${twice} twice`, {
        field: 'bootOrder',
        device: twice,
      })
  },
})
