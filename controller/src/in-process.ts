/** A controller inside another process: what tests of the whole site and the simulator need beside `createController`. */

export { documentOf } from './agents/documents.ts'
export { compareAddresses, compareCounters } from './audit/compare.ts'
export { type Controller, type ControllerPorts, createController } from './controller.ts'
export { tables } from './engine/tables.ts'
export { type Listening, type Log, listen } from './http/index.ts'
export { fakeDisk } from './store/fake-disk.ts'
export { type Disk, openSecrets, openStore, realDisk, type Secrets, type Store } from './store/index.ts'
