/** CPUs that a host has for VMs: its own, each promised as often as the setting says. They follow when the setting changes. Pure. */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { settingsOf } from './settings.ts'

const SETTINGS: ReadonlySet<string> = new Set(['globalConfig', 'resourceConfig'])

export const cpusOf = (graph: Graph, host: Readonly<Row>): number =>
  Math.floor((host['cpuNum'] as number) * settingsOf(graph).cpuRatio(host))

/** Brings the capacity of hosts in line with the setting. Fewer CPUs than VMs have: nothing starts there until some have stopped. */
export function followCpuRatio(graph: Graph, changed: readonly Op[] | 'everything'): Op[] {
  if (changed !== 'everything' && !changed.some(({ t }) => SETTINGS.has(t))) return []
  const ops: Op[] = []
  for (const [k, host] of graph.rows('host')) {
    const totalCpuCapacity = cpusOf(graph, host)
    const delta = totalCpuCapacity - (host['totalCpuCapacity'] as number)
    if (delta === 0) continue
    ops.push({ o: 'set', t: 'host', k, v: { totalCpuCapacity } })
    ops.push({ o: 'add', t: 'host', k, field: 'availableCpuCapacity', delta })
  }
  return ops
}
