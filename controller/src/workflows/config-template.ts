/** Templates of settings: applied, taken back, and changed themselves. */
import { type Config, configKey, configNamed, configOf, configProblem, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { idOf } from '../configs/ids.ts'
import { siteRow } from '../configs/rows.ts'
import { templateConfigId } from '../configs/templates.ts'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import { type Action, type Ctx, type Input, need, touch, type World } from './world.ts'

const templateOf = (graph: Graph, uuid: unknown): Row => need(graph, 'globalConfigTemplate', uuid)
const valuesOf = (graph: Graph, templateUuid: string): Readonly<Row>[] =>
  [...graph.by('templateConfig', 'templateUuid', templateUuid)].map((k) => graph.get('templateConfig', k)!)

const siteValue = (graph: Graph, config: Config): string =>
  (graph.get('globalConfig', idOf(configKey(config)))?.['value'] as string | undefined) ?? config.default

/** Sets a setting of the site, where it isn't so already. */
function setting(ctx: Ctx, config: Config, value: string): Op[] {
  const k = idOf(configKey(config))
  const { graph, now } = ctx.world
  if (!graph.get('globalConfig', k)) return [{ o: 'put', t: 'globalConfig', k, v: { ...siteRow(config, 0, now()), value } }]
  return siteValue(graph, config) === value ? [] : [touch(ctx, 'globalConfig', k, { value })]
}

function applied(ctx: Ctx): Op[] {
  const { graph } = ctx.world
  const rows = valuesOf(graph, ctx.input.uuid).map((row) => ({ config: configNamed(row['category'], row['name']), row }))
  const had = templateOf(graph, ctx.input.uuid)['replaced'] as Record<string, string> | null
  // Applied once more it still goes back to what was there before the first time.
  const replaced = had ?? Object.fromEntries(rows.map(({ config }) => [configKey(config), siteValue(graph, config)]))
  return [
    touch(ctx, 'globalConfigTemplate', ctx.input.uuid, { replaced }),
    ...rows.flatMap(({ config, row }) => setting(ctx, config, row['value'] as string)),
  ]
}

function reverted(ctx: Ctx): Op[] {
  const { graph } = ctx.world
  const replaced = templateOf(graph, ctx.input.uuid)['replaced'] as Record<string, string> | null
  if (!replaced) return []
  const settings = Object.entries(replaced).flatMap(([key, value]) => {
    // one that this version no longer knows has gone
    const config = configOf(key)
    return config ? setting(ctx, config, value) : []
  })
  return [touch(ctx, 'globalConfigTemplate', ctx.input.uuid, { replaced: null }), ...settings]
}

const reset = (ctx: Ctx): Op[] =>
  valuesOf(ctx.world.graph, ctx.input.uuid)
    .filter((row) => row['value'] !== row['defaultValue'])
    .map((row) => touch(ctx, 'templateConfig', row['uuid'] as string, { value: row['defaultValue'] }))

/** The row that a call changes. Throws `not-found` and `invalid-argument`. */
function changed(graph: Graph, params: Row): { k: string; value: string } {
  const config = configNamed(params['category'], params['name'])
  const template = templateOf(graph, params['templateUuid'])
  const k = templateConfigId(config, template['uuid'] as string)
  if (!graph.get('templateConfig', k))
    throw new SkerryError('not-found', `template ${template['name']} says nothing of ${configKey(config)}`, { field: 'name' })
  const problem = configProblem(config, params['value'] as string)
  if (problem) throw new SkerryError('invalid-argument', `invalid field[value]: ${problem}`, { field: 'value' })
  return { k, value: params['value'] as string }
}

function action(name: string, opsOf: (ctx: Ctx) => Op[], more: Omit<Action, 'workflow'>): Action {
  const steps = [rowsStep('set', (ctx) => ({ ops: opsOf(ctx) }))]
  return { workflow: defineWorkflow<Input, World>({ name, version: 1, input, steps }), queueKey: () => 'globalConfig', ...more }
}

export const configTemplateActions: readonly Action[] = [
  action('globalConfigTemplate.apply', applied, { check: ({ graph, uuid }) => void templateOf(graph, uuid) }),
  action('globalConfigTemplate.revert', reverted, {
    check({ graph, uuid }) {
      const template = templateOf(graph, uuid)
      if (!template['replaced'])
        throw new SkerryError('illegal-state', `template ${template['name']} is not applied: there is nothing to go back to`, {
          uuid,
        })
    },
  }),
  action('globalConfigTemplate.reset', reset, { check: ({ graph, uuid }) => void templateOf(graph, uuid) }),
  action(
    'templateConfig.update',
    (ctx) => {
      const { k, value } = changed(ctx.world.graph, ctx.input.params)
      return [touch(ctx, 'templateConfig', k, { value })]
    },
    {
      check: ({ graph, params }) => void changed(graph, params),
      subject: (params) => templateConfigId(configNamed(params['category'], params['name']), params['templateUuid'] as string),
    },
  ),
]
