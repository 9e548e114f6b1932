/** Workflows as they are shown, each with the calls that run it. Pure. */
import { apis } from '@skerry/contract'
import { viewOfWorkflow, type Workflow, type WorkflowView } from '@skerry/workflow'

export interface ShownWorkflow extends WorkflowView {
  /** calls that make such jobs */
  apis: string[]
}

const callsOf = (name: string) => apis.filter(({ api }) => api.workflow === name && !api.sync).map(({ api }) => api.api)

export const shownWorkflows = (workflows: Iterable<Workflow>): ShownWorkflow[] =>
  [...workflows]
    .map((workflow) => ({ ...viewOfWorkflow(workflow), apis: callsOf(workflow.name) }))
    .sort((a, b) => a.name.localeCompare(b.name))
