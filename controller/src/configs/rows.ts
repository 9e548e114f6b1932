/** Rows of settings: there is one of each that this version knows, with its default until somebody changes it. */
import { type Config, configKey, configs, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { resourceTypeOf } from '../engine/tags.ts'
import { idOf } from './ids.ts'

export const siteRow = (config: Config, id: number, now: number): Row => ({
  uuid: idOf(configKey(config)),
  name: config.name,
  description: config.about,
  createDate: now,
  lastOpDate: now,
  id,
  category: config.category,
  defaultValue: config.default,
  value: config.default,
})

export const ownConfigRow = (
  config: Config,
  of: { uuid: string; table: string },
  { value, now }: { value: string; now: number },
): Row => ({
  uuid: idOf(configKey(config), of.uuid),
  name: config.name,
  description: config.about,
  createDate: now,
  lastOpDate: now,
  resourceUuid: of.uuid,
  resourceType: resourceTypeOf(of.table),
  category: config.category,
  value,
  key: configKey(config),
})

/** What a row has to change to say what this version says of its setting. One that nobody changed follows its default. */
function renewed(config: Config, row: Readonly<Row>): Row {
  const set: Row = {}
  if (row['description'] !== config.about) set['description'] = config.about
  if (row['defaultValue'] === config.default) return set
  return { ...set, defaultValue: config.default, ...(row['value'] === row['defaultValue'] ? { value: config.default } : {}) }
}

/** Brings the rows in line with the list of this version; no ops: they are. Settings that it doesn't know go. Pure. */
export function seededConfigs(graph: Graph, now: number): Op[] {
  const ops: Op[] = []
  const keys = new Set<string>(configs.map(configKey))
  let last = 0
  for (const [k, row] of graph.rows('globalConfig')) {
    last = Math.max(last, row['id'] as number)
    if (!keys.has(`${row['category']}.${row['name']}`)) ops.push({ o: 'del', t: 'globalConfig', k })
  }
  for (const [k, row] of graph.rows('resourceConfig'))
    if (!keys.has(row['key'] as string)) ops.push({ o: 'del', t: 'resourceConfig', k })
  for (const config of configs as readonly Config[]) {
    const k = idOf(configKey(config))
    const row = graph.get('globalConfig', k)
    if (!row) ops.push({ o: 'put', t: 'globalConfig', k, v: siteRow(config, ++last, now) })
    else {
      const v = renewed(config, row)
      if (Object.keys(v).length > 0) ops.push({ o: 'set', t: 'globalConfig', k, v })
    }
  }
  return ops
}
