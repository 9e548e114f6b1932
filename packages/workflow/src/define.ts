/** A workflow made of a definition: each step is looked up, and told what it is given. Pure; what can't be is told, nothing is guessed. */
import { SkerryError } from '@skerry/contract'
import type { z } from 'zod'
import type { Problem } from './declaration.ts'
import { type Definition, type definedEntry, type Given, referenceIn } from './definition.ts'
import { defineWorkflow, type Element, parallel, type Step, type StepContext, type Workflow } from './workflow.ts'

export interface DefinePorts<I, W> {
  /**
   * A registered step under the name that it is journaled by; `given` says what it is given, once it runs. `off`: it is not run now.
   * undefined: there is none. Throws `invalid-argument` where it can't be given that.
   */
  step(at: {
    step: string
    as: string
    with: Given
    given(ctx: StepContext<I, W>): Record<string, unknown>
  }): Step<I, W> | 'off' | undefined
  /** Names of registered steps, for those who mistype. */
  known: readonly string[]
  /** parameter of the run */
  param(input: I, name: string): unknown
}

interface Named {
  step: string
  as: string
  with: Given
  path: Problem['path']
}

/** The steps that a definition names, as elements of a workflow. Throws `invalid-argument`; `details.problems` says where. */
export function definedSteps<I, W>({ define, params = {}, steps }: Definition, ports: DefinePorts<I, W>): Element<I, W>[] {
  const problems: Problem[] = []
  const before = new Set<string>()
  const made = steps.flatMap((one, at): Element<I, W>[] => {
    const named = namesIn(one, ['steps', at])
    const here = named.flatMap((each) => stepOf(each, { ports, params, before, problems }))
    for (const { as } of named) {
      if (before.has(as))
        problems.push({ path: ['steps', at], message: `two steps are named ${as}: give one another name by as` })
      before.add(as)
    }
    return typeof one === 'object' && 'parallel' in one && here.length > 1 ? [parallel(one.parallel, here)] : here
  })
  if (problems.length > 0) {
    const message = `workflow ${define} can't be made: ${problems.map(({ message }) => message).join('; ')}`
    throw new SkerryError('invalid-argument', message, { workflow: define, problems })
  }
  return made
}

function namesIn(one: z.infer<typeof definedEntry>, path: Problem['path']): Named[] {
  if (typeof one === 'string') return [{ step: one, as: one, with: {}, path }]
  if ('parallel' in one) return one.steps.flatMap((inner, i) => namesIn(inner, [...path, 'steps', i]))
  return [{ step: one.step, as: one.as ?? one.step, with: one.with ?? {}, path }]
}

interface Making<I, W> {
  ports: DefinePorts<I, W>
  params: Readonly<Record<string, string>>
  /** names of steps that stand before it */
  before: ReadonlySet<string>
  problems: Problem[]
}

function stepOf<I, W>({ path, ...named }: Named, { ports, params, before, problems }: Making<I, W>): Step<I, W>[] {
  for (const [key, text] of Object.entries(named.with)) {
    const from = referenceIn(text)
    if (!from || (from.path.length === 0 ? params[from.name] !== undefined : before.has(from.name))) continue
    const there = from.path.length === 0 ? `parameter ${from.name}: add it to params` : `step ${from.name} before this one`
    problems.push({ path: [...path, 'with', key], message: `${key}: there is no ${there}` })
  }
  try {
    const made = ports.step({ ...named, given: (ctx) => given(named.with, ctx, ports) })
    if (made === undefined)
      problems.push({ path, message: `there is no step ${named.step}; there are ${ports.known.join(', ')}` })
    return made === undefined || made === 'off' ? [] : [made]
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    problems.push({ path, message: error.message })
    return []
  }
}

function given<I, W>(values: Given, ctx: StepContext<I, W>, { param }: DefinePorts<I, W>): Record<string, unknown> {
  const resolved = Object.entries(values).map(([key, text]): [string, unknown] => {
    const from = referenceIn(text)
    if (!from) return [key, text]
    if (from.path.length === 0) return [key, param(ctx.input, from.name)]
    let found: unknown = ctx.outputs[from.name]
    for (const field of from.path)
      found =
        typeof found === 'object' && found !== null && Object.hasOwn(found, field)
          ? (found as Record<string, unknown>)[field]
          : undefined
    if (found === undefined)
      throw new SkerryError('invalid-argument', `step ${from.name} gave no ${from.path.join('.')}`, { field: key })
    return [key, found]
  })
  return Object.fromEntries(resolved.filter(([, one]) => one !== undefined))
}

/** A workflow that is made of a definition: `base` with its steps behind what it has. Throws as `definedSteps`. */
export function defined<I, W>(base: Workflow<I, W>, of: Definition, ports: DefinePorts<I, W>): Workflow<I, W> {
  return defineWorkflow({ ...base, steps: [...base.steps, ...definedSteps(of, ports)], declared: of })
}
