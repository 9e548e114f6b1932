/** Sending the bytes of an image, in pieces. */
import { SkerryError } from '@skerry/contract/errors'
import type { createTransport, Incoming } from './transport.ts'

export interface UploadPiece {
  /** how many bytes of the file come before these */
  offset: number
  /** of the whole file */
  totalBytes: number
  bytes: Uint8Array<ArrayBuffer>
  signal?: AbortSignal
}

export interface UploadState {
  /** bytes that are on the storage */
  offset: number
  /** uuid of the job that takes the image in: all bytes are there */
  job?: string
}

function stateOf(answer: Incoming): UploadState {
  const offset = Number(answer.header('upload-offset') ?? Number.NaN)
  if (!Number.isSafeInteger(offset)) throw new SkerryError('internal', 'the answer does not say how many bytes are there')
  const job = answer.header('location')?.split('/').at(-1)
  return { offset, ...(job ? { job } : {}) }
}

/** The URL may name the controller otherwise than its clients do: only the path of it counts. */
const pathOf = (url: string) => new URL(url).pathname

export const uploadsOver = ({ open }: Pick<ReturnType<typeof createTransport>, 'open'>) => ({
  /** How far an upload has come. `url`: as `AddImage` and `GetUploadImageJobDetails` tell it. Throws `upload-ended`, `session-invalid`. */
  async uploadState(url: string, o: { signal?: AbortSignal } = {}): Promise<UploadState> {
    return stateOf(await open('GET', pathOf(url), o))
  },
  /** Resolves when these bytes are on the storage. Throws `upload-offset` when they don't follow those that are there; ask then, and go on. */
  async uploadPiece(url: string, { offset, totalBytes, bytes, signal }: UploadPiece): Promise<UploadState> {
    const headers = {
      'content-type': 'application/offset+octet-stream',
      'tus-resumable': '1.0.0',
      'upload-offset': String(offset),
      'upload-length': String(totalBytes),
      'content-length': String(bytes.length),
    }
    return stateOf(await open('PATCH', pathOf(url), { headers, bytes, ...(signal ? { signal } : {}) }))
  },
})
