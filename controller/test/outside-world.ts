/** A VM that somebody made on the host of the world in memory, as its agent tells of it. */
import { bridgeName, type kvmDesired, type Status } from '@skerry/contract'
import { findOrphans, orphanChange, orphanUuid } from '../src/orphans/find.ts'
import { GIB, id, type TestWorld, u } from './world.ts'

export const outsideUuid = id('outside')
export const outsideOrphan = orphanUuid(u.kvm, 'vm', outsideUuid)
export const MAC = '52:54:00:00:00:01'
export const DISK = '/ps/mine/root.qcow2'

/** One that can be adopted. */
export const outsideVm: kvmDesired.OutsideVm = {
  name: 'mine',
  cpuNum: 2,
  memoryBytes: 2 * GIB,
  paths: [DISK],
  macs: [MAC],
  disks: [{ target: 'vda', path: DISK, format: 'qcow2', sizeBytes: GIB }],
  nics: [{ mac: MAC, bridge: bridgeName(u.l2) }],
  hindrances: [],
}

/** `power` null: that it is gone. */
export async function tellOutside(
  w: TestWorld,
  power: string | null,
  is: Partial<kvmDesired.OutsideVm> = {},
  uuid = outsideUuid,
): Promise<void> {
  const status = {
    noun: 'vm',
    uuid,
    generation: null,
    condition: 'Orphaned',
    observed: { power, cause: 'outside', pid: null, outside: { ...outsideVm, ...is } },
  }
  const statuses = power === null ? [] : [status as unknown as Status]
  const found = findOrphans(w.state.graph, { agentUuid: u.kvm, held: [], statuses, now: 5 })
  const change = orphanChange(w.state.graph, u.kvm, found, 5)
  if (change) await w.commit(change)
}
