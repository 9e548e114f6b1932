/** Steps of plugins, as steps of workflows. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Manifest, PluginHost } from '@skerry/plugin'
import type { Step, StepEdit, StepPlace } from '@skerry/workflow'
import type { Ctx, Input, World } from '../workflows/world.ts'
import { shownRow, withoutSecrets } from './shown.ts'

type Told = Manifest['steps'][number]

export interface StepPorts {
  host: Pick<PluginHost, 'ask' | 'lied'>
  plugin: string
  report(error: unknown, facts: Row): void
}

/** What a step may leave in the journal. */
const OUTPUT_CHARS = 64 * 1024

function callOf({ world, input, job, commandId, outputs, remainingMs }: Ctx): Row {
  const { uuid, table, accountUuid } = input
  return {
    ...{ job, commandId, uuid, resource: table, accountUuid, remainingMs: remainingMs() },
    ...{ row: shownRow(world.graph, table, uuid), params: withoutSecrets(input.params), outputs: withoutSecrets(outputs) },
  }
}

const placeOf = ({ before, after, replace }: Told): StepPlace =>
  before !== undefined ? { before } : after !== undefined ? { after } : { replace: replace! }

function stepOf(told: Told, { host, plugin, report }: StepPorts): Step<Input, World> {
  const { workflow, name, essential, timeoutMs } = told
  const ask = (ctx: Ctx, undo: boolean) =>
    host.ask({ ask: 'step', workflow, name, undo, call: callOf(ctx) }, Math.max(1, Math.min(timeoutMs, ctx.remainingMs())))
  const spare = (error: unknown, job: string): string => {
    if (essential || !(error instanceof SkerryError) || error.code !== 'plugin-failed') throw error
    report(error, { job, plugin, doing: `step ${name} of ${workflow}, without which the job goes on` })
    return error.message
  }
  const run = async (ctx: Ctx) => {
    try {
      const output = await ask(ctx, false)
      if (JSON.stringify(output).length > OUTPUT_CHARS) throw host.lied(`step ${name} gave more than ${OUTPUT_CHARS} characters`)
      return { output }
    } catch (error) {
      return { output: { skipped: spare(error, ctx.job) } }
    }
  }
  const back = async (ctx: Ctx) => {
    try {
      await ask(ctx, true)
    } catch (error) {
      spare(error, ctx.job)
    }
    return {}
  }
  return {
    name: `${plugin}-${name}`,
    version: told.version,
    from: `plugin ${plugin}`,
    do: run,
    ...(told.undo ? { undo: back } : { noUndo: told.noUndo! }),
  }
}

export const stepEdits = (manifest: Manifest, ports: StepPorts): StepEdit[] =>
  manifest.steps.map((told) => ({ workflow: told.workflow, place: placeOf(told), step: stepOf(told, ports) }))
