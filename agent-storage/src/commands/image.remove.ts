/** `do.image.<imageUuid>.remove`: forgets one image; its bytes go with the last image of the same content. */

import { type AgentCommand, defineCommand } from '@skerry/agent'
import { storageCommands } from '@skerry/contract'
import { ImageStore } from '../images/store.ts'
import type { ImagePorts } from './image.download.ts'

export function imageRemove({ host, locks }: Pick<ImagePorts, 'host' | 'locks'>): AgentCommand {
  return defineCommand({
    noun: 'image',
    verb: 'remove',
    ...storageCommands.remove,
    run: async ({ uuid, input }) => {
      const store = new ImageStore(host.files, input.storePath, locks)
      // A store that is gone holds nothing to remove; one that isn't ours must not be touched.
      if ((await host.files.stat(input.storePath)) === undefined) return { removed: false }
      await store.requireOurs()
      return { removed: await store.remove(uuid, input.sha256) }
    },
  })
}
