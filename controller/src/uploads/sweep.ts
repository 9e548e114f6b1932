/** Uploads that nobody goes on with: their bytes go, and their images say why. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { isUploading } from '../workflows/image.upload.ts'
import { callOf, type UploadsPorts, uploadState } from './uploads.ts'

/** Without a byte. A client with a broken link has that long to come back. */
export const UPLOAD_IDLE_MS = 3_600_000

type SweepPorts = UploadsPorts & { report(error: unknown, facts: Row): void }

export const uploading = (graph: Graph): Readonly<Row>[] =>
  [...graph.by('image', 'status', 'Downloading')].map((key) => graph.get('image', key)!).filter(isUploading)

export async function sweepUploads(p: SweepPorts): Promise<void> {
  await Promise.all(
    uploading(p.graph).map(async (image) => {
      const uuid = image['uuid'] as string
      if (p.busy(uuid)) return
      const reason = await whyOver(p, image)
      if (reason !== undefined && !p.busy(uuid) && isUploading(p.graph.get('image', uuid)))
        await p.accept(callOf('CancelImageUpload', { uuid, reason }))
    }),
  ).catch((error) => p.report(error, { doing: 'looking for uploads that nobody goes on with' }))
}

/** undefined: it goes on, or its agent is away and nobody knows. */
async function whyOver(p: SweepPorts, image: Readonly<Row>): Promise<string | undefined> {
  try {
    const { idleMs, offset } = await uploadState(p, image)
    if (idleMs < UPLOAD_IDLE_MS) return undefined
    return `nothing came for ${UPLOAD_IDLE_MS / 60_000} minutes; ${offset} bytes had come`
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    return error.code === 'not-found' ? 'what had come is no longer on its storage' : undefined
  }
}
