/**
 * `skerry create image <name> --file <path>`: sends a file of this machine. Its SHA-256 goes first, so that what arrives is what lies here.
 * Broken off, by the network or by a person, the same command goes on where it was.
 */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Client, Job } from '@skerry/sdk'
import { errorFromProblem, UnreachableError } from '@skerry/sdk/problem'
import type { Io, OpenFile } from '../io.ts'
import { formatOne } from '../output.ts'
import { clientOf } from '../session.ts'
import { apiFor, type Command, columnsOf } from '../verbs.ts'
import { type CallOptions, follower, type Given, paramsOf } from './call.ts'

export interface UploadOptions extends CallOptions {
  file: string
}

/** Each is answered when it is on the disk: so much is sent again at most. */
const PIECE_BYTES = 8 * 1024 * 1024
/** Attempts that brought nothing, one after another. */
const ATTEMPTS = 10
const PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000

type Show = (job: Job) => void
type Params = Row & { name: string; url: string; checksum: string }

export async function upload(
  io: Io,
  command: Command,
  typed: { subject?: string | undefined; given: Given },
  o: UploadOptions,
): Promise<void> {
  const api = apiFor(command, [...typed.given.keys()])
  const own = paramsOf(api, command, typed.given, typed.subject)
  for (const field of ['url', 'checksum'])
    if (own[field] !== undefined)
      throw new SkerryError('invalid-argument', `--${field} and --file do not go together: the file is its own source`, { field })
  if (o.dryRun || o.ifPlan) throw new SkerryError('invalid-argument', 'an upload can not be planned: leave --file out')
  if (!io.openFile) throw new SkerryError('internal', 'there are no files to send')
  const file = await io.openFile(o.file)
  const follow = follower(io)
  try {
    const client = await clientOf(io, o, io.interrupted)
    const checksum = `sha256:${await digest(io, file, follow.show)}`
    const params: Params = { ...own, name: String(own['name'] ?? ''), url: urlOf(o.file), checksum }
    const { uuid, url } = await begun(client, params, o)
    const job = await sent(io, client, { url, file, show: follow.show })
    // Whoever began anew after the last answer was lost finds the image as it is by now.
    if (job !== undefined) await ended(client, job, follow.show)
    follow.done()
    io.out(await formatOne({ inventory: await client.get('image', uuid) }, columnsOf(api), o.output))
  } catch (error) {
    follow.done()
    throw io.interrupted.aborted ? new SkerryError('upload-ended', 'interrupted; the same command goes on where it was') : error
  } finally {
    await file.close()
  }
}

/** The name only, in characters that need no escape anywhere. */
const urlOf = (path: string) => `upload://${basename(path).replace(/[^A-Za-z0-9_.+@-]/g, '_')}`

/** What is shown of a job, for work of this machine. */
const step = (name: string, progress: Omit<NonNullable<Job['progress']>, 'step' | 'at'>): Job => ({
  ...{ uuid: '', api: 'AddImage', state: 'processing', step: name, steps: [], createDate: '', finishedAt: null },
  progress: { step: name, at: '', ...progress },
})

const BAR = 20
/** Where nobody looks at a screen a line for each tenth is enough. */
const TENTHS = 10

function barOf(percent: number): string {
  const filled = Math.floor((percent / 100) * BAR)
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]`
}

/** Progress of bytes, with the time left at the pace so far. */
function pace(io: Io, name: string, { totalBytes, show }: { totalBytes: number; show: Show }) {
  const began = { ms: performance.now(), bytes: -1, shown: -1 }
  return (doneBytes: number) => {
    if (began.bytes < 0) began.bytes = doneBytes
    const [moved, ms] = [doneBytes - began.bytes, performance.now() - began.ms]
    const remainingMs = moved > 0 ? { remainingMs: Math.round(((totalBytes - doneBytes) * ms) / moved) } : {}
    const percent = totalBytes > 0 ? (doneBytes / totalBytes) * 100 : 100
    const tenth = Math.floor(percent / TENTHS)
    if (!io.tty && tenth === began.shown) return
    began.shown = tenth
    show(step(`${name} ${barOf(percent)}`, { doneBytes, totalBytes, percent, ...remainingMs }))
  }
}

async function digest(io: Io, file: OpenFile, show: Show): Promise<string> {
  const hash = createHash('sha256')
  const tell = pace(io, 'read', { totalBytes: file.sizeBytes, show })
  for (let at = 0; at < file.sizeBytes; ) {
    io.interrupted.throwIfAborted()
    const piece = await pieceOf(file, at)
    hash.update(piece)
    at += piece.length
    tell(at)
  }
  return hash.digest('hex')
}

async function pieceOf(file: OpenFile, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  if (offset > file.sizeBytes)
    throw new SkerryError(
      'invalid-argument',
      `${offset} bytes of another file are there already: skerry cancel-upload image <image>`,
      {
        offset,
      },
    )
  const piece = await file.read(offset, Math.min(PIECE_BYTES, file.sizeBytes - offset))
  if (piece.length === 0 && offset < file.sizeBytes)
    throw new SkerryError('image-unreachable', 'the file became shorter while it was read', { offset })
  return piece
}

/** An upload of this name and file that is under way, else a new one. Another content is found by its checksum at the end. */
async function begun(client: Client, params: Params, o: UploadOptions): Promise<{ uuid: string; url: string }> {
  const q = [`name=${params.name}`, `url=${params.url}`, 'status=Downloading']
  const { inventories } = await client.query('image', { q })
  const [under, another] = inventories
  if (under && !another) {
    const { existingJobDetails } = await client.call('GetUploadImageJobDetails', { imageId: String(under['uuid']) })
    const [found] = existingJobDetails as unknown as { imageUuid: string; imageUploadUrl: string }[]
    if (found) return { uuid: found.imageUuid, url: found.imageUploadUrl }
  }
  const again = o.idempotencyKey ? { idempotencyKey: o.idempotencyKey } : {}
  const { inventory } = (await client.call('AddImage', params as never, { wait: true, ...again })) as unknown as {
    inventory: Row
  }
  const [ref] = inventory['backupStorageRefs'] as { installPath: string }[]
  return { uuid: String(inventory['uuid']), url: ref!.installPath }
}

/** To the last byte; gives the job that takes the image in, where there still is one. */
async function sent(
  io: Io,
  client: Client,
  { url, file, show }: { url: string; file: OpenFile; show: Show },
): Promise<string | undefined> {
  const totalBytes = file.sizeBytes
  const signal = io.interrupted
  const tell = pace(io, 'upload', { totalBytes, show })
  let { offset } = await client.uploadState(url, { signal })
  tell(offset)
  for (let failures = 0; ; ) {
    try {
      const bytes = await pieceOf(file, offset)
      const state = await client.uploadPiece(url, { offset, totalBytes, bytes, signal })
      offset = state.offset
      failures = 0
      tell(offset)
      if (offset === totalBytes) return state.job
    } catch (error) {
      failures += 1
      if (signal.aborted || !mayPass(error) || failures > ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_PAUSE_MS, PAUSE_MS * failures)))
      // Nobody there to ask: the next attempt tells.
      const state = await client.uploadState(url, { signal }).catch((cause) => {
        if (!mayPass(cause)) throw cause
      })
      if (state && state.offset > offset) failures = 0
      offset = state?.offset ?? offset
    }
  }
}

/** A link that broke, a controller or agent that begins anew, bytes that came twice. A full disk ends the upload at once. */
const mayPass = (error: unknown) =>
  error instanceof UnreachableError ||
  (error instanceof SkerryError && error.spec.retry === 'later' && error.code !== 'disk-full')

async function ended(client: Client, uuid: string, onStep: Show): Promise<void> {
  const job = await client.waitJob(uuid, { onStep })
  if (job.state === 'done') return
  throw errorFromProblem({ ...job.error, job: uuid })
}
