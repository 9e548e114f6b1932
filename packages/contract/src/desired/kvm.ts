/** [format] What agent-kvm keeps true: bridges and VMs. */
import { z } from 'zod'
import { bytes, ifname, ipv4, mac, path, uuid } from '../scalars.ts'

/** Noun `bridge`; uuid = L2 network. `physicalInterface: null`: no uplink. */
export const bridge = {
  noun: 'bridge',
  schema: 1,
  spec: z.object({ name: ifname, physicalInterface: ifname.nullable(), mtu: z.number().int().nullable() }),
} as const
export type BridgeSpec = z.infer<typeof bridge.spec>

/** Noun `vm`; uuid = VM instance. */
export const vm = {
  noun: 'vm',
  schema: 1,
  spec: z.object({
    name: z.string(),
    cpuNum: z.number().int().min(1),
    memoryBytes: bytes,
    disks: z.array(
      z.object({
        volumeUuid: uuid,
        path,
        format: z.enum(['qcow2', 'raw']),
        target: z.string().regex(/^vd[a-z]$/),
        boot: z.boolean(),
      }),
    ),
    nics: z.array(z.object({ nicUuid: uuid, mac, bridge: ifname, tap: ifname, ip: ipv4 })),
    /** wanted power and why; `mode` says how to stop: ask the guest for `graceMs`, then cut */
    power: z.object({
      state: z.enum(['Running', 'Stopped']),
      cause: z.string(),
      mode: z.enum(['grace', 'cold']),
      graceMs: z.number().int(),
    }),
    /** a host with an older epoch for this VM must not run it */
    placementEpoch: z.number().int(),
    /** local: its disks are on this host only, it may start from the ledger after a boot; leased: only with the storage lease */
    autonomy: z.enum(['local', 'leased']),
  }),
} as const
export type VmSpec = z.infer<typeof vm.spec>
/** `status.observed` of a VM */
export const vmObserved = z.object({
  power: z.enum(['Running', 'Stopped', 'Paused', 'Crashed', 'Unknown']),
  cause: z.string(),
  pid: z.number().int().nullable(),
  /** the domain runs with an older definition; the new one counts from its next start */
  pendingChange: z.boolean().optional(),
})
