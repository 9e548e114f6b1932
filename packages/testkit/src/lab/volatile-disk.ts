/**
 * A disk as it is in a machine whose plug is pulled: what the lab flushed is there, what it only wrote is lost.
 *
 * Killing QEMU over a raw image shows less: this machine's page cache lives on, so every write that left the lab's own page cache
 * survives, flushed or not, as if the disk had no cache. Here each boot writes into a fresh qcow2 layer. QEMU keeps the tables that
 * say where a cluster lies in its own memory until the lab asks for a flush, so killing it loses every cluster that was first
 * written after the last flush. That is a real disk's volatile cache: some writes are lost, those before a flush never.
 * What it doesn't show: sectors torn in the middle, and disks that lie about flushes.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Exec, realExec } from '@skerry/host'
import type { LabDisk } from './qemu.ts'

export interface VolatileDisk {
  /** Call before each boot. */
  plug(): Promise<LabDisk>
  /** Call when QEMU has ended, by a cut or in order: what was durable becomes the disk's content. */
  settle(): Promise<void>
}

const TIMEOUT_MS = 60_000
/** As small as the file system's blocks, so that a lost cluster is a lost block. */
const CLUSTER_BYTES = 4096

/** Makes `dir/disk.raw` with an ext4 on it. */
export async function volatileDisk(dir: string, sizeMib: number, exec: Exec = realExec()): Promise<VolatileDisk> {
  const [base, layer] = [join(dir, 'disk.raw'), join(dir, 'layer.qcow2')]
  const run = (cmd: string, argv: string[]) => exec.run(cmd, argv, { timeoutMs: TIMEOUT_MS })
  await run('truncate', ['-s', `${sizeMib}M`, base])
  await run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1', base])
  return {
    async plug() {
      const options = `cluster_size=${CLUSTER_BYTES}`
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, '-b', base, '-F', 'raw', layer])
      return { path: layer, format: 'qcow2', cache: 'writeback' }
    },
    async settle() {
      await run('qemu-img', ['commit', '-q', layer])
      await rm(layer)
    },
  }
}
