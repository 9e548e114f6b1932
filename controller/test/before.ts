/** What happened before a workflow is proven: a site, and workflows that ran to their end on it. */
import type { Row } from '@skerry/contract'
import { createRunner, memoryJournal } from '@skerry/workflow'
import { actions } from '../src/workflows/index.ts'
import type { Input } from '../src/workflows/world.ts'
import { input, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

export type Before = (w: TestWorld) => Promise<Input>

/** Runs a workflow to its end in this world, as something that happened before. */
export async function ran(w: TestWorld, name: string, given: Input): Promise<void> {
  const journal = memoryJournal((change) => w.commit(change))
  journal.accept('before', actions.get(name)!.workflow, given)
  await createRunner({
    workflows: new Map([[name, actions.get(name)!.workflow]]),
    world: w.world,
    journal,
    clock: { now: () => 0 },
    sleep: async () => undefined,
  }).run('before')
  const job = journal.load('before')
  if (job?.state !== 'done') throw new Error(`${name} ended ${job?.state}: ${JSON.stringify(job?.error)}`)
  await w.agents.settle()
}

export const onSite =
  (given: Input, options = {}): Before =>
  async (w) => {
    await site(w, options)
    return given
  }
export const after =
  (earlier: [string, Input][], given: Input): Before =>
  async (w) => {
    await site(w)
    for (const [name, i] of earlier) await ran(w, name, i)
    return given
  }
/** A VM that runs. */
export const created: [string, Input] = ['vm.create', input(u.vm, 'vmInstance', vmParams)]
export const on = (table: string, uuid: string, params: Row = {}) => input(uuid, table, params)
export const vm = on('vmInstance', u.vm)
