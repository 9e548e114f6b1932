/**
 * `skerry top`: hosts, storages and VMs by what they take up. It is what was given out, against what there is: agents report
 * capacity, and nobody measures load, so none is shown.
 */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Client } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatOne, humanBytes, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface TopOptions extends Globals {
  output: Format
  once?: boolean
  interval: string
  limit: string
}

interface Share {
  given: number
  total: number
}

export interface Usage {
  hosts: { name: string; uuid: string; status: string; cpu: Share; memory: Share; vms: number }[]
  storages: { name: string; uuid: string; status: string; disk: Share }[]
  vms: { name: string; uuid: string; state: string; host: string; cpu: number; memory: number }[]
}

const number = (value: unknown) => (typeof value === 'number' ? value : 0)
const part = ({ given, total }: Share) => (total > 0 ? given / total : 0)

function share(row: Row, what: string): Share {
  const total = number(row[`total${what}`])
  return { given: total - number(row[`available${what}`]), total }
}

/** The fullest first. */
export async function usageOf(client: Client, limit: number): Promise<Usage> {
  const [hosts, storages, vms] = await Promise.all([
    client.query('host', { limit: 1000 }),
    client.query('primaryStorage', { limit: 1000 }),
    client.query('vmInstance', {
      q: ['state=Running'],
      sort: '-memorySize',
      limit: 1000,
      fields: ['uuid', 'name', 'state', 'hostUuid', 'cpuNum', 'memorySize'],
    }),
  ])
  const names = new Map(hosts.inventories.map((row) => [row.uuid, row.name]))
  const on = new Map<string, number>()
  for (const vm of vms.inventories) if (vm.hostUuid) on.set(vm.hostUuid, (on.get(vm.hostUuid) ?? 0) + 1)
  return {
    hosts: hosts.inventories
      .map((row) => ({
        ...{ name: row.name, uuid: row.uuid, status: row.status, vms: on.get(row.uuid) ?? 0 },
        cpu: share(row as Row, 'CpuCapacity'),
        memory: share(row as Row, 'MemoryCapacity'),
      }))
      .sort((a, b) => part(b.memory) - part(a.memory)),
    storages: storages.inventories
      .map((row) => ({ name: row.name, uuid: row.uuid, status: row.status, disk: share(row as Row, 'Capacity') }))
      .sort((a, b) => part(b.disk) - part(a.disk)),
    vms: vms.inventories.slice(0, limit).map((row) => ({
      ...{ name: row.name, uuid: row.uuid, state: row.state, host: names.get(row.hostUuid ?? '') ?? '' },
      ...{ cpu: number(row.cpuNum), memory: number(row.memorySize) },
    })),
  }
}

const BAR = 10
/** `######....  60 %` */
function bar(of: Share): string {
  const full = Math.min(BAR, Math.round(part(of) * BAR))
  return `${'#'.repeat(full)}${'.'.repeat(BAR - full)} ${String(Math.round(part(of) * 100)).padStart(3)}%`
}

export function shown({ hosts, storages, vms }: Usage): string {
  const bytes = (of: Share) => `${bar(of)} of ${humanBytes(of.total)}`
  const parts = [
    hosts.map((one) => ({
      ...{ host: one.name, status: one.status, cpu: `${bar(one.cpu)} of ${one.cpu.total}` },
      ...{ memory: bytes(one.memory), vms: one.vms },
    })),
    storages.map((one) => ({ storage: one.name, status: one.status, disk: bytes(one.disk) })),
    vms.map((one) => ({ vm: one.name, host: one.host, cpu: one.cpu, memory: humanBytes(one.memory) })),
  ]
  const tables = parts.flatMap((rows: Row[]) => (rows[0] ? [table(Object.keys(rows[0]), rows)] : []))
  return [...tables, 'given out of what there is; load is not measured'].join('\n\n')
}

function positive(name: string, given: string): number {
  const value = Number(given)
  if (value > 0) return value
  throw new SkerryError('invalid-argument', `--${name}: ${given} is no positive number`, { field: name })
}

const CLEAR = '\u001b[H\u001b[2J'

export async function top(io: Io, o: TopOptions): Promise<void> {
  const seconds = positive('interval', o.interval)
  const limit = positive('limit', o.limit)
  const client = await clientOf(io, o)
  // A program that reads this wants it once, in whole.
  const live = !o.once && o.output === 'table' && io.tty
  for (;;) {
    const usage = await usageOf(client, limit)
    io.out(o.output === 'table' ? (live ? CLEAR : '') + shown(usage) : await formatOne({ ...usage }, [], o.output))
    if (!live || (await interrupted(io.interrupted, seconds * 1000))) return
  }
}

/** Waits; tells whether Ctrl-C came first. */
function interrupted(signal: AbortSignal, ms: number): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = (by: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      resolve(by)
    }
    const stop = () => end(true)
    const timer = setTimeout(() => end(false), ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
