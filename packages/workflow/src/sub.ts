/**
 * Sub-workflows: a named workflow as a part of another. Its steps stand in the other's list, each recorded under a name of its own
 * (`<part>-<step>`), so a job goes through them, stops in their middle, goes on there and undoes them in reverse like any others.
 * As a member of a parallel group a part is a `branch`.
 */
import { SkerryError } from '@skerry/contract'
import { type Element, mapSteps, type Part, type Step, type StepContext, stepsOf, type Workflow } from './workflow.ts'

export interface Use<I, J, W> {
  /** Name of the part, by the rules of a step's name. Its steps are recorded as `<as>-<step>`. */
  as: string
  /** What the sub-workflow gets; default: the input of the workflow that it is a part of. Asked for each step, so it decides as `when` does. */
  input?(ctx: StepContext<I, W>): J
  /** false: the whole part is skipped. See `Step.when`. */
  when?(ctx: StepContext<I, W>): boolean
  /** As `Step.needs`, of the part as a whole: names of steps, or of other parts. Absent: all that stand before it. */
  needs?: readonly string[]
  /** Jobs from before it was a part have recorded its steps under their own names; they are carried on under these. */
  formerly?: boolean
}

/**
 * The steps of `sub` as a part of another workflow, to be spread into its `steps`. They see the outputs of their own part only, under
 * the names that they have in it; what comes from elsewhere comes in by `use.input`. Throws `internal` where `sub` ends jobs of its own.
 */
export function subWorkflow<I, J, W>(sub: Workflow<J, W>, use: Use<I, J, W>): Element<I, W>[] {
  if (sub.finish || sub.fail)
    throw new SkerryError('internal', `workflow ${sub.name} can't be a part of another: it has an end of its own`)
  const own = stepsOf(sub).flatMap(({ name, standsFor }) => (standsFor === undefined ? [name] : [name, standsFor]))
  const nameOf = (name: string) => `${use.as}-${name}`
  const inside = (ctx: StepContext<I, W>): StepContext<J, W> => ({
    ...ctx,
    input: use.input ? checkedInput(sub, use.input(ctx)) : (ctx.input as unknown as J),
    outputs: Object.fromEntries(own.flatMap((name) => (nameOf(name) in ctx.outputs ? [[name, ctx.outputs[nameOf(name)]]] : []))),
  })
  const whole: Part = { as: use.as, workflow: sub.name, ...(use.needs ? { needs: use.needs } : {}) }
  const part = (step: Step<J, W>): Step<I, W> => {
    const { when, undo, needs, standsFor, ...rest } = step
    return {
      ...(rest as object),
      name: nameOf(step.name),
      do: (ctx) => step.do(inside(ctx)),
      ...(undo ? { undo: (ctx: StepContext<I, W>) => step.undo!(inside(ctx)) } : {}),
      ...(when || use.when
        ? { when: (ctx: StepContext<I, W>) => use.when?.(ctx) !== false && step.when?.(inside(ctx)) !== false }
        : {}),
      ...(needs ? { needs: needs.map(nameOf) } : {}),
      ...(standsFor === undefined ? {} : { standsFor: nameOf(standsFor) }),
      ...(use.formerly ? { formerly: step.formerly ?? step.name } : {}),
      parts: [whole, ...(step.parts ?? [])],
    } as Step<I, W>
  }
  return mapSteps(sub.steps, part, nameOf)
}

function checkedInput<J, W>(sub: Workflow<J, W>, given: unknown): J {
  const parsed = sub.input.safeParse(given)
  if (parsed.success) return parsed.data
  throw new SkerryError('internal', `what workflow ${sub.name} is given does not fit its input`, {}, { cause: parsed.error })
}

/** As a job has recorded it: the steps that it knows under the names from before they were parts keep those for it. */
export function asFormerly(workflow: Workflow, recorded: ReadonlySet<string>): Workflow {
  const former = (step: Step): Step =>
    step.formerly !== undefined && step.standsFor === undefined && !recorded.has(step.name) && recorded.has(step.formerly)
      ? { ...step, name: step.formerly, standsFor: step.name }
      : step
  return { ...workflow, steps: mapSteps(workflow.steps, former) }
}
