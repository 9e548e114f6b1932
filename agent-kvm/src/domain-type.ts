/**
 * Whether guests run on KVM or TCG here. An existing /dev/kvm proves nothing (a para-virtual one may hang an ordinary kernel), so
 * a kernel is booted; the answer is kept for this boot of the host.
 */
import type { Host } from '@skerry/host'
import type { ProbePayload, ProbeResult } from '@skerry/libvirt'
import { z } from 'zod'

export interface Probing {
  host: Host
  bootId: string
  stateDir: string
  /** Absent: the host's own kernel. */
  payload?: ProbePayload
  probe(payload: ProbePayload): Promise<ProbeResult>
}

const answer = z.object({ bootId: z.string(), payload: z.string(), accel: z.enum(['kvm', 'tcg']), reason: z.string().nullable() })

/** Never throws for want of KVM: whatever goes wrong is a reason for TCG. */
export async function probeDomainType({
  host,
  bootId,
  stateDir,
  payload: given,
  probe,
}: Probing): Promise<{ domainType: 'kvm' | 'qemu'; reason: string | null }> {
  if (!(await host.files.stat('/dev/kvm'))) return { domainType: 'qemu', reason: 'there is no /dev/kvm' }
  const payload = given ?? (await ownKernel(host))
  if (!payload)
    return { domainType: 'qemu', reason: 'no kernel was found in /boot to try KVM with; give --probe-kernel and --probe-marker' }
  const file = `${stateDir}/kvm-probe.json`
  const key = JSON.stringify(payload)
  const before = answer.safeParse(parse(await host.files.read(file)))
  const known = before.success && before.data.bootId === bootId && before.data.payload === key ? before.data : undefined
  const result = known ?? (await probe(payload))
  if (!known)
    await host.files.write(
      file,
      `${JSON.stringify({ bootId, payload: key, accel: result.accel, reason: result.reason })}\n`,
      0o600,
    )
  return { domainType: result.accel === 'kvm' ? 'kvm' : 'qemu', reason: result.reason }
}

/** The newest kernel of the host without any root: it runs its whole start and then says that it finds none. */
async function ownKernel(host: Host): Promise<ProbePayload | undefined> {
  const kernels = ((await host.files.list('/boot')) ?? []).filter((name) => name.startsWith('vmlinuz-'))
  const newest = kernels.sort(new Intl.Collator('en', { numeric: true }).compare).at(-1)
  if (!newest) return undefined
  return { kernel: `/boot/${newest}`, commandLine: 'console=ttyS0 panic=-1', marker: 'Unable to mount root fs' }
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined // damaged: it is asked again
  }
}
