/** Verbs of agent-kvm. */
import { z } from 'zod'
import { bytes, line, mac, path, uuid } from '../scalars.ts'
import { oneTimeAllowance, sessionId, sessionSecret } from './session.ts'

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
      /** its own IPv4 addresses, without loopback; absent: an agent of before */
      addresses: z.array(z.object({ dev: z.string(), cidr: z.string() })).optional(),
    }),
  },
  /** `do.vm.<vmUuid>.reboot`: ACPI first, power cycle when the guest doesn't react in `graceMs` */
  reboot: { input: z.object({ graceMs: z.number().int().min(0) }), output: z.object({ how: z.enum(['acpi', 'reset']) }) },
  /**
   * `do.vm.<vmUuid>.switch-disk`: from now on the running guest writes into `to`, an empty disk that lies over the file `from` that it
   * wrote into. `off`: it does not run, so nothing was to be done.
   */
  switchDisk: {
    input: z.object({ volumeUuid: uuid, from: path, to: path }),
    output: z.object({ switched: z.enum(['live', 'off']) }),
  },
  /**
   * `do.vm.<vmUuid>.switch-back`: undoes a switch. `live`: the guest writes into `from`, with all that it wrote into `to`. `off`: it does
   * not run, and what is in `to` is still to be merged.
   */
  switchBack: {
    input: z.object({ volumeUuid: uuid, from: path, to: path }),
    output: z.object({ switched: z.enum(['live', 'off']) }),
  },
  /**
   * `do.vm.<vmUuid>.pull-disk`: what the running guest has open lies no longer on `leaving`, which is below the file `path` that it writes
   * into: all from there up to `leaving` is copied into `path`. `off`: it does not run, so nothing was done.
   */
  pullDisk: {
    input: z.object({ volumeUuid: uuid, path, leaving: path }),
    output: z.object({ pulled: z.enum(['live', 'off']) }),
  },
  /** `do.vm.<vmUuid>.resize-disk`: the running guest sees its disk grow. `off`: it does not run, so nothing was done. */
  resizeDisk: {
    input: z.object({ volumeUuid: uuid, path, sizeBytes: bytes }),
    output: z.object({ resized: z.enum(['live', 'off']) }),
  },
  /**
   * `do.vm.<vmUuid>.adopt`: our mark on a domain that was made without us, if it still is what it was told to be; nothing else of it changes. It
   * counts as ours from the moment that there is a document of it.
   */
  adopt: {
    input: z.object({ disks: z.array(z.object({ target: line(64), path })), macs: z.array(mac) }),
    output: z.object({}),
  },
  /** `do.vm.<vmUuid>.release`: takes that mark away again. `released: false`: there was none. */
  release: { input: z.object({}), output: z.object({ released: z.boolean() }) },
  /** `do.vm.<vmUuid>.console-log`: the last lines of the serial port, or those that hold `search`; `matches` counts all of these */
  consoleLog: {
    input: z.object({ lines: z.number().int().min(1).max(10_000), search: z.string().min(1).max(200).optional() }),
    output: z.object({ lines: z.array(z.string()), matches: z.number().int() }),
  },
  /** `do.vm.<vmUuid>.allow-console`: one session may be opened within `ttlMs` by whoever knows the token with this SHA-256 */
  allowConsole: {
    input: z.object(oneTimeAllowance),
    output: z.object({}),
  },
  /** `do.vm.<vmUuid>.console`: opens a session on `io.<session>.{in,out}`; a token is good once */
  console: {
    input: z.object({
      session: sessionId,
      kind: z.enum(['serial', 'vnc']),
      token: sessionSecret,
    }),
    output: z.object({ kind: z.enum(['serial', 'vnc']) }),
  },
} as const
