/**
 * Room on the log's disk. A reserve file is kept so that undo and compaction can still be recorded on a full disk. It is
 * given up in slices, each when a write finds no room: whoever else fills the disk takes one slice, not all of it. Ordinary
 * commits are refused before that point.
 */
import { randomFillSync } from 'node:crypto'
import { type Disk, isFull, sizeOf } from './disk.ts'

const RESERVE = 'reserve'
const CHUNK = 1024 * 1024
const SLICES = 16

export class Space {
  /** Ordinary commits are refused while true. */
  full = false
  /** Size of the reserve file; undefined until it was looked at. */
  private held: number | undefined
  private refreshing: Promise<void> | undefined
  /** The reserve's file is changed by one at a time. */
  private last: Promise<unknown> = Promise.resolve()
  private readonly disk: Disk
  private readonly dir: string
  private readonly reserveBytes: number

  /** `reserveBytes` 0: there is no reserve, and no refusal before the disk is really full. */
  constructor(disk: Disk, dir: string, reserveBytes: number) {
    this.disk = disk
    this.dir = dir
    this.reserveBytes = reserveBytes
  }

  /** Measures, fills the reserve up where there is room for it twice, and decides `full`. Calls at the same time share one measurement. */
  refresh(): Promise<void> {
    this.refreshing ??= this.alone(() => this.measure()).finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.last
  }

  /** Gives a slice of the reserve up. False when less than `keep` of it (0 to 1) would be left, or none is there. */
  release(keep = 0): Promise<boolean> {
    return this.alone(async () => {
      this.full = true
      const held = await this.size()
      const left = Math.max(0, held - Math.ceil(this.reserveBytes / SLICES))
      if (held === 0 || left < this.reserveBytes * keep) return false
      await this.resize(left)
      return true
    })
  }

  private async measure(): Promise<void> {
    if (this.reserveBytes === 0) {
      this.full = false
      return
    }
    const missing = this.reserveBytes - (await this.size())
    if (missing > 0 && (await this.disk.free(this.dir)) >= missing + this.reserveBytes) await this.fill()
    this.full = (await this.size()) < this.reserveBytes || (await this.disk.free(this.dir)) < this.reserveBytes
  }

  private async size(): Promise<number> {
    this.held ??= Math.min((await sizeOf(this.disk, `${this.dir}/${RESERVE}`)) ?? 0, this.reserveBytes)
    return this.held
  }

  private async resize(to: number): Promise<void> {
    const path = `${this.dir}/${RESERVE}`
    if (to === 0) await this.disk.unlink(path)
    else {
      const file = await this.disk.open(path, 'write')
      try {
        await file.truncate(to)
      } finally {
        await file.close()
      }
    }
    this.held = to
  }

  /** Random bytes: a file system that compresses or leaves holes would reserve nothing for zeros. */
  private async fill(): Promise<void> {
    const path = `${this.dir}/${RESERVE}`
    const had = await this.size()
    const file = await this.disk.open(path, had > 0 ? 'write' : 'create')
    try {
      const chunk = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK, this.reserveBytes)))
      for (let at = had; at < this.reserveBytes; at += chunk.length) {
        await file.write(at, chunk.subarray(0, Math.min(chunk.length, this.reserveBytes - at)))
      }
      await file.sync()
      this.held = this.reserveBytes
    } catch (thrown) {
      if (!isFull(thrown)) throw thrown
      // Somebody else took the room meanwhile: back to what was there, so the disk counts as full.
      await this.resize(had)
    } finally {
      await file.close()
    }
  }

  private alone<T>(act: () => Promise<T>): Promise<T> {
    const next = this.last.then(act)
    this.last = next.catch(() => undefined) // its own caller is told
    return next
  }
}
