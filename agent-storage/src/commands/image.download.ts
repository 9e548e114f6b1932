/** `do.image.<imageUuid>.download`: source → image store. Nothing of a refused image stays behind. */

import { type AgentCommand, type CommandContext, defineCommand } from '@skerry/agent'
import { SkerryError, storageCommands } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { z } from 'zod'
import { copyHashing } from '../images/copy.ts'
import { type Fetched, fetchHttp } from '../images/http-source.ts'
import { inspectImage } from '../images/inspect.ts'
import { localSource } from '../images/local-source.ts'
import { type ImageRef, ImageStore } from '../images/store.ts'

export interface ImagePorts {
  host: Pick<Host, 'files' | 'qemuImg'>
  fetch: typeof fetch
  sleep(ms: number, signal: AbortSignal): Promise<void>
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
  const { uuid, input } = context
  const store = new ImageStore(ports.host.files, input.storePath, ports.locks)
  await store.requireOurs()
  // A repeat after a crash finds what it had done.
  const known = await store.find(uuid)
  const ref = known?.format === input.format && matches(input.checksum, known) ? known : await bringIn(ports, context, store)
  return {
    installPath: store.blobPath(ref),
    size: ref.size,
    actualSize: ref.actualSize,
    md5: ref.md5,
    sha256: ref.sha256,
    format: ref.format,
  }
}

async function bringIn(ports: ImagePorts, context: Context, store: ImageStore): Promise<ImageRef> {
  const { uuid, input } = context
  const part = store.partPath(uuid)
  let keep = false
  try {
    const got = await obtain(ports, context, part).catch(async (error) => {
      keep = isLoss(error) && (await ports.host.files.stat(`${part}.json`)) !== undefined
      throw error
    })
    if (!matches(input.checksum, got)) {
      const found = input.checksum?.startsWith('md5:') ? `md5:${got.md5}` : `sha256:${got.sha256}`
      throw new SkerryError('image-checksum', 'the bytes at the source are not those of the checksum', {
        url: input.url,
        wanted: input.checksum,
        found,
      })
    }
    context.progress({ step: 'inspect', percent: 100 })
    const size = await inspectImage(ports.host, { path: part, sizeBytes: got.sizeBytes, format: input.format })
    context.signal.throwIfAborted()
    const ref: ImageRef = { v: 1, sha256: got.sha256, md5: got.md5, format: input.format, size, actualSize: got.sizeBytes }
    await store.take(uuid, ref)
    return ref
  } finally {
    if (!keep) {
      await ports.host.files.remove(part)
      await ports.host.files.remove(`${part}.json`)
    }
  }
}

/** Only a lost connection (or this agent's end) leaves something to go on with; an answer of the source (`at`) doesn't. */
const isLoss = (error: unknown) =>
  error instanceof SkerryError &&
  ['image-unreachable', 'agent-unreachable', 'deadline-exceeded'].includes(error.code) &&
  !('at' in error.details)

async function obtain({ host, fetch, sleep, nowMs }: ImagePorts, context: Context, part: string): Promise<Fetched> {
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
  if (!input.url.startsWith('file:'))
    return fetchHttp({ files: host.files, fetch, sleep }, { url: input.url, part, signal, onProgress })
  const { path, sizeBytes } = await localSource(host.files, input.url)
  const hashes = await copyHashing(host.files, {
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

function matches(checksum: string | null, found: { md5: string; sha256: string }): boolean {
  return checksum === null || checksum === `md5:${found.md5}` || checksum === `sha256:${found.sha256}`
}
