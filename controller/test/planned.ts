/** A plan of each API of a workflow, in the world that stands before it: it says what would happen, twice the same, and nothing has. */
import { apis, subjectParameter } from '@skerry/contract'
import { expect } from 'vitest'
import { planOf, whatWasPlanned } from '../src/engine/plan.ts'
import type { Call } from '../src/engine/port.ts'
import type { Before } from './before.ts'
import { id, makeWorld } from './world.ts'

/** Its case names a VM that is not there: its steps don't look, its API does. */
const REFUSED = new Set(['schedulerJob.create'])

export async function planned(name: string, before: Before): Promise<void> {
  const w = await makeWorld()
  const input = await before(w)
  await w.agents.settle()
  const { graph } = w.state
  const ports = { graph, world: w.world, newId: () => id('planned'), dryRun: async () => [] }
  const of = apis.filter(
    ({ api, resource }) => api.workflow === name && [resource.name, resource.rows?.table].includes(input.table),
  )
  for (const { api, resource } of of) {
    const own = api.target ?? subjectParameter(api.path, resource)
    const params = { ...input.params, ...(own === undefined ? {} : { [own]: input.uuid }) }
    const call: Call = {
      api,
      resource,
      params,
      bodyHash: '',
      caller: { accountUuid: input.accountUuid, sessionUuid: '', admin: true },
    }
    const state = [graph.hash(), JSON.stringify([...w.agents.hosts])]
    if (REFUSED.has(name)) {
      await expect(planOf(call, ports)).rejects.toMatchObject({ code: 'not-found' })
      continue
    }
    const plan = await planOf(call, ports)
    expect(plan.steps.length, api.api).toBeGreaterThan(0)
    expect((await planOf(call, ports)).hash, api.api).toBe(plan.hash)
    const { guards } = await whatWasPlanned(call, plan.hash, ports)
    expect(graph.check(guards, []), `${api.api}: its own guards hold`).toBeUndefined()
    await expect(whatWasPlanned(call, 'another', ports)).rejects.toMatchObject({ code: 'stale-plan' })
    expect([graph.hash(), JSON.stringify([...w.agents.hosts])], api.api).toEqual(state)
  }
}
