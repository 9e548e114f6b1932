/** Tags of plugins: their forms are in the plugins' rows, what they mean is asked of the plugins. */
import { fitsPattern, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Manifest, PluginHost } from '@skerry/plugin'
import { tableOfType } from '../engine/tags.ts'
import { cascadeOf } from '../workflows/cascade.ts'
import type { PluginsPort } from '../workflows/world.ts'
import { shownRow, withoutSecrets } from './shown.ts'

type Told = Manifest['tags'][number]
type Call = Parameters<PluginsPort['vet']>[0]
type On = Parameters<PluginsPort['vet']>[1]

export interface Tagger {
  host: PluginHost
  tags: readonly Told[]
}

const TAG_MS = 3_000

/** What stands in the places of a pattern. */
export function tokensOf(pattern: string, tag: string): Record<string, string> {
  const parts = tag.split('::')
  return Object.fromEntries(
    pattern.split('::').flatMap((part, i) => (part.startsWith('{') ? [[part.slice(1, -1), parts[i] ?? '']] : [])),
  )
}

const speaksOf = (apis: readonly string[], api: string) =>
  apis.some((one) => new RegExp(`^${one.replace(/[.*+?^${}()|[\]\\]/g, (c) => (c === '*' ? '.*' : `\\${c}`))}$`).test(api))

/** Tags that the call would put on something. */
function given(graph: Graph, { params }: Call, { table, uuid }: On): { resource: string; uuid: string; tag: string }[] {
  const list = (name: string) => (params[name] as string[] | undefined) ?? []
  if (table !== 'systemTag') return list('systemTags').map((tag) => ({ resource: table, uuid, tag }))
  const tags = params['tag'] === undefined ? list('tags') : [params['tag'] as string]
  const row = graph.get('tag', uuid) ?? params
  if (typeof row['resourceType'] !== 'string') return []
  return tags.map((tag) => ({ resource: tableOfType(row['resourceType'] as string), uuid: row['resourceUuid'] as string, tag }))
}

/** What the call is about, and what would go along with it. */
function concerned(graph: Graph, { method }: Call, { table, uuid }: On): { table: string; key: string }[] {
  if (method !== 'DELETE' || !graph.get(table, uuid)) return [{ table, key: uuid }]
  return cascadeOf(graph, table, uuid).order.filter(({ action }) => action !== 'detach')
}

export async function vetTags(graph: Graph, taggers: readonly Tagger[], call: Call, on: On): Promise<void> {
  for (const { resource, uuid, tag } of given(graph, call, on))
    for (const { host, tags } of taggers) {
      const told = tags.find((one) => one.check && one.resource === resource && fitsPattern(tag, one.pattern))
      if (told) await ask(graph, host, { told, tag, resource, uuid })
    }
  const vetting = taggers.flatMap(({ host, tags }) =>
    tags.filter(({ vet, apis }) => vet && speaksOf(apis, call.api)).map((told) => ({ host, told })),
  )
  if (vetting.length === 0) return
  for (const { table, key } of concerned(graph, call, on))
    for (const { host, told } of vetting) {
      if (told.resource !== table) continue
      for (const k of graph.by('tag', 'resourceUuid', key)) {
        const row = graph.get('tag', k)!
        const tag = row['tag'] as string
        if (row['type'] === 'System' && fitsPattern(tag, told.pattern))
          await ask(graph, host, { told, tag, resource: table, uuid: key, vets: call })
      }
    }
}

interface Asked {
  told: Told
  tag: string
  resource: string
  uuid: string
  vets?: Call
}

/** Whether a tag forbids something can't be known while its plugin doesn't answer, so then it does. */
async function ask(graph: Graph, host: PluginHost, { told, tag, resource, uuid, vets }: Asked): Promise<void> {
  const { pattern } = told
  const of = { tag, tokens: tokensOf(pattern, tag), uuid, resource, row: shownRow(graph, resource, uuid) }
  const call: Row = vets ? { ...of, api: vets.api, params: withoutSecrets(vets.params) } : of
  try {
    await host.ask({ ask: 'tag', resource, pattern, vet: vets !== undefined, call }, TAG_MS)
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    const message = vets
      ? `${vets.api}: tag ${tag} of ${resource} ${String(of.row?.['name'] ?? uuid)}: ${error.message}`
      : error.message
    throw new SkerryError(error.code, message, { ...error.details, tag, resource, uuid }, { cause: error })
  }
}
