/**
 * The workflows that jobs run: as they are written, or with what plugins and files change. A job that was begun keeps to what it
 * recorded, whatever is there by now: it is never given a step that it did not begin with (DESIGN §5).
 */
import { apis, SkerryError } from '@skerry/contract'
import {
  asBegun,
  asFormerly,
  type Declaration,
  type Definition,
  declared,
  readDeclaration,
  readDefinition,
  type StepEdit,
  stepNamesIn,
  type Workflow,
  withEdits,
} from '@skerry/workflow'
import { actions, subWorkflows } from './index.ts'
import { SITE_RUN, siteWorkflowOf } from './site.run.ts'
import type { Action, Input, WorkflowBook, World } from './world.ts'

export interface BookParts {
  /** of new jobs; asked for each, so that what is switched off is not in the next one */
  current(): readonly StepEdit[]
  /** of any job */
  known(): readonly StepEdit[]
  written: ReadonlyMap<string, Action>
  /** what files say, by workflow */
  declarations?: ReadonlyMap<string, Declaration>
  /** workflows of the site, by the uuid of their row */
  definitions?: ReadonlyMap<string, Definition>
  /** Steps of plugins that could not be loaded: declarations go without them. */
  absent?(step: string): boolean
}

/** Parameters of the calls that run it. */
const paramsOf = (workflow: string): string[] => [
  ...new Set(apis.flatMap(({ api }) => (api.workflow === workflow ? Object.keys(api.params.shape) : []))),
]

/** Throws `invalid-argument`, with `details.problems`. */
function follow(
  workflow: Workflow<Input, World>,
  declaration: Declaration,
  { known, absent = () => false }: Pick<BookParts, 'known' | 'absent'>,
  isOn: (edit: StepEdit) => boolean,
): Workflow<Input, World> {
  const param = (input: unknown, name: string) => (input as Input).params[name]
  return declared(workflow, declaration, { edits: known(), isOn, absent, param, params: paramsOf(workflow.name) })
}

/** Throws `invalid-argument` where a declaration can't be followed. */
export function bookOf(parts: BookParts): WorkflowBook {
  const {
    current,
    known,
    written,
    declarations = new Map<string, Declaration>(),
    definitions = new Map<string, Definition>(),
  } = parts
  const site = (definition: Definition, edits: readonly StepEdit[]) => {
    const runs = (_: string, step: string) => edits.some((edit) => edit.step.name === step)
    return siteWorkflowOf(definition, { edits: known(), runs, absent: (_, step) => parts.absent?.(step) ?? false })
  }
  const chosen = (uuid: string) => {
    const definition = definitions.get(uuid)
    if (definition) return site(definition, current())
    throw new SkerryError('not-found', `there is no site-workflow ${uuid}`, { uuid })
  }
  const followed = new Map<string, { on: string; workflow: Workflow<Input, World> }>()
  const workflowOf = ({ workflow }: Action): Workflow<Input, World> => {
    const declaration = declarations.get(workflow.name)
    if (declaration === undefined) return withEdits(workflow, current())
    const edits = current()
    const on = edits.map(({ step }) => step.name).join()
    const last = followed.get(workflow.name)
    if (last?.on === on) return last.workflow
    const made = follow(workflow, declaration, parts, (edit) => edits.includes(edit))
    followed.set(workflow.name, { on, workflow: made })
    return made
  }
  // Also as they are once all plugins are switched on: no later call may find that it can't be.
  for (const [name, declaration] of declarations) follow(need(written, name).workflow, declaration, parts, () => true)
  for (const definition of definitions.values()) site(definition, known())
  return {
    action(name) {
      const action = written.get(name)
      // Without files there are no rows either, so nothing can be run.
      if (action && name === SITE_RUN && definitions.size > 0) return { ...action, chosen }
      // A job with further steps can't end in the commit that accepts it.
      const more = action !== undefined && (declarations.has(name) || current().some((edit) => edit.workflow === name))
      return more ? { ...action, workflow: workflowOf(action), atOnce: false } : action
    },
    *all() {
      for (const action of written.values()) if (action.workflow.name !== SITE_RUN) yield workflowOf(action)
      for (const [uuid, { define: name }] of definitions) yield { ...chosen(uuid), name }
      yield* subWorkflows
    },
    begun({ workflow: name, steps, declared: recorded }) {
      const action = written.get(name)
      if (!action || recorded === undefined) return action && asBegun(action.workflow, known(), steps)
      const names = new Set(stepNamesIn(steps))
      if (name === SITE_RUN) {
        const is = (step: string) => names.has(step)
        return siteWorkflowOf(definitionOf(recorded), { edits: known(), runs: is, absent: (step) => !is(step) })
      }
      const workflow = follow(action.workflow, declarationOf(name, recorded), parts, ({ step }) => names.has(step.name))
      return asFormerly(workflow, names)
    },
  }
}

function need(written: BookParts['written'], name: string): Action {
  const action = written.get(name)
  if (action) return action
  const message = `there is no workflow ${name}, see skerry get workflows`
  throw new SkerryError('invalid-argument', message, { workflow: name, problems: [{ path: ['workflow'], message }] })
}

/** What a job has recorded. */
function declarationOf(workflow: string, recorded: unknown): Declaration {
  const read = readDeclaration(recorded)
  if ('declaration' in read) return read.declaration
  const why = read.problems.map(({ message }) => message).join('; ')
  throw new SkerryError('invalid-argument', `the declaration of ${workflow} that the job recorded can't be read: ${why}`, {
    workflow,
  })
}

/** What a run of a workflow of the site has recorded. */
function definitionOf(recorded: unknown): Definition {
  const read = readDefinition(recorded)
  if ('definition' in read) return read.definition
  const why = read.problems.map(({ message }) => message).join('; ')
  throw new SkerryError('invalid-argument', `the definition that the job recorded can't be read: ${why}`)
}

export const plainBook: WorkflowBook = bookOf({ current: () => [], known: () => [], written: actions })
