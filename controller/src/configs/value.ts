/** What a setting is: of a resource, else of what it is in, else of the site, else its default. Pure. */
import { type Config, type ConfigKey, configKey, configNumber, configOf, type Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { idOf } from './ids.ts'

/** Keys of the site's rows: asked at each look, never changing. */
const siteKeys = new Map<string, string>()

function siteKey(key: string): string {
  let known = siteKeys.get(key)
  if (known === undefined) siteKeys.set(key, (known = idOf(key)))
  return known
}

/** The row of a resource's own setting. */
export const ownRow = (graph: Graph, key: string, resourceUuid: string): Readonly<Row> | undefined =>
  graph.get('resourceConfig', idOf(key, resourceUuid))

/** The resource with these uuids whose own setting wins: the first that has one. Most settings have none, and then nothing is hashed. */
function ownText(graph: Graph, key: string, of: readonly string[]): string | undefined {
  if (of.length === 0 || graph.countBy('resourceConfig', 'key', key) === 0) return undefined
  for (const uuid of of) {
    const row = ownRow(graph, key, uuid)
    if (row) return row['value'] as string
  }
  return undefined
}

/**
 * The text of a setting. `of`: uuids from the resource outward (host, cluster, zone); without them the site's.
 */
export function configText(graph: Graph, key: ConfigKey, of: readonly string[] = []): string {
  const own = ownText(graph, key, of)
  if (own !== undefined) return own
  return (graph.get('globalConfig', siteKey(key))?.['value'] as string | undefined) ?? configOf(key)!.default
}

/** A number; bytes of a size. */
export const configValue = (graph: Graph, key: ConfigKey, of: readonly string[] = []): number =>
  configNumber(configOf(key)!, configText(graph, key, of))

/** Seconds as milliseconds. */
export const configMs = (graph: Graph, key: ConfigKey): number => configValue(graph, key) * 1000

export interface Place {
  /** table of the resource */
  table: string
  row: Readonly<Row>
  /** the resource and what it is in, in the order in which their settings are asked */
  chain: readonly { table: string; uuid: string }[]
}

/** A resource that may have this setting, and where it looks; undefined: it is none that may. */
export function placeOf(graph: Graph, { on }: Config, resourceUuid: string): Place | undefined {
  const at = (on ?? []).findIndex((table) => graph.get(table, resourceUuid))
  if (at < 0) return undefined
  const table = on![at]!
  const row = graph.get(table, resourceUuid)!
  const outer = on!.slice(at + 1).flatMap((t) => {
    const uuid = row[`${t}Uuid`]
    return typeof uuid === 'string' ? [{ table: t, uuid }] : []
  })
  return { table, row, chain: [{ table, uuid: resourceUuid }, ...outer] }
}

/** The settings that are in force for a resource, nearest first; the site's is the last. */
export function effective(
  graph: Graph,
  config: Config,
  place: Place,
): { value: string; resourceUuid?: string; table?: string }[] {
  const key = configKey(config)
  const own = place.chain.flatMap(({ table, uuid }) => {
    const row = ownRow(graph, key, uuid)
    return row ? [{ value: row['value'] as string, resourceUuid: uuid, table }] : []
  })
  return [...own, { value: configText(graph, key) }]
}
