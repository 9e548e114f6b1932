/** Whether guests may use KVM: found by booting the guest itself, asked once a boot of the machine. */
import type { Files, QemuImg } from '@skerry/host'
import { type ProbeExec, probeKvm } from '@skerry/libvirt'
import { z } from 'zod'
import { readDocument, writeDocument } from './documents.ts'
import { READY_LINE } from './guest/rootfs.ts'
import type { Layout } from './layout.ts'

const kvmFile = z.object({
  bootId: z.string(),
  image: z.string(),
  domainType: z.enum(['kvm', 'qemu']),
  reason: z.string().nullable(),
})
export type KvmVerdict = z.infer<typeof kvmFile>

/** A guest that KVM really runs prints its line after 1–2 s; nested KVM needs longer, and this only costs time where KVM hangs. */
const BOOT_MS = 12_000
const CONVERT_MS = 60_000

export interface KvmPorts {
  files: Files
  qemuImg: QemuImg
  probe: ProbeExec
  bootId: string
  layout: Layout
}

export async function kvmVerdict(ports: KvmPorts, image: string): Promise<KvmVerdict> {
  const { files, layout, bootId } = ports
  const known = await readDocument(files, layout.kvmProbe, kvmFile)
  if (known?.bootId === bootId && known.image === image) return known
  const found = (await files.stat('/dev/kvm'))
    ? await boot(ports, image)
    : { domainType: 'qemu' as const, reason: 'there is no /dev/kvm' }
  const verdict: KvmVerdict = { bootId, image, ...found }
  await writeDocument(files, layout.kvmProbe, verdict)
  return verdict
}

async function boot(
  { files, qemuImg, probe, layout }: KvmPorts,
  image: string,
): Promise<Pick<KvmVerdict, 'domainType' | 'reason'>> {
  const disk = `${layout.run}/kvm-probe.raw`
  await files.remove(disk)
  try {
    await qemuImg.convert({ from: { path: image, format: 'qcow2' }, to: { path: disk, format: 'raw' }, timeoutMs: CONVERT_MS })
    const { accel, reason } = await probeKvm({ exec: probe, payload: { marker: READY_LINE, disk }, timeoutMs: BOOT_MS })
    return { domainType: accel === 'kvm' ? 'kvm' : 'qemu', reason }
  } finally {
    await files.remove(disk)
  }
}
