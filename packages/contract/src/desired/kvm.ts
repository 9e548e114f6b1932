/** [format] What agent-kvm keeps true: bridges and VMs. */
import { z } from 'zod'
import { bytes, hostname, ifname, ipv4, line, mac, path, uuid } from '../scalars.ts'

/** IEEE 802.1Q: 0 is no VLAN, 4095 is reserved */
const vlanId = z.number().int().min(1).max(4094)

/**
 * Noun `bridge`; uuid = L2 network. `physicalInterface: null`: no uplink. Schema 2 can say `vlan`: the uplink is not the interface itself but a
 * VLAN on it, made for this bridge; absent: the interface itself, as in schema 1. And `vxlan`: a tunnel to the same network's bridges on other hosts.
 */
export const bridge = {
  noun: 'bridge',
  schema: 2,
  spec: z.object({
    name: ifname,
    physicalInterface: ifname.nullable(),
    mtu: z.number().int().nullable(),
    vlan: vlanId.optional(),
    vxlan: z
      .object({
        vni: z.number().int().min(1).max(16_777_214),
        /** the host's own address that it sends from; null: the host has none, which is an error that it reports */
        vtepIp: ipv4.nullable(),
        port: z.number().int().min(1).max(65_535),
        /** where frames for everybody are sent */
        peers: z.array(ipv4),
      })
      .optional(),
  }),
} as const
export type BridgeSpec = z.infer<typeof bridge.spec>

/** What a guest is told at its first boot by a disk called `cidata` (cloud-init's NoCloud). Its instance id is the VM's uuid. */
export const guestSeed = z.object({
  hostname,
  /** as in authorized_keys, one line each */
  sshKeys: z.array(z.string().regex(/^[^\r\n]+$/)),
  /** text that cloud-init understands; null: none */
  userData: z.string().nullable(),
  /** `dhcp`: the network gives address, gateway and names by itself, and the rest is not said here */
  nics: z.array(
    z.object({
      mac,
      dhcp: z.boolean(),
      /** this card leads to where no other network does */
      defaultRoute: z.boolean(),
      address: z.string().regex(/^[0-9.]+\/\d+$/),
      gateway: ipv4,
      dns: z.array(ipv4),
      search: z.string().nullable(),
    }),
  ),
})
export type GuestSeed = z.infer<typeof guestSeed>

/** How fast a volume may be at most. Of a measure either the sum or the two directions; absent: as fast as it is. */
export const volumeQos = z.object({
  totalBytesPerSec: z.number().int().min(1).optional(),
  readBytesPerSec: z.number().int().min(1).optional(),
  writeBytesPerSec: z.number().int().min(1).optional(),
  totalIops: z.number().int().min(1).optional(),
  readIops: z.number().int().min(1).optional(),
  writeIops: z.number().int().min(1).optional(),
})
export type VolumeQos = z.infer<typeof volumeQos>

/**
 * Noun `vm`; uuid = VM instance. Schema 2 can say `seed`, schema 3 `cdrom`, schema 4 `power.pause`, `bootOrder` and `disks.qos`, schema 5
 * `nics.guarded`: all may be absent, and mean then what an older schema means.
 */
export const vm = {
  noun: 'vm',
  schema: 5,
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
        qos: volumeQos.optional(),
      }),
    ),
    /** `guarded`: there is a document `nicSecurity` of this card, and the guest gets it only once that is in force */
    nics: z.array(z.object({ nicUuid: uuid, mac, bridge: ifname, tap: ifname, ip: ipv4, guarded: z.literal(true).optional() })),
    /** absent: the guest gets no such disk */
    seed: guestSeed.optional(),
    /** its CD drive, `path: null` an empty one; absent: it has none. `scsi` is virtio-scsi, for guests that may lack a SATA driver */
    cdrom: z.object({ path: path.nullable(), bus: z.enum(['sata', 'scsi']) }).optional(),
    /** what it boots from, what is not named last; absent: its root disk, then its CD drive */
    bootOrder: z.array(z.enum(['HardDisk', 'CdRom', 'Network'])).optional(),
    /** wanted power and why; `mode` says how to stop: ask the guest for `graceMs`, then cut */
    power: z.object({
      state: z.enum(['Running', 'Stopped']),
      cause: z.string(),
      mode: z.enum(['grace', 'cold']),
      graceMs: z.number().int(),
      /**
       * whether it is to stand still while it is on. An order is carried out once, when its number is higher than the last one's: a
       * guest that another hand lets go on, or pauses, afterwards is let be. Absent: nobody has ever ordered it
       */
      pause: z.object({ paused: z.boolean(), order: z.number().int().min(1) }).optional(),
    }),
    /** a host with an older epoch for this VM must not run it */
    placementEpoch: z.number().int(),
    /** local: its disks are on this host only, it may start from the ledger after a boot; leased: only with the storage lease */
    autonomy: z.enum(['local', 'leased']),
  }),
} as const
export type VmSpec = z.infer<typeof vm.spec>
/** What an agent of before does not tell. */
const outsideParts = {
  disks: z.array(z.object({ target: line(64), path: line(1024), format: z.enum(['qcow2', 'raw']), sizeBytes: bytes })).optional(),
  nics: z.array(z.object({ mac: line(64), bridge: line(64).nullable() })).optional(),
  /** why it can't become ours as it is, a sentence each, as far as its host knows */
  hindrances: z.array(line(255)).optional(),
}
/** A domain on the host that was not made by Skerry: its uuid is libvirt's. It is told, and not touched unless it is adopted. */
export const outsideVm = z.object({
  name: line(255),
  cpuNum: z.number().int(),
  memoryBytes: bytes,
  /** files of its disks, drives and empty ones left out */
  paths: z.array(line(1024)),
  macs: z.array(line(64)),
  ...outsideParts,
})
export type OutsideVm = z.infer<typeof outsideVm>
/** `status.observed` of a VM */
export const vmObserved = z.object({
  power: z.enum(['Running', 'Stopped', 'Paused', 'Crashed', 'Unknown']),
  /**
   * Running: the document's, or by-hand (it runs although its document says Stopped). Stopped: the document's, or guest
   * (it powered itself off), crash (its qemu died or was killed), destroyed (its power was cut by hand), panicked, host (its host
   * went down), saved, failed, start-pending (it is about to be started), unknown. Paused: api (by
   * order), by-hand, ioerror, watchdog, … Crashed:
   * panicked.
   */
  cause: z.string(),
  pid: z.number().int().nullable(),
  /** the domain runs with an older definition; the new one counts from its next start */
  pendingChange: z.boolean().optional(),
  outside: outsideVm.optional(),
})
