/** The rows of plugins: what was loaded, and how it is. They follow the plugins; only whether one is switched on is somebody's will. */
import { createHash } from 'node:crypto'
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Health, Manifest } from '@skerry/plugin'
import type { Definition } from '@skerry/workflow'

/** The same at each site and start. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}8${hex.slice(17, 32)}`
}
export const pluginUuid = (name: string) => uuidOf(`plugin/${name}`)
export const siteWorkflowUuid = (name: string) => uuidOf(`siteWorkflow/${name}`)

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
export const rowOps = (graph: Graph, loaded: readonly Loaded[], now: number): Op[] =>
  following(graph, 'plugin', {
    wanted: loaded.map((one) => [pluginUuid(one.name), fieldsOf(one)]),
    first: { state: 'Enabled' },
    now,
  })

const stepsIn = ({ steps }: Definition): string[] =>
  steps.flatMap((one) => {
    if (typeof one === 'string') return [one]
    return 'parallel' in one ? stepsIn({ define: '', steps: one.steps }) : [one.as ?? one.step]
  })

/** The same for workflows that files of the site define. */
export function siteRowOps(graph: Graph, defined: readonly Definition[], now: number): Op[] {
  const wanted = defined.map((one): [string, Row] => {
    const parameters = Object.entries(one.params ?? {}).map(([name, type]) => ({ name, type }))
    return [
      siteWorkflowUuid(one.define),
      { name: one.define, description: one.description ?? null, parameters, steps: stepsIn(one) },
    ]
  })
  return following(graph, 'siteWorkflow', { wanted, first: {}, now })
}

/** Rows of a table as they are wanted, by uuid; `first`: what a new one has besides. */
function following(
  graph: Graph,
  t: string,
  { wanted, first, now }: { wanted: readonly [string, Row][]; first: Row; now: number },
): Op[] {
  const there = new Set(wanted.map(([k]) => k))
  const gone = [...graph.rows(t)].filter(([k]) => !there.has(k)).map(([k]): Op => ({ o: 'del', t, k }))
  const rows = wanted.flatMap(([k, fields]): Op[] => {
    const row = graph.get(t, k)
    if (!row) return [{ o: 'put', t, k, v: { uuid: k, ...fields, ...first, createDate: now, lastOpDate: now } }]
    const same = Object.entries(fields).every(([field, value]) => JSON.stringify(row[field]) === JSON.stringify(value))
    return same ? [] : [{ o: 'set', t, k, v: fields }]
  })
  return [...gone, ...rows]
}
