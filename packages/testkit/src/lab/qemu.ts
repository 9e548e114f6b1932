/** What a lab's machine consists of, and QEMU's words for it. Pure. */
import { join } from 'node:path'
import { TAGS } from './init.ts'
import type { LabKernel } from './kernel.ts'

export interface LabDisk {
  /** An image on this machine. In the lab it is /dev/vda, /dev/vdb, … in the order given. */
  path: string
  format: 'raw' | 'qcow2'
  /** QEMU's cache mode; default `writeback`: a flush in the lab is an fdatasync here. */
  cache?: 'writeback' | 'none' | 'writethrough' | 'directsync' | 'unsafe'
}

export interface LabOptions {
  /** Default: a temporary folder, removed when the lab ends. Holds `console` and the shared folder. */
  dir?: string
  disks?: readonly LabDisk[]
  /** Default 2048. */
  memoryMib?: number
  /** Default 2. */
  cpus?: number
  /** What the hardware clock says at boot; default: now. */
  clock?: Date
  /** A user-mode network: the lab reaches this machine at 10.0.2.2; `forwards`: a loopback port here → a port of loopback there. Default: none. */
  network?: { forwards: readonly { here: number; there: number }[] }
  /** Where the kernel is kept; default: in the temporary folder. */
  cacheDir?: string
  /** Default 120 s. */
  bootMs?: number
}

type Boot = LabOptions & { dir: string; kernel: LabKernel }

/** Pure. */
export function qemuArgv({ dir, kernel, disks = [], memoryMib = 2048, cpus = 2, clock, network }: Boot): string[] {
  const quoted = (path: string) => path.replaceAll(',', ',,') // a comma in a file name is doubled in QEMU's option syntax
  const folder = (path: string, tag: string, more: string) => [
    '-virtfs',
    `local,path=${quoted(path)},mount_tag=${tag},security_model=none${more}`,
  ]
  const forwards = network?.forwards.map(({ here, there }) => `,hostfwd=tcp:127.0.0.1:${here}-10.0.2.15:${there}`).join('') ?? ''
  // no_timer_check: on a machine that is busy for a moment, the kernel would find its timer broken, and panic
  const append = 'console=ttyS0 quiet panic=-1 mitigations=off no_timer_check random.trust_cpu=on net.ifnames=0'
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', String(cpus), '-m', String(memoryMib)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel.vmlinuz, '-initrd', kernel.initrd, '-append', append],
    ...['-serial', `file:${join(dir, 'console')}`],
    ...['-chardev', `socket,id=door,path=${quoted(join(dir, 'door.sock'))},server=on,wait=off`],
    ...['-device', 'virtio-serial', '-device', 'virtserialport,chardev=door,nr=1'],
    ...folder('/', TAGS.root, ',readonly=on,multidevs=remap'),
    ...folder(kernel.modules, TAGS.modules, ',readonly=on'),
    ...folder(join(dir, 'share'), TAGS.share, ''),
    ...disks.flatMap(({ path, format, cache = 'writeback' }) => [
      '-drive',
      `file=${quoted(path)},format=${format},cache=${cache},if=virtio`,
    ]),
    ...(clock ? ['-rtc', `base=${clock.toISOString().slice(0, 19)}`] : []),
    // No boot ROM: it would wait for an answer of its own before the kernel starts.
    ...(network ? ['-netdev', `user,id=net${forwards}`, '-device', 'virtio-net-pci,netdev=net,romfile='] : ['-nic', 'none']),
  ]
}
