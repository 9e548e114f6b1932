/** `do.volume.<uuid>.copy`: a volume that stands alone, with the content of a file that lies on others. May be cut off, and done again. */
import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands, volumeOfFile } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import { appear } from '../volumes/apply.ts'
import { describe } from '../volumes/observe.ts'

type Ports = Pick<Host, 'files' | 'qemuImg'>
type Copy = CommandContext<(typeof storageCommands)['copy']['input']['_output']>

/** The deadline of the command ends it before. */
const LONGEST_MS = 24 * 3_600_000
const formatOf = (name: string) => (name.endsWith('.raw') ? 'raw' : 'qcow2')

export const volumeCopy = ({ files, qemuImg }: Ports): AgentCommand =>
  defineCommand({ noun: 'volume', verb: 'copy', ...storageCommands.copy, run: (context) => copy({ files, qemuImg }, context) })

async function copy({ files, qemuImg }: Ports, { uuid, input, signal, progress }: Copy) {
  const { poolUuid, poolPath } = input
  if ((await readMarker(files, poolPath))?.uuid !== poolUuid)
    throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, { poolUuid, path: poolPath })
  if (volumeOfFile(input.as) !== uuid)
    throw new SkerryError('invalid-argument', `${input.as} is no file of volume ${uuid}`, { volumeUuid: uuid, as: input.as })
  const [from, to] = [input.from, input.as].map(
    (name) => ({ path: `${poolPath}/volumes/${name}`, format: formatOf(name) }) as const,
  )
  const there = await describe(files, to!.path, to!.format)
  if (there) return sizesOf(there)
  if (!(await describe(files, from!.path, from!.format))?.sizeBytes)
    throw new SkerryError('volume-lost', `${from!.path} is gone, or no disk image any more`, {
      path: from!.path,
      volumeUuid: uuid,
    })
  const onProgress = (percent: number) => progress({ step: 'copy', percent: Math.floor(percent * 10) / 10 })
  await appear(files, to!.path, async (temp) => {
    await qemuImg.convert({ from: from!, to: { path: temp, format: to!.format }, onProgress, timeoutMs: LONGEST_MS, signal })
    // Who gave up must not find it there afterwards.
    signal.throwIfAborted()
  })
  return sizesOf((await describe(files, to!.path, to!.format))!)
}

const sizesOf = ({ sizeBytes, actualBytes }: { sizeBytes: number; actualBytes: number }) => ({ sizeBytes, actualBytes })
