/**
 * `do.storage.<backupStorageUuid>.connect` and `forget`: a folder on a storage server becomes ours, is found to be so, and is given back
 * when it holds no image. The same marks and rules as for a folder of this host.
 */
import { type AgentCommand, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands } from '@skerry/contract'
import { apply } from '../pools/apply.ts'
import { lookAtFolder } from '../pools/folder.ts'
import { capacityOf } from '../pools/observe.ts'
import { type AccessPorts, withStore } from '../sftp/access.ts'
import type { RemoteFiles } from '../sftp/remote-files.ts'

/** Whoever only looks is told soon, and looks again. */
const PAUSES_MS = [500]

/** Nothing is to be remembered of a folder on another machine: its mark is on it. */
const setFacts = async () => undefined

export function storageConnect(ports: AccessPorts): AgentCommand {
  return defineCommand({
    noun: 'storage',
    verb: 'connect',
    ...storageCommands.connect,
    reads: true,
    run: ({ uuid, input: { path }, signal }) =>
      withStore(ports, { backupStorageUuid: uuid, signal, pausesMs: PAUSES_MS }, async (files) => {
        await makeOurs(files, uuid, path)
        return { hostKey: await files.hostKey(), ...(await capacityOf(files, path)) }
      }),
  })
}

async function makeOurs(files: RemoteFiles, uuid: string, path: string): Promise<void> {
  const folder = await lookAtFolder(files, path, { uuid, kind: 'image-store' })
  const pool = { uuid, path, kind: 'image-store' as const }
  if (folder.state === 'refused') throw new SkerryError('in-use', folder.reason, folder.facts)
  if (folder.state === 'free') await apply({ files, setFacts }, { ...pool, op: 'make', madeFolder: !folder.exists })
  else if (folder.missing.length > 0) await apply({ files, setFacts }, { ...pool, op: 'mend' })
}

export function storageForget(ports: AccessPorts): AgentCommand {
  return defineCommand({
    noun: 'storage',
    verb: 'forget',
    ...storageCommands.forget,
    run: ({ uuid, input: { path }, signal }) =>
      withStore(ports, { backupStorageUuid: uuid, signal, pausesMs: PAUSES_MS }, async (files) => {
        const folder = await lookAtFolder(files, path, { uuid, kind: 'image-store' })
        if (folder.state !== 'ours') return { removed: false }
        const { kind, madeFolder } = folder.marker
        // Images are from before it was added this time.
        if (((await files.list(`${path}/refs`)) ?? []).length > 0) return { removed: false }
        await apply({ files, setFacts }, { uuid, op: 'remove', path, kind, madeFolder })
        return { removed: true }
      }),
  })
}
