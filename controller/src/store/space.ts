/**
 * Room on the log's disk. A reserve file is kept so that undo and compaction can still be recorded on a full disk: it is
 * given up when a write finds no room, and ordinary commits are refused before that point.
 */
import { randomFillSync } from 'node:crypto'
import { type Disk, errno } from './disk.ts'

const RESERVE = 'reserve'
const CHUNK = 1024 * 1024

export class Space {
  /** Ordinary commits are refused while true. */
  full = false
  private held = false
  private refreshing: Promise<void> | undefined
  private readonly disk: Disk
  private readonly dir: string
  private readonly reserveBytes: number

  /** `reserveBytes` 0 switches the reserve and the refusal off. */
  constructor(disk: Disk, dir: string, reserveBytes: number) {
    this.disk = disk
    this.dir = dir
    this.reserveBytes = reserveBytes
  }

  /** Measures, makes the reserve where there is room for it twice, and decides `full`. Calls at the same time share one measurement. */
  refresh(): Promise<void> {
    this.refreshing ??= this.measure().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  /** Resolves when no measurement is under way. */
  async settled(): Promise<void> {
    await this.refreshing
  }

  private async measure(): Promise<void> {
    if (this.reserveBytes === 0) return
    this.held ||= await this.present()
    if (!this.held && (await this.disk.free(this.dir)) >= 2 * this.reserveBytes) await this.make()
    this.full = !this.held || (await this.disk.free(this.dir)) < this.reserveBytes
  }

  /** Gives the reserve up. False when there is none to give. */
  async release(): Promise<boolean> {
    this.full = true
    if (!this.held) return false
    this.held = false
    await this.disk.unlink(`${this.dir}/${RESERVE}`)
    return true
  }

  private async present(): Promise<boolean> {
    try {
      const file = await this.disk.open(`${this.dir}/${RESERVE}`, 'read')
      const size = await file.size()
      await file.close()
      return size >= this.reserveBytes
    } catch (thrown) {
      if (errno(thrown) === 'ENOENT') return false
      throw thrown
    }
  }

  /** Random bytes: a file system that compresses or leaves holes would reserve nothing for zeros. */
  private async make(): Promise<void> {
    const file = await this.disk.open(`${this.dir}/${RESERVE}`, 'create')
    try {
      const chunk = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK, this.reserveBytes)))
      for (let at = 0; at < this.reserveBytes; at += chunk.length) {
        await file.write(at, chunk.subarray(0, Math.min(chunk.length, this.reserveBytes - at)))
      }
      await file.sync()
      this.held = true
    } catch (thrown) {
      if (errno(thrown) !== 'ENOSPC') throw thrown
      // Somebody else took the room meanwhile; `held` stays false, so the disk counts as full.
      await this.disk.unlink(`${this.dir}/${RESERVE}`)
    } finally {
      await file.close()
    }
  }
}
