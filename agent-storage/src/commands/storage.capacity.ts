/** `do.storage.<uuid>.capacity`: what a folder that is or may become a pool can hold. Refuses one that can't. */
import { dirname } from 'node:path'
import { type AgentCommand, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { lookAtFolder } from '../pools/folder.ts'
import { capacityOf } from '../pools/observe.ts'

export function storageCapacity({ files }: Pick<Host, 'files'>): AgentCommand {
  return defineCommand({
    noun: 'storage',
    verb: 'capacity',
    ...storageCommands.capacity,
    reads: true,
    run: async ({ input: { path, kind, storageUuid } }) => {
      const folder = await lookAtFolder(files, path, { uuid: storageUuid, kind })
      if (folder.state === 'refused') throw new SkerryError('in-use', folder.reason, folder.facts)
      let there = path
      while (there !== '/' && !(await files.stat(there))) there = dirname(there) // it will be made on that file system
      return capacityOf(files, there)
    },
  })
}
