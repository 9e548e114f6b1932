/** Verbs on the files of one volume: `do.volume.<uuid>.{sizes,rebase,merge}`. Each may be cut off at any moment, and done again. */
import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands, volumeOfFile } from '@skerry/contract'
import type { DiskFormat, DiskRef, Host } from '@skerry/host'
import { readMarker } from '../pools/folder.ts'
import { naming } from '../volumes/apply.ts'
import { describe, type FileHave } from '../volumes/observe.ts'

type Ports = Pick<Host, 'files' | 'qemuImg'>

/** The deadline of the command ends it before. */
const LONGEST_MS = 24 * 3_600_000

interface At {
  poolUuid: string
  poolPath: string
}

export function volumeFileCommands({ files, qemuImg }: Ports): AgentCommand[] {
  const ports = { files, qemuImg }
  return [
    defineCommand({
      noun: 'volume',
      verb: 'sizes',
      ...storageCommands.sizes,
      reads: true,
      run: async ({ uuid, input }) => {
        const all = await filesOf(files, uuid, input)
        return { files: sizes(all.filter(({ name }) => input.files.includes(name))) }
      },
    }),
    defineCommand({ noun: 'volume', verb: 'rebase', ...storageCommands.rebase, run: (context) => rebase(ports, context) }),
    defineCommand({ noun: 'volume', verb: 'merge', ...storageCommands.merge, run: (context) => merge(ports, context) }),
  ]
}

type Named = FileHave & { name: string }
const sizes = (all: readonly Named[]) => all.map(({ name, sizeBytes, actualBytes }) => ({ file: name, sizeBytes, actualBytes }))
const refTo = ({ path, format }: Pick<FileHave, 'path' | 'format'>): DiskRef => ({ path, format })

/** All files of a volume in a pool that carries its mark. */
async function filesOf(files: Host['files'], uuid: string, { poolUuid, poolPath }: At): Promise<Named[]> {
  if ((await readMarker(files, poolPath))?.uuid !== poolUuid)
    throw new SkerryError('host-command-failed', `there is no storage ${poolUuid} at ${poolPath}`, {
      volumeUuid: uuid,
      poolUuid,
      path: poolPath,
    })
  const found: Named[] = []
  for (const name of (await files.list(`${poolPath}/volumes`)) ?? []) {
    if (volumeOfFile(name) !== uuid) continue
    const file = await describe(files, `${poolPath}/volumes/${name}`, name.endsWith('.raw') ? 'raw' : 'qcow2')
    if (file) found.push({ ...file, name })
  }
  return found
}

type Rebase = CommandContext<(typeof storageCommands)['rebase']['input']['_output']>

async function rebase({ files, qemuImg }: Ports, { uuid, input, signal, progress }: Rebase) {
  const all = await filesOf(files, uuid, input)
  const from = `${input.poolPath}/volumes/${input.from}`
  const moved = all.filter(({ backingPath }) => backingPath === from)
  const leaving = all.find(({ path }) => path === from)
  if (moved.length > 0 && (!leaving || leaving.sizeBytes === 0))
    throw new SkerryError('volume-lost', `${from} is gone, and ${moved.length} other files lie on it`, {
      volumeUuid: uuid,
      path: from,
    })
  const onto = leaving && moved.length > 0 ? await belowOf(qemuImg, leaving) : null
  for (const [n, file] of moved.entries()) {
    signal.throwIfAborted()
    const onProgress = (percent: number) =>
      progress({ step: 'rebase', percent: Math.floor(((n + percent / 100) / moved.length) * 1000) / 10 })
    await naming(file.path, () => qemuImg.rebase({ disk: refTo(file), onto, onProgress, timeoutMs: LONGEST_MS, signal }))
  }
  return { files: sizes(await filesOf(files, uuid, input)) }
}

async function belowOf(qemuImg: Host['qemuImg'], file: FileHave): Promise<DiskRef | null> {
  const [own] = await qemuImg.info(refTo(file))
  return own?.backingPath === undefined ? null : { path: own.backingPath, format: own.backingFormat as DiskFormat }
}

type Merge = CommandContext<(typeof storageCommands)['merge']['input']['_output']>

async function merge({ files, qemuImg }: Ports, { uuid, input, signal }: Merge): Promise<{ merged: boolean }> {
  const all = await filesOf(files, uuid, input)
  const into = `${input.poolPath}/volumes/${input.into}`
  const file = all.find(({ name }) => name === input.file)
  if (!file || file.path === into) return { merged: false }
  if (file.backingPath !== into)
    throw new SkerryError('volume-layered', `${file.path} does not lie on ${into}`, { volumeUuid: uuid, path: file.path })
  const others = all.filter(({ backingPath, path }) => path !== file.path && (backingPath === into || backingPath === file.path))
  if (others.length > 0)
    throw new SkerryError('volume-layered', `${others[0]!.path} lies on one of the files that would be merged`, {
      volumeUuid: uuid,
      path: into,
      over: others[0]!.path,
    })
  await naming(into, () => qemuImg.commit({ disk: refTo(file), timeoutMs: LONGEST_MS, signal }))
  return { merged: true }
}
