/** Workflows as data and as a picture, for people: what is done in which order, and what is undone when it fails. Pure. */
import { membersOf, type Part, type Step, type Workflow } from './workflow.ts'

export interface StepView {
  name: string
  version: number
  /** what is undone when a later step fails; else `noUndo` says why nothing is */
  undo: boolean
  noUndo: string | null
  /** whether it may be left out, as the call is */
  conditional: boolean
  /** of a group whose steps run at the same time */
  group: string | null
  /** where the step came from, when not from the workflow itself: a plugin */
  from: string | null
  /** sub-workflows that it is a step of, the outermost first */
  within: readonly Part[]
}

export interface WorkflowView {
  name: string
  version: number
  steps: StepView[]
  /** whether its end is a commit of its own */
  finishes: boolean
}

const stepView = (step: Step, group: string | null): StepView => ({
  name: step.name,
  version: step.version ?? 1,
  undo: step.undo !== undefined,
  noUndo: step.noUndo ?? null,
  conditional: step.when !== undefined,
  group,
  from: step.from ?? null,
  within: step.parts ?? [],
})

export function viewOfWorkflow(workflow: Workflow): WorkflowView {
  const steps = workflow.steps.flatMap((element) =>
    membersOf(element).map((step) => stepView(step, 'parallel' in element ? element.name : null)),
  )
  return { name: workflow.name, version: workflow.version, steps, finishes: workflow.finish !== undefined }
}

/** In quotes nothing but these has a meaning to Mermaid. */
const quoted = (text: string) => `"${text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"`

function labelOf({ name, version, conditional, undo, from }: StepView): string {
  const facts = [version > 1 ? `v${version}` : '', conditional ? 'if needed' : '', undo ? 'undone on failure' : '', from ?? '']
  const shown = facts.filter(Boolean).join(', ')
  return quoted(shown === '' ? name : `${name} (${shown})`).replace(' (', '<br/>(')
}

/** Steps that run at the same time; most are alone. */
type Stage = readonly StepView[]

function stagesOf(steps: readonly StepView[]): Stage[] {
  const stages: StepView[][] = []
  for (const step of steps) {
    const last = stages.at(-1)
    if (step.group !== null && last?.[0]?.group === step.group) last.push(step)
    else stages.push([step])
  }
  return stages
}

/** Stages as boxes: a sub-workflow and a group are boxes around theirs. `at`: number of the first stage, and how many parts are open. */
function boxes(stages: readonly Stage[], node: (step: StepView) => string, at = { first: 0, depth: 0 }): string[] {
  const lines: string[] = []
  const partOf = (stage: Stage | undefined) => stage?.[0]?.within[at.depth]
  for (let i = 0; i < stages.length; ) {
    const part = partOf(stages[i])
    const id = at.first + i + 1
    let end = i + 1
    if (part === undefined) {
      const { group } = stages[i]![0]!
      const nodes = stages[i]!.map(node)
      lines.push(...(group === null ? nodes : [`subgraph g${id} [${quoted(`${group}, at the same time`)}]`, ...nodes, 'end']))
    } else {
      while (partOf(stages[end])?.as === part.as) end++
      const inner = boxes(stages.slice(i, end), node, { first: at.first + i, depth: at.depth + 1 })
      lines.push(`subgraph w${id}_${at.depth + 1} [${quoted(`${part.as}: ${part.workflow}`)}]`, ...inner, 'end')
    }
    i = end
  }
  return lines
}

/** As a Mermaid flowchart, top down: rounded boxes are undone, groups run at the same time, a dashed box came from elsewhere. */
export function mermaidOf({ steps, name }: WorkflowView): string {
  const ids = new Map(steps.map((step, i) => [step.name, `s${i + 1}`]))
  const idOf = (step: StepView) => ids.get(step.name)!
  const node = (step: StepView) => {
    const label = labelOf(step)
    return `${idOf(step)}${step.undo ? `(${label})` : `[${label}]`}${step.from === null ? '' : ':::added'}`
  }
  const stages = stagesOf(steps)
  const flow = [['start'], ...stages.map((stage) => stage.map(idOf)), ['done']]
  const edges = flow.slice(1).map((stage, i) => `${flow[i]!.join(' & ')} --> ${stage.join(' & ')}`)
  const drawn = [`start([${quoted(name)}])`, ...boxes(stages, node), `done([${quoted('done')}])`, ...edges]
  const styles = steps.some(({ from }) => from !== null) ? ['classDef added stroke-dasharray: 5 5'] : []
  return ['flowchart TD', ...[...drawn, ...styles].map((line) => `  ${line}`), ''].join('\n')
}
