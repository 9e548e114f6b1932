/** The rows of plugins: what was loaded, and how it is. They follow the plugins; only whether one is switched on is somebody's will. */
import { createHash } from 'node:crypto'
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Health, Manifest } from '@skerry/plugin'

/** The same at each site and start. */
export function pluginUuid(name: string): string {
  const hex = createHash('sha256').update(`plugin/${name}`).digest('hex')
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}8${hex.slice(17, 32)}`
}

export interface Loaded {
  name: string
  /** undefined: it could not be loaded */
  manifest: Manifest | undefined
  health: Health
}

const fieldsOf = ({ name, manifest, health }: Loaded): Row => ({
  name,
  description: manifest?.summary ?? null,
  ...health,
  version: manifest?.version ?? '',
  strategies: (manifest?.strategies ?? []).map((strategy) => `${name}:${strategy}`),
  storageStrategies: (manifest?.storageStrategies ?? []).map((strategy) => `${name}:${strategy}`),
  tagPatterns: (manifest?.tags ?? []).map(({ resource, pattern }) => ({ resource, pattern })),
  steps: (manifest?.steps ?? []).map((step) => `${step.workflow}/${name}-${step.name}`),
  events: manifest?.events ?? [],
  droppedEvents: 0,
})

/** What brings the rows in line with what is loaded. */
export function rowOps(graph: Graph, loaded: readonly Loaded[], now: number): Op[] {
  const there = new Set(loaded.map(({ name }) => pluginUuid(name)))
  const gone = [...graph.rows('plugin')].filter(([k]) => !there.has(k)).map(([k]): Op => ({ o: 'del', t: 'plugin', k }))
  const rows = loaded.flatMap((one): Op[] => {
    const k = pluginUuid(one.name)
    const fields = fieldsOf(one)
    const row = graph.get('plugin', k)
    if (!row) return [{ o: 'put', t: 'plugin', k, v: { uuid: k, ...fields, state: 'Enabled', createDate: now, lastOpDate: now } }]
    const same = Object.entries(fields).every(([field, value]) => JSON.stringify(row[field]) === JSON.stringify(value))
    return same ? [] : [{ o: 'set', t: 'plugin', k, v: fields }]
  })
  return [...gone, ...rows]
}
