/** Workflows as data and as a picture, for people: what is done in which order, and what is undone when it fails. Pure. */
import type { Element, Part, Step, Workflow } from './workflow.ts'

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
  /** branches of groups that it is a step of, the outermost first: what stands in one runs one after another */
  lanes?: readonly Lane[]
  /** where the step came from, when not from the workflow itself: a plugin */
  from: string | null
  /** sub-workflows that it is a step of, the outermost first */
  within: readonly Part[]
}

export interface Lane {
  group: string
  branch: string
}

export interface WorkflowView {
  name: string
  version: number
  steps: StepView[]
  /** whether its end is a commit of its own */
  finishes: boolean
}

const stepView = (step: Step, group: string | null, lanes: readonly Lane[]): StepView => ({
  name: step.name,
  version: step.version ?? 1,
  undo: step.undo !== undefined,
  noUndo: step.noUndo ?? null,
  conditional: step.when !== undefined,
  group,
  ...(lanes.length > 0 ? { lanes } : {}),
  from: step.from ?? null,
  within: step.parts ?? [],
})

const viewsIn = (elements: readonly Element[], lanes: readonly Lane[]): StepView[] =>
  elements.flatMap((element) => {
    if (!('parallel' in element)) return [stepView(element, null, lanes)]
    const group = element.name
    return element.parallel.flatMap((member) =>
      'branch' in member ? viewsIn(member.branch, [...lanes, { group, branch: member.name }]) : [stepView(member, group, lanes)],
    )
  })

export function viewOfWorkflow(workflow: Workflow): WorkflowView {
  const steps = viewsIn(workflow.steps, [])
  return { name: workflow.name, version: workflow.version, steps, finishes: workflow.finish !== undefined }
}

/** In quotes nothing but these has a meaning to Mermaid. */
const quoted = (text: string) => `"${text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"`

function labelOf({ name, version, conditional, undo, from }: StepView): string {
  const facts = [version > 1 ? `v${version}` : '', conditional ? 'if needed' : '', undo ? 'undone on failure' : '', from ?? '']
  const shown = facts.filter(Boolean).join(', ')
  return quoted(shown === '' ? name : `${name} (${shown})`).replace(' (', '<br/>(')
}

/** A step, or a group of what runs at the same time: each of its branches is a list of stages, of one stage where it is a step alone. */
interface Stage {
  steps: readonly StepView[]
  group: string | null
  branches: readonly (readonly Stage[])[]
}

const alone = (step: StepView): Stage => ({ steps: [step], group: null, branches: [] })

/** What stands together: neighbours of one key, which is not null. */
function runsOf(steps: readonly StepView[], keyOf: (step: StepView) => string | null): StepView[][] {
  const runs: StepView[][] = []
  for (const step of steps) {
    const last = runs.at(-1)
    const key = keyOf(step)
    if (last && key !== null && keyOf(last[0]!) === key) last.push(step)
    else runs.push([step])
  }
  return runs
}

function stagesOf(steps: readonly StepView[], depth = 0): Stage[] {
  const groupOf = ({ lanes, group }: StepView) => lanes?.[depth]?.group ?? group
  return runsOf(steps, groupOf).map((run) => {
    const group = groupOf(run[0]!)
    if (group === null) return alone(run[0]!)
    const branches = runsOf(run, ({ lanes }) => lanes?.[depth]?.branch ?? null).map((branch) =>
      branch[0]!.lanes?.[depth] === undefined ? branch.map(alone) : stagesOf(branch, depth + 1),
    )
    return { steps: run, group, branches }
  })
}

interface Place {
  /** number of the first stage */
  first: number
  /** how many parts are open */
  depth: number
  /** of ids inside a branch */
  prefix: string
}

/** Stages as boxes: a sub-workflow and a group are boxes around theirs. */
function boxes(
  stages: readonly Stage[],
  node: (step: StepView) => string,
  at: Place = { first: 0, depth: 0, prefix: '' },
): string[] {
  const lines: string[] = []
  const partOf = (stage: Stage | undefined) => {
    const part = stage?.steps[0]?.within[at.depth]
    return stage?.steps.every(({ within }) => within[at.depth]?.as === part?.as) ? part : undefined
  }
  for (let i = 0; i < stages.length; ) {
    const stage = stages[i]!
    const part = partOf(stage)
    const id = `${at.prefix}${at.first + i + 1}`
    let end = i + 1
    if (part !== undefined) {
      while (partOf(stages[end])?.as === part.as) end++
      const inner = boxes(stages.slice(i, end), node, { ...at, first: at.first + i, depth: at.depth + 1 })
      lines.push(`subgraph w${id}_${at.depth + 1} [${quoted(`${part.as}: ${part.workflow}`)}]`, ...inner, 'end')
    } else if (stage.group === null) lines.push(...stage.steps.map(node))
    else {
      const inner = stage.branches.flatMap((branch, n) => boxes(branch, node, { ...at, first: 0, prefix: `${id}b${n + 1}s` }))
      lines.push(`subgraph g${id} [${quoted(`${stage.group}, at the same time`)}]`, ...inner, 'end')
    }
    i = end
  }
  return lines
}

type IdOf = (step: StepView) => string
const firsts = ({ branches, steps }: Stage, idOf: IdOf): string[] =>
  branches.length === 0 ? steps.map(idOf) : branches.flatMap((branch) => firsts(branch[0]!, idOf))
const lasts = ({ branches, steps }: Stage, idOf: IdOf): string[] =>
  branches.length === 0 ? steps.map(idOf) : branches.flatMap((branch) => lasts(branch.at(-1)!, idOf))

/** From each stage to the next, and inside of branches. */
function arrows(stages: readonly Stage[], idOf: IdOf): string[] {
  return stages.flatMap((stage, i) => {
    const next = stages[i + 1]
    const inner = stage.branches.flatMap((branch) => arrows(branch, idOf))
    return next ? [...inner, `${lasts(stage, idOf).join(' & ')} --> ${firsts(next, idOf).join(' & ')}`] : inner
  })
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
  const [first, last] = [stages[0], stages.at(-1)]
  const edges =
    first && last
      ? [`start --> ${firsts(first, idOf).join(' & ')}`, ...arrows(stages, idOf), `${lasts(last, idOf).join(' & ')} --> done`]
      : ['start --> done']
  const drawn = [`start([${quoted(name)}])`, ...boxes(stages, node), `done([${quoted('done')}])`, ...edges]
  const styles = steps.some(({ from }) => from !== null) ? ['classDef added stroke-dasharray: 5 5'] : []
  return ['flowchart TD', ...[...drawn, ...styles].map((line) => `  ${line}`), ''].join('\n')
}
