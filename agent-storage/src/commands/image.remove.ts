/** `do.image.<imageUuid>.remove`: forgets one image; its bytes go with the last image of the same content. */

import { type AgentCommand, defineCommand } from '@skerry/agent'
import { storageCommands } from '@skerry/contract'
import { ImageStore } from '../images/store.ts'
import { withStore } from '../sftp/access.ts'
import type { StoreFiles } from '../sftp/remote-files.ts'
import type { Uploads } from '../uploads/index.ts'
import type { ImagePorts } from './image.download.ts'

export function imageRemove(ports: ImagePorts, uploads: Pick<Uploads, 'end'>): AgentCommand {
  return defineCommand({
    noun: 'image',
    verb: 'remove',
    ...storageCommands.remove,
    run: async ({ uuid, input, signal }) => {
      const { backupStorageUuid, storePath, sha256 } = input
      await uploads.end(uuid, 'this image is removed')
      const removeFrom = async (files: StoreFiles) => {
        // A store that is gone holds nothing to remove; one that isn't ours must not be touched.
        if ((await files.stat(storePath)) === undefined) return { removed: false }
        const store = new ImageStore(files, storePath, ports.locks)
        await store.requireOurs()
        return { removed: await store.remove(uuid, sha256) }
      }
      if (backupStorageUuid === undefined) return removeFrom(ports.host.files)
      return withStore(ports, { backupStorageUuid, signal }, removeFrom)
    },
  })
}
