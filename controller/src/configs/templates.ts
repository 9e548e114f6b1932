/** Rows of templates: those that this version brings, with what somebody has changed in them. Pure. */
import { type Config, type ConfigTemplate, configKey, configOf, configTemplates, type Op, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { idOf } from './ids.ts'

/** What a template says of a setting. */
export const templateConfigId = (config: Pick<Config, 'category' | 'name'>, templateUuid: string): string =>
  idOf(`template/${configKey(config)}`, templateUuid)

function valueOps(graph: Graph, template: ConfigTemplate, now: number): Op[] {
  const templateUuid = template.uuid
  return Object.entries(template.values).flatMap(([key, value]): Op[] => {
    const { category, name, about: description } = configOf(key)!
    const k = templateConfigId({ category, name }, templateUuid)
    const row = graph.get('templateConfig', k)
    const dates = { createDate: now, lastOpDate: now }
    if (!row)
      return [
        {
          o: 'put',
          t: 'templateConfig',
          k,
          v: { uuid: k, name, description, ...dates, templateUuid, category, defaultValue: value, value },
        },
      ]
    if (row['defaultValue'] === value) return []
    // One that nobody changed follows its default.
    const v: Row = { defaultValue: value, ...(row['value'] === row['defaultValue'] ? { value } : {}) }
    return [{ o: 'set', t: 'templateConfig', k, v }]
  })
}

/** Brings the rows in line with the templates of this version; no ops: they are. What it doesn't know goes. */
export function seededTemplates(graph: Graph, now: number): Op[] {
  const templates = new Set(configTemplates.map(({ uuid }) => uuid))
  const values = new Set(
    configTemplates.flatMap((one) => Object.keys(one.values).map((key) => templateConfigId(configOf(key)!, one.uuid))),
  )
  const stale = (t: string, known: ReadonlySet<string>): Op[] =>
    [...graph.rows(t)].flatMap(([k]): Op[] => (known.has(k) ? [] : [{ o: 'del', t, k }]))
  const missing = configTemplates.flatMap((template): Op[] => {
    const { uuid: k, name, type, about: description } = template
    if (graph.get('globalConfigTemplate', k)) return []
    const v = { uuid: k, name, description, createDate: now, lastOpDate: now, type, replaced: null }
    return [{ o: 'put', t: 'globalConfigTemplate', k, v }]
  })
  const changed = configTemplates.flatMap((template) => valueOps(graph, template, now))
  return [...stale('templateConfig', values), ...stale('globalConfigTemplate', templates), ...missing, ...changed]
}
