/** Workflows of the site: what a file defines, run by administrators with parameters, journaled and undone like all others. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type Definition, defined, defineWorkflow, type Problem, type StepEdit, type Workflow } from '@skerry/workflow'
import { input } from './input.ts'
import { registeredStep, registeredSteps, type SiteRun } from './site.steps.ts'
import { type Action, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

export const SITE_RUN = 'siteWorkflow.run'

const plain = ['text', 'number', 'boolean']
/** What parameters of a run may be: plain values, and uuids of resources. */
const isType = (type: string) => plain.includes(type) || Object.hasOwn(resources, type)
const givenTo = (params: Row) => (params['parameters'] as Row | undefined) ?? {}

interface Parameter {
  name: string
  type: string
}

/** A value as its type has it; numbers and switches also as the command line writes them. undefined: it is none of that type. */
function typed(type: string | undefined, value: unknown): unknown {
  if (type === 'number' && typeof value === 'string') return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined
  if (type === 'boolean' && typeof value === 'string') return value === 'true' || (value === 'false' ? false : undefined)
  return typeof value === (type === 'number' || type === 'boolean' ? type : 'string') ? value : undefined
}

function checkOne(graph: Graph, { name, type }: Parameter, value: unknown): void {
  const bad = (why: string) =>
    new SkerryError('invalid-argument', `invalid field[parameters.${name}]: ${why}`, { field: `parameters.${name}` })
  if (value === undefined) throw bad(`it is required: ${plain.includes(type) ? type : `uuid of a ${type}`}`)
  if (!plain.includes(type)) return void need(graph, type, value)
  if (typed(type, value) === undefined) throw bad(`must be a ${type}`)
}

/** Throws what is wrong with the parameters of a run. */
function checkRun({ graph, params, uuid }: CheckInput): void {
  const wanted = need(graph, 'siteWorkflow', uuid)['parameters'] as Parameter[]
  const given = givenTo(params)
  const names = wanted.map(({ name }) => name)
  const strange = Object.keys(given).find((name) => !names.includes(name))
  if (strange !== undefined) {
    const takes = names.length === 0 ? 'it takes none' : `it takes ${names.join(', ')}`
    throw new SkerryError('invalid-argument', `invalid field[parameters.${strange}]: ${takes}`, {
      field: `parameters.${strange}`,
    })
  }
  for (const one of wanted) checkOne(graph, one, given[one.name])
}

export const siteRun: Action = {
  workflow: defineWorkflow<Input, World>({
    name: SITE_RUN,
    version: 1,
    input,
    steps: [
      {
        name: 'begin',
        noUndo: 'it only looks',
        do: ({ world: { graph }, input: { uuid, table, params } }: Ctx) => {
          // Also where the file is gone by now: a run is carried on by what it has recorded.
          if (graph.get('siteWorkflow', uuid)) checkRun({ graph, params, uuid, table })
        },
      },
    ],
  }),
  check: checkRun,
}

export interface SitePorts {
  /** steps of plugins for workflows of the site */
  edits: readonly StepEdit[]
  /** Whether the step of a plugin is run now; `as`: the name that it is journaled by. */
  runs(as: string, step: string): boolean
  /** Names of steps that nothing is known of, without any need to. */
  absent(as: string, step: string): boolean
}

/**
 * The workflow that a definition makes, under the name of all runs. Steps of plugins that are off are left out. Throws
 * `invalid-argument`, with `details.problems`.
 */
export function siteWorkflowOf(of: Definition, { edits, runs, absent }: SitePorts): Workflow<Input, World> {
  const problems = Object.entries(of.params ?? {}).flatMap(([name, type]): Problem[] =>
    isType(type)
      ? []
      : [{ path: ['params', name], message: `${type} is no type: ${plain.join(', ')}, or a resource such as vmInstance` }],
  )
  if (problems.length > 0) throw new SkerryError('invalid-argument', problems[0]!.message, { workflow: of.define, problems })
  const mine = edits.filter(({ workflow }) => workflow === SITE_RUN)
  const plugged = (run: SiteRun) => {
    const edit = mine.find(({ step }) => step.name === run.step)
    if (!edit) return absent(run.as, run.step) ? ('off' as const) : undefined
    if (!runs(run.as, run.step)) return 'off' as const
    if (Object.keys(run.with).length > 0)
      throw new SkerryError(
        'invalid-argument',
        `step ${run.step} is of a plugin: it sees the parameters of the run, and takes no with`,
      )
    return { ...edit.step, name: run.as } as ReturnType<typeof registeredStep>
  }
  return defined(siteRun.workflow, of, {
    step: (run) => registeredStep(run) ?? plugged(run),
    known: [...registeredSteps, ...mine.map(({ step }) => step.name)],
    param: ({ params }, name) => typed(of.params?.[name], givenTo(params)[name]),
  })
}
