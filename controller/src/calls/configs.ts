/** Calls that look at settings. */
import { type Config, configKey, configNamed, configs, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { effective, placeOf } from '../configs/value.ts'
import type { Call } from '../engine/port.ts'
import { resourceTypeOf } from '../engine/tags.ts'

function optionsOf({ kind }: Config): Row {
  if (kind.type === 'boolean') return { validValue: ['true', 'false'] }
  if (kind.type === 'options') return { validValue: [...kind.values] }
  if (kind.type === 'duration') return {}
  return { numberGreaterThanOrEqual: kind.min, numberLessThanOrEqual: kind.max }
}

/** The value that holds for a resource, and all that were looked at, the nearest first. */
function valueFor(graph: Graph, config: Config, resourceUuid: string): Row {
  const place = placeOf(graph, config, resourceUuid)
  if (!place)
    throw new SkerryError('not-found', `there is no resource with this uuid that may have ${configKey(config)} of its own`, {
      field: 'resourceUuid',
      uuid: resourceUuid,
      kinds: config.on ?? [],
    })
  const found = effective(graph, config, place)
  const { category, name, about: description } = config
  return {
    value: found[0]!.value,
    effectiveConfigs: found.map(({ value, table, resourceUuid: uuid }) => ({
      ...{ category, name, description, value },
      ...(table ? { resourceUuid: uuid, resourceType: resourceTypeOf(table) } : {}),
    })),
  }
}

/** Settings that a resource may have of its own, of one category or of all. */
function bindable(category: string | undefined): Row[] {
  const all = configs as readonly Config[]
  if (category !== undefined && !all.some((c) => c.category === category))
    throw new SkerryError('not-found', 'there is no configuration of this category', { field: 'category' })
  return all
    .filter((c) => c.on && (category === undefined || c.category === category))
    .map((c) => ({
      ...{ category: c.category, name: c.name, description: c.about, defaultValue: c.default },
      bindResourceTypes: c.on!.map(resourceTypeOf),
    }))
}

export function configCalls(graph: Graph): Record<string, (call: Call) => Row> {
  return {
    GetGlobalConfigOptions: ({ params }) => ({ options: optionsOf(configNamed(params['category'], params['name'])) }),
    GetResourceBindableConfig: ({ params }) => ({ bindableConfigs: bindable(params['category'] as string | undefined) }),
    GetResourceConfig: ({ params }) =>
      valueFor(graph, configNamed(params['category'], params['name']), params['resourceUuid'] as string),
    GetResourceConfigs: ({ params }) => ({
      configs: (params['names'] as string[]).map((name) => ({
        name,
        ...valueFor(graph, configNamed(params['category'], name, 'names'), params['resourceUuid'] as string),
      })),
    }),
  }
}
