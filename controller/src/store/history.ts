/** Segments of which the graph is independent: whether their frames are whole, and where not. */
import type { SkerryError } from '@skerry/contract'
import type { Disk } from './disk.ts'
import { FRAME_BYTES, frameEnd, MAX_PAYLOAD } from './record.ts'
import { damaged, type Segment } from './segments.ts'

const WINDOW = 1024 * 1024

/** The first damage of a full segment, or undefined; `pause` is awaited between windows. */
export async function damagedFrames(
  disk: Disk,
  dir: string,
  segment: Segment,
  pause: () => Promise<void>,
): Promise<SkerryError | undefined> {
  const file = await disk.open(`${dir}/${segment.file}`, 'read')
  try {
    let seq = segment.first
    let length = WINDOW
    let buffer = Buffer.allocUnsafe(length)
    for (let at = 0; at < segment.bytes; await pause()) {
      if (length > buffer.length) buffer = Buffer.allocUnsafe(length)
      const bytes = await file.read(at, length, buffer)
      let inside = 0
      for (let end = frameEnd(bytes, 0); end !== undefined; end = frameEnd(bytes, inside)) {
        inside = end
        seq++
      }
      // Not even one frame: it is longer than the window, or damaged.
      const need = inside === 0 && bytes.length >= FRAME_BYTES ? FRAME_BYTES + bytes.readUInt32LE(0) : 0
      if (inside === 0 && (need <= length || need > MAX_PAYLOAD + FRAME_BYTES || at + need > segment.bytes))
        return damaged(segment, at, seq, { history: true })
      length = Math.max(WINDOW, need)
      at += inside
    }
    return undefined
  } catch (thrown) {
    return damaged(segment, 0, segment.first, { history: true, because: String(thrown) })
  } finally {
    await file.close()
  }
}
