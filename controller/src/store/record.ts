/**
 * [format] One record of the log: u32 length and u32 CRC-32 of the payload (little endian), then the payload, JSON in UTF-8:
 * the RecordHeader's fields in their order, then `commit`. The payload starts with `{"contract":`, by which a reader finds
 * records again behind damage.
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Commit, RecordHeader } from '@skerry/contract'

export const FRAME_BYTES = 8
/** Longer payloads are not written; a longer length field is damage. */
export const MAX_PAYLOAD = 64 * 1024 * 1024
export const FIRST_PREV = '0'.repeat(32)
const OPENING = Buffer.from('{"contract":')

export type LogRecord = RecordHeader & { commit: Commit }

/** First 32 hex characters of the SHA-256 of a record's bytes, frame included. */
export const recordHash = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex').slice(0, 32)

/** Text of a payload around an already serialised commit. */
export function payloadText(header: RecordHeader, commitJson: string): string {
  const { contract, incarnation, seq, epoch, prev, durable } = header
  return `{"contract":${contract},"incarnation":${incarnation},"seq":${seq},"epoch":${epoch},"prev":"${prev}","durable":${durable},"commit":${commitJson}}`
}

/** Writes frames one after the other into one buffer, which is reused for each group of commits. */
export class FrameWriter {
  private buffer = Buffer.allocUnsafe(64 * 1024)
  private end = 0

  reset(): void {
    this.end = 0
  }

  /** Appends a frame and returns its bytes, valid until the next `push` or `reset`. */
  push(payload: string): Buffer {
    this.reserve(FRAME_BYTES + payload.length * 3)
    const start = this.end
    const length = this.buffer.write(payload, start + FRAME_BYTES, 'utf8')
    this.end = start + FRAME_BYTES + length
    this.buffer.writeUInt32LE(length, start)
    this.buffer.writeUInt32LE(crc32(this.buffer.subarray(start + FRAME_BYTES, this.end)), start + 4)
    return this.buffer.subarray(start, this.end)
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.end)
  }

  private reserve(more: number): void {
    if (this.end + more <= this.buffer.length) return
    const bigger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.end + more))
    this.buffer.copy(bigger, 0, 0, this.end)
    this.buffer = bigger
  }
}

/** End of the frame at `at`, or undefined when no whole frame with the right CRC stands there. */
export function frameEnd(bytes: Buffer, at: number): number | undefined {
  if (at + FRAME_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32LE(at)
  const end = at + FRAME_BYTES + length
  if (length < OPENING.length || length > MAX_PAYLOAD || end > bytes.length) return undefined
  return crc32(bytes.subarray(at + FRAME_BYTES, end)) === bytes.readUInt32LE(at + 4) ? end : undefined
}

/** The record in a frame that `frameEnd` has accepted. Nothing of it is validated but JSON: the CRC vouches for the rest. */
export const parseFrame = (bytes: Buffer, at: number, end: number): LogRecord =>
  JSON.parse(bytes.toString('utf8', at + FRAME_BYTES, end)) as LogRecord

/** Whole records at or behind `from`, whatever stands between, with their offset: they tell whether damage before them was durable. */
export function* survivors(bytes: Buffer, from: number): Generator<{ record: LogRecord; at: number }> {
  for (let found = bytes.indexOf(OPENING, from + FRAME_BYTES); found !== -1; ) {
    const end = frameEnd(bytes, found - FRAME_BYTES)
    if (end !== undefined) yield { record: parseFrame(bytes, found - FRAME_BYTES, end), at: found - FRAME_BYTES }
    found = bytes.indexOf(OPENING, end ?? found + 1)
  }
}
