/** Every workflow that an API names. A name in the contract without an entry here fails at start-up. */
import { apis } from '@skerry/contract'
import { stepsOf } from '@skerry/workflow'
import { backupStorageAdd, backupStorageAttach, backupStorageDetach, backupStorageReconnect } from './backup-storage.add.ts'
import { controlPlane } from './control-plane.ts'
import { hostAdd, hostReconnect } from './host.add.ts'
import { imageAdd } from './image.add.ts'
import { imageDelete, imageExpunge, imageRecover } from './image.delete.ts'
import { ipRangeAdd } from './ip-range.add.ts'
import { l2NetworkAttach, l2NetworkDetach } from './l2-network.attach.ts'
import { l3AddDns, l3AttachServices, l3DetachServices, l3RemoveDns } from './l3-network.services.ts'
import { primaryStorageAttach, primaryStorageDetach, primaryStorageReconnect } from './primary-storage.attach.ts'
import {
  backupStorageDelete,
  hostDelete,
  ipRangeDelete,
  l3NetworkDelete,
  primaryStorageDelete,
  resourceDelete,
} from './resource.delete.ts'
import { resourceChangeState, resourceUpdate } from './resource.update.ts'
import { vmConsole } from './vm.console.ts'
import { vmCreate } from './vm.create.ts'
import { vmDestroy, vmExpunge, vmRecover } from './vm.destroy.ts'
import { vmReboot } from './vm.reboot.ts'
import { vmStart } from './vm.start.ts'
import { vmStop } from './vm.stop.ts'
import type { Action } from './world.ts'

const all: readonly Action[] = [
  ...controlPlane,
  resourceUpdate,
  resourceChangeState,
  resourceDelete,
  hostAdd,
  hostReconnect,
  hostDelete,
  primaryStorageAttach,
  primaryStorageDetach,
  primaryStorageReconnect,
  primaryStorageDelete,
  backupStorageAdd,
  backupStorageAttach,
  backupStorageDetach,
  backupStorageReconnect,
  backupStorageDelete,
  l2NetworkAttach,
  l2NetworkDetach,
  l3AddDns,
  l3RemoveDns,
  l3AttachServices,
  l3DetachServices,
  l3NetworkDelete,
  ipRangeAdd,
  ipRangeDelete,
  imageAdd,
  imageDelete,
  imageRecover,
  imageExpunge,
  vmCreate,
  vmStart,
  vmStop,
  vmReboot,
  vmDestroy,
  vmRecover,
  vmExpunge,
  vmConsole,
]

export const actions: ReadonlyMap<string, Action> = new Map(all.map((action) => [action.workflow.name, action]))

for (const { atOnce, workflow } of all) {
  if (atOnce && (stepsOf(workflow).length !== 1 || workflow.finish || workflow.fail))
    throw new Error(`workflow ${workflow.name} can't end at once: it has more than one step`)
}

for (const { api } of apis) {
  if (api.workflow && !api.sync && !actions.has(api.workflow))
    throw new Error(`API ${api.api} names workflow ${api.workflow}, which does not exist`)
}
