/** Settings: of the site, and of one resource. What reads them reads them anew each time, so a change holds at once. */
import {
  type Config,
  configKey,
  configNamed,
  configProblem,
  configs,
  type Op,
  type Row,
  resources,
  SkerryError,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { idOf } from '../configs/ids.ts'
import { ownConfigRow, siteRow } from '../configs/rows.ts'
import { placeOf } from '../configs/value.ts'
import { render } from '../inventory/index.ts'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import { type Action, type CheckInput, type Ctx, type EndCtx, type Input, need, touch, type World } from './world.ts'

interface Setting {
  config: Config
  value: string
}

function checkValue(config: Config, value: string, field: string): void {
  const problem = configProblem(config, value)
  if (problem) throw new SkerryError('invalid-argument', `invalid field[${field}]: ${problem}`, { field })
}

const named = (params: Row): Config => configNamed(params['category'], params['name'])

/** The settings that a call changes. Throws `not-found` and `invalid-argument`. */
function settingsIn(params: Row): Setting[] {
  const many = params['resourceConfigs'] as { category: string; name: string; value: string }[] | undefined
  if (!many) {
    const config = named(params)
    const value = (params['value'] as string | undefined) ?? config.default
    checkValue(config, value, 'value')
    return [{ config, value }]
  }
  return many.map(({ category, name, value }, i) => {
    const config = configNamed(category, name)
    checkValue(config, value, `resourceConfigs.${i}.value`)
    return { config, value }
  })
}

function siteOps(ctx: Ctx): Op[] {
  const { graph } = ctx.world
  return settingsIn(ctx.input.params).map(({ config, value }) => {
    const k = idOf(configKey(config))
    if (graph.get('globalConfig', k)) return touch(ctx, 'globalConfig', k, { value })
    return { o: 'put', t: 'globalConfig', k, v: { ...siteRow(config, 0, ctx.world.now()), value } }
  })
}

/** A resource that may have this setting. Throws `not-found`. */
function needPlace(graph: Graph, config: Config, params: Row) {
  const place = placeOf(graph, config, params['resourceUuid'] as string)
  if (place) return place
  const kinds = config.on?.join(', ')
  const message = kinds
    ? `there is no ${kinds} with this uuid: only such a resource has ${configKey(config)} of its own`
    : `no resource has ${configKey(config)} of its own: it is one of the whole site`
  throw new SkerryError('not-found', message, { field: 'resourceUuid', uuid: params['resourceUuid'] })
}

function ownOps(ctx: Ctx): Op[] {
  const { graph, now } = ctx.world
  const uuid = ctx.input.params['resourceUuid'] as string
  return settingsIn(ctx.input.params).map(({ config, value }) => {
    const { table } = needPlace(graph, config, ctx.input.params)
    const k = idOf(configKey(config), uuid)
    if (graph.get('resourceConfig', k)) return touch(ctx, 'resourceConfig', k, { value })
    return { o: 'put', t: 'resourceConfig', k, v: ownConfigRow(config, { uuid, table }, { value, now: now() }) }
  })
}

function resetOps(ctx: Ctx): Op[] {
  const { graph } = ctx.world
  return (configs as readonly Config[]).flatMap((config): Op[] => {
    const k = idOf(configKey(config))
    const row = graph.get('globalConfig', k)
    return row && row['value'] !== config.default ? [touch(ctx, 'globalConfig', k, { value: config.default })] : []
  })
}

const dropOps = (ctx: Ctx): Op[] => {
  const k = idOf(configKey(named(ctx.input.params)), ctx.input.params['resourceUuid'] as string)
  return ctx.world.graph.get('resourceConfig', k) ? [{ o: 'del', t: 'resourceConfig', k }] : []
}

const workflow = (name: string, opsOf: (ctx: Ctx) => Op[], finish?: (ctx: EndCtx) => { result: Row }) =>
  defineWorkflow<Input, World>({
    name,
    version: 1,
    input,
    steps: [rowsStep('set', (ctx) => ({ ops: opsOf(ctx) }))],
    ...(finish ? { finish } : {}),
  })

const checkOwn = ({ graph, params }: CheckInput) => {
  for (const { config } of settingsIn(params)) needPlace(graph, config, params)
}
const subjectOf = (params: Row): string => idOf(configKey(named(params)), params['resourceUuid'] as string | undefined)
const ofResource = ({ params }: Input): string => params['resourceUuid'] as string

function changed(ctx: EndCtx): { result: Row } {
  const { graph } = ctx.world
  const uuid = ofResource(ctx.input)
  const rows = settingsIn(ctx.input.params).map(({ config }) => need(graph, 'resourceConfig', idOf(configKey(config), uuid)))
  return { result: { inventories: rows.map((row) => render(graph, resources.resourceConfig, row)) } }
}

export const configChanges: readonly Action[] = [
  {
    workflow: workflow('globalConfig.update', siteOps),
    check: ({ params }) => void settingsIn(params),
    subject: subjectOf,
    queueKey: () => 'globalConfig',
  },
  { workflow: workflow('globalConfig.reset', resetOps), queueKey: () => 'globalConfig' },
  { workflow: workflow('resourceConfig.update', ownOps), check: checkOwn, subject: subjectOf, queueKey: ofResource },
  { workflow: workflow('resourceConfig.updateMany', ownOps, changed), check: checkOwn, queueKey: ofResource },
  {
    workflow: workflow('resourceConfig.delete', dropOps),
    check: ({ graph, params }) => void needPlace(graph, named(params), params),
    subject: subjectOf,
    queueKey: ofResource,
  },
]
