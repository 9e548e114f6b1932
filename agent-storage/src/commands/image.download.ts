/** `do.image.<imageUuid>.download`: source → image store. Nothing of a refused image stays behind. */

import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { z } from 'zod'
import { copyHashing } from '../images/copy.ts'
import { type Fetched, fetchHttp } from '../images/http-source.ts'
import { localSource } from '../images/local-source.ts'
import { type ImageRef, ImageStore } from '../images/store.ts'
import { matches, takeIn, takenOf } from '../images/take-in.ts'
import { type AccessPorts, withStore } from '../sftp/access.ts'
import type { StoreFiles } from '../sftp/remote-files.ts'

export interface ImagePorts extends AccessPorts {
  host: Pick<Host, 'files' | 'qemuImg'>
  fetch: typeof fetch
  /** Monotonic milliseconds. */
  nowMs(): number
  locks: Map<string, Promise<unknown>>
}

type Input = z.infer<typeof storageCommands.download.input>
type Context = CommandContext<Input>

export function imageDownload(ports: ImagePorts): AgentCommand {
  return defineCommand({
    noun: 'image',
    verb: 'download',
    ...storageCommands.download,
    run: (context) => download(ports, context),
  })
}

async function download(ports: ImagePorts, context: Context): Promise<z.infer<typeof storageCommands.download.output>> {
  const { backupStorageUuid } = context.input
  if (backupStorageUuid === undefined) return downloadTo(ports, context, ports.host.files)
  return withStore(ports, { backupStorageUuid, signal: context.signal }, (files) => downloadTo(ports, context, files))
}

/** `files`: where the store is. */
async function downloadTo(ports: ImagePorts, context: Context, files: StoreFiles) {
  const { uuid, input } = context
  const store = new ImageStore(files, input.storePath, ports.locks)
  await store.requireOurs()
  // A repeat after a crash finds what it had done.
  const known = await store.find(uuid)
  const ref =
    known?.format === input.format && matches(input.checksum, known) ? known : await bringIn(ports, context, { store, files })
  return takenOf(store, ref)
}

async function bringIn(ports: ImagePorts, context: Context, at: { store: ImageStore; files: StoreFiles }): Promise<ImageRef> {
  const { store, files } = at
  const { uuid, input } = context
  const part = store.partPath(uuid)
  let keep = false
  try {
    const got = await obtain(ports, context, { part, files }).catch(async (error) => {
      keep = isLoss(error) && (await files.stat(`${part}.json`)) !== undefined
      throw error
    })
    context.progress({ step: 'inspect', percent: 100 })
    const { format, checksum } = input
    const whole = { imageUuid: uuid, got, format, checksum, from: `at ${input.url}`, signal: context.signal }
    return await takeIn({ host: ports.host, store, files }, whole)
  } finally {
    if (!keep) {
      await files.remove(part)
      await files.remove(`${part}.json`)
    }
  }
}

/** Only a lost connection (or this agent's end) leaves something to go on with; an answer of the source (`at`) doesn't. */
const isLoss = (error: unknown) =>
  error instanceof SkerryError &&
  ['image-unreachable', 'storage-unreachable', 'agent-unreachable', 'deadline-exceeded'].includes(error.code) &&
  !('at' in error.details)

interface Target {
  part: string
  files: StoreFiles
}

/** `file:` means a file where the store is. */
async function obtain({ fetch, sleep, nowMs }: ImagePorts, context: Context, { part, files }: Target): Promise<Fetched> {
  const { input, signal } = context
  const began = { ms: nowMs(), bytes: -1 }
  const onProgress = (doneBytes: number, totalBytes: number | undefined) => {
    if (began.bytes < 0) Object.assign(began, { ms: nowMs(), bytes: doneBytes })
    context.progress({
      step: 'download',
      doneBytes,
      ...estimate(doneBytes, totalBytes, { doneBytes: doneBytes - began.bytes, ms: nowMs() - began.ms }),
    })
  }
  if (!input.url.startsWith('file:')) return fetchHttp({ files, fetch, sleep }, { url: input.url, part, signal, onProgress })
  const { path, sizeBytes } = await localSource(files, input.url)
  const hashes = await copyHashing(files, {
    from: path,
    to: part,
    sizeBytes,
    signal,
    onProgress: (done) => onProgress(done, sizeBytes),
  })
  return { sizeBytes, ...hashes }
}

function estimate(doneBytes: number, totalBytes: number | undefined, pace: { doneBytes: number; ms: number }) {
  if (totalBytes === undefined) return {}
  const percent = totalBytes > 0 ? Math.min(100, Math.floor((doneBytes / totalBytes) * 1000) / 10) : 100
  const remainingMs = pace.doneBytes > 0 ? { remainingMs: Math.round(((totalBytes - doneBytes) * pace.ms) / pace.doneBytes) } : {}
  return { totalBytes, percent, ...remainingMs }
}
