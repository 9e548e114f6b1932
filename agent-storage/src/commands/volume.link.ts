/**
 * `do.volume.<uuid>.{link,unlink}`: a file that somebody else's guest writes into becomes a volume's by a second name, so that the guest
 * notices nothing, and taking the name away leaves the file as it was.
 */
import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands, volumeOfFile } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import { describe } from '../volumes/observe.ts'

type Files = Host['files']
type Link = CommandContext<(typeof storageCommands)['link']['input']['_output']>

export function linkCommands({ files }: Pick<Host, 'files'>): AgentCommand[] {
  return [
    defineCommand({ noun: 'volume', verb: 'link', ...storageCommands.link, run: (context) => link(files, context) }),
    defineCommand({ noun: 'volume', verb: 'unlink', ...storageCommands.unlink, run: (context) => unlink(files, context) }),
  ]
}

const nameIn = ({ poolPath, as }: { poolPath: string; as: string }) => `${poolPath}/volumes/${as}`

async function link(files: Files, { uuid, input }: Link): Promise<{ sizeBytes: number }> {
  const { poolUuid, poolPath, file, as } = input
  if ((await readMarker(files, poolPath))?.uuid !== poolUuid)
    throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, { poolUuid, path: poolPath })
  const inPool = file.startsWith(`${poolPath}/`) && !file.startsWith(`${poolPath}/volumes/`)
  if (!inPool || volumeOfFile(as) !== uuid)
    throw new SkerryError('invalid-argument', `${file} can't become volume ${uuid} of ${poolPath}`, { path: file, as })
  const format = as.endsWith('.raw') ? 'raw' : 'qcow2'
  const found = await describe(files, file, format)
  if (!found || found.sizeBytes === 0 || found.backingPath !== null)
    throw new SkerryError('illegal-state', `${file} is no ${format} file that lies on no other`, { volumeUuid: uuid, path: file })
  await files.link(file, nameIn(input))
  return { sizeBytes: found.sizeBytes }
}

async function unlink(files: Files, { input }: Link): Promise<{ unlinked: boolean }> {
  const name = nameIn(input)
  if (!(await files.stat(name))) return { unlinked: false }
  // What may be the only name of a file is never removed.
  if (!(await files.stat(input.file)) || !(await isSame(files, input.file, name))) return { unlinked: false }
  await files.remove(name)
  return { unlinked: true }
}

async function isSame(files: Files, file: string, name: string): Promise<boolean> {
  try {
    await files.link(file, name)
    return true
  } catch (error) {
    if (error instanceof SkerryError && error.code === 'in-use') return false
    throw error
  }
}
