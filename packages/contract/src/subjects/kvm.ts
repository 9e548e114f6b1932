/** Verbs of agent-kvm. */
import { z } from 'zod'
import { bytes } from '../scalars.ts'

export const kvmCommands = {
  /** `do.host.<hostUuid>.facts` */
  facts: {
    input: z.object({}),
    output: z.object({
      cpuNum: z.number().int(),
      cpuSockets: z.number().int(),
      cpuModel: z.string(),
      architecture: z.string(),
      totalMemory: bytes,
      hostname: z.string(),
      osDistribution: z.string(),
      osRelease: z.string(),
      osVersion: z.string(),
      libvirtVersion: z.string(),
      qemuVersion: z.string(),
      domainType: z.enum(['kvm', 'qemu']),
      bootId: z.string(),
    }),
  },
  /** `do.vm.<vmUuid>.reboot`: ACPI first, power cycle when the guest doesn't react in `graceMs` */
  reboot: { input: z.object({ graceMs: z.number().int().min(0) }), output: z.object({ how: z.enum(['acpi', 'reset']) }) },
  /** `do.vm.<vmUuid>.console`: opens a session on `io.<session>.{in,out}` */
  console: {
    input: z.object({ session: z.string().regex(/^[0-9a-f]{32}$/), kind: z.enum(['serial', 'vnc']) }),
    output: z.object({ kind: z.enum(['serial', 'vnc']) }),
  },
} as const
