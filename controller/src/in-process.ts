/** A controller inside another process: what tests of the whole site and the simulator need beside `createController`. */

export { documentOf } from './agents/documents.ts'
export { compareAddresses, compareCounters } from './audit/compare.ts'
export { type Restored, restoreBackup } from './backup/restore.ts'
export { backupStream } from './backup/stream.ts'
export { type Controller, type ControllerPorts, createController } from './controller.ts'
export { projections } from './desired/project.ts'
export { State } from './engine/state.ts'
export { tables } from './engine/tables.ts'
export { type Listening, type Log, listen } from './http/index.ts'
export { firstKeys, KeyAuthority, KeyRotator, type KeysDocument, type RotatorPorts } from './keys/index.ts'
export type { PluginSource } from './plugins/index.ts'
export { fakeDisk } from './store/fake-disk.ts'
export {
  type Disk,
  loadSiteKey,
  openDocument,
  openSecrets,
  openStore,
  realDisk,
  type Secrets,
  type Store,
  type StoreLimits,
} from './store/index.ts'
export { UPLOAD_IDLE_MS } from './uploads/sweep.ts'
export type { DeclarationFile } from './workflows/declaration.read.ts'
