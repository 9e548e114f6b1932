/** Jobs as workflows make them: calls like everybody's, through the same door, with the rights of the account. */
import { SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { ControllerEngine } from '../engine/engine.ts'
import { apiOfMessage } from '../engine/long-call.ts'
import type { JobsPort } from '../workflows/world.ts'

/** `engine`: asked when it is needed, because it needs this port itself. */
export const jobsPort = (engine: () => Pick<ControllerEngine, 'accept' | 'retry' | 'wait'>, graph: Graph): JobsPort => ({
  async accept({ jobName, params, accountUuid, jobUuid, timeoutMs }) {
    const admin = graph.get('account', accountUuid)?.['type'] === 'SystemAdmin'
    const caller = { accountUuid, sessionUuid: 'long job', admin }
    const bodyHash = `long job ${jobUuid}`
    await engine().accept({ ...apiOfMessage(jobName), params, caller, jobUuid, bodyHash, timeoutMs })
  },
  async retry(job) {
    await engine().retry(job)
  },
  known(job) {
    const row = graph.get('job', job) as { state: string } | undefined
    return row && { state: row.state }
  },
  async ended(job, ms) {
    const view = await engine().wait(job, ms)
    if (view?.state === 'done') return undefined
    if (view?.error) return view.error
    throw new SkerryError('deadline-exceeded', `job ${job} goes on, and nobody waits for it any more`, { job })
  },
})
