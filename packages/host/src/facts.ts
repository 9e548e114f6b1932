/**
 * What this machine is (asked once, at start: systeminformation spawns shells) and what it does now (cheap reads of /proc
 * and /sys, fit for a heartbeat).
 */
import { readdir, readFile } from 'node:fs/promises'
import { SkerryError } from '@skerry/contract'
import si from 'systeminformation'
import { z } from 'zod'

export interface MachineFacts {
  hostname: string
  cpuModel: string
  /** Logical processors. */
  cpuCount: number
  cpuSockets: number
  memoryBytes: number
  osName: string
  osVersion: string
  kernel: string
  /** `x86_64`, `aarch64` */
  architecture: string
  /** Of the mainboard or the installation, 32 lower-case hex; stays over reboots. */
  machineUuid: string
  /** Changes with each boot. */
  bootId: string
}
/** Jiffies since boot, all processors. Two samples make a load. */
export interface CpuSample {
  busy: number
  total: number
}
export interface MemorySample {
  totalBytes: number
  availableBytes: number
}
export interface NicCounters {
  name: string
  rxBytes: number
  txBytes: number
  rxPackets: number
  txPackets: number
  rxErrors: number
  txErrors: number
}
export interface Facts {
  machine(): Promise<MachineFacts>
  bootId(): Promise<string>
  cpu(): Promise<CpuSample>
  memory(): Promise<MemorySample>
  /** Load averages of 1, 5 and 15 minutes. */
  load(): Promise<[number, number, number]>
  nics(): Promise<NicCounters[]>
}

/** `root`: the folder that holds proc, sys and etc; tests hand in a tree of their own. */
export function facts(config: { root?: string } = {}): Facts {
  const at = (path: string) => `${config.root ?? ''}${path}`
  const read = (path: string) => readFile(at(path), 'utf8')
  const bootId = async () => (await read('/proc/sys/kernel/random/boot_id')).trim().replaceAll('-', '')
  return {
    bootId,
    async machine() {
      const [cpu, os, memory] = await Promise.all([si.cpu(), si.osInfo(), readMemory(read)])
      const known = fromLibrary.parse({ cpu, os })
      return {
        hostname: known.os.hostname,
        cpuModel: `${known.cpu.manufacturer} ${known.cpu.brand}`.trim(),
        cpuCount: known.cpu.cores,
        cpuSockets: known.cpu.processors || 1,
        memoryBytes: memory.totalBytes,
        osName: known.os.distro,
        osVersion: known.os.release,
        kernel: known.os.kernel,
        architecture: known.os.arch === 'x64' ? 'x86_64' : known.os.arch === 'arm64' ? 'aarch64' : known.os.arch,
        machineUuid: await machineUuid(read),
        bootId: await bootId(),
      }
    },
    cpu: async () => parseCpu(await read('/proc/stat')),
    memory: () => readMemory(read),
    async load() {
      const [one, five, fifteen] = (await read('/proc/loadavg')).split(' ').map(Number)
      return [one ?? 0, five ?? 0, fifteen ?? 0]
    },
    nics: () => readNics(at('/sys/class/net')),
  }
}

const fromLibrary = z.object({
  cpu: z.object({ manufacturer: z.string(), brand: z.string(), cores: z.number().int().positive(), processors: z.number() }),
  os: z.object({ hostname: z.string(), distro: z.string(), release: z.string(), kernel: z.string(), arch: z.string() }),
})

/** The `cpu ` line: user nice system idle iowait irq softirq steal (guest time is in user already). */
export function parseCpu(stat: string): CpuSample {
  const line = stat.split('\n').find((text) => text.startsWith('cpu '))
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    line?.trim().split(/\s+/).slice(1).map(Number) ?? []
  const busy = user + nice + system + irq + softirq + steal
  return { busy, total: busy + idle + iowait }
}

async function readMemory(read: (path: string) => Promise<string>): Promise<MemorySample> {
  const text = await read('/proc/meminfo')
  const kib = (key: string) => Number(text.match(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0)
  return { totalBytes: kib('MemTotal') * 1024, availableBytes: kib('MemAvailable') * 1024 }
}

/** The mainboard's uuid where it has a usable one (cheap boards say all 0 or all f), else the installation's machine-id. */
async function machineUuid(read: (path: string) => Promise<string>): Promise<string> {
  for (const path of ['/sys/class/dmi/id/product_uuid', '/etc/machine-id']) {
    const text = await read(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' || cause.code === 'EACCES') return ''
      throw cause
    })
    const plain = text.trim().toLowerCase().replaceAll('-', '')
    if (/^[0-9a-f]{32}$/.test(plain) && !/^(.)\1*$/.test(plain)) return plain
  }
  throw new SkerryError('host-command-failed', 'this machine has neither a mainboard uuid nor a machine-id', {
    remedy: 'Run systemd-machine-id-setup, or write 32 hex characters to /etc/machine-id.',
  })
}

async function readNics(folder: string): Promise<NicCounters[]> {
  const names = (await readdir(folder)).sort()
  const all = await Promise.all(
    names.map(async (name) => {
      const counter = async (file: string) => Number((await readFile(`${folder}/${name}/statistics/${file}`, 'utf8')).trim())
      try {
        return {
          name,
          rxBytes: await counter('rx_bytes'),
          txBytes: await counter('tx_bytes'),
          rxPackets: await counter('rx_packets'),
          txPackets: await counter('tx_packets'),
          rxErrors: await counter('rx_errors'),
          txErrors: await counter('tx_errors'),
        }
      } catch (cause) {
        // Interfaces come and go (a guest's tap), and a bonding file stands among them.
        if (['ENOENT', 'ENOTDIR', 'EINVAL', 'ENODEV'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
        throw cause
      }
    }),
  )
  return all.filter((nic) => nic !== undefined)
}
