/** `skerry get workflows [name]`: what jobs do, step by step, or drawn. */
import type { Row } from '@skerry/contract'
import type { ShownStep } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatList, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface WorkflowOptions extends Globals {
  output: Format
  mermaid?: boolean
}

const COLUMNS = ['name', 'version', 'steps', 'apis']
/** A controller from before sub-workflows says nothing of them. */
const fromOf = ({ from, within = [] }: Partial<ShownStep>) =>
  [from, ...within.map(({ workflow }) => `workflow ${workflow}`)].filter(Boolean).join(', ') || null
const STEP_COLUMNS = ['step', 'group', 'needed', 'onFailure', 'from']

export async function workflows(io: Io, name: string | undefined, o: WorkflowOptions): Promise<void> {
  const client = await clientOf(io, o)
  if (name === undefined) {
    const all = await client.workflows()
    // In a table a row names its steps; programs get all that is known of each.
    const rows = all.map(
      (one): Row => ({ ...one, ...(o.output === 'table' ? { steps: one.steps.map((step) => step.name) } : {}) }),
    )
    return io.out(o.output === 'name' ? all.map((one) => one.name).join('\n') : await formatList(rows, COLUMNS, o.output))
  }
  if (o.mermaid) return io.out((await client.drawnWorkflow(name)).trimEnd())
  const found = await client.workflow(name)
  if (o.output === 'name') return io.out(found.name)
  if (o.output !== 'table') return io.out(await formatList([{ ...found }], COLUMNS, o.output))
  const steps = found.steps.map(
    (step): Row => ({
      ...{ step: step.name, group: step.group, needed: step.conditional ? 'if needed' : 'always', from: fromOf(step) },
      onFailure: step.undo ? 'undone' : `nothing: ${step.noUndo}`,
    }),
  )
  const calls = found.apis.length === 0 ? '' : `, run by ${found.apis.join(', ')}`
  io.out(`${found.name}, version ${found.version}${calls}\n\n${table(STEP_COLUMNS, steps)}`)
}
