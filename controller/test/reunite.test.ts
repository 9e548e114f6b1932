/** The first meeting with a host after a restore: guests keep the power that they have there. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { compareCounters } from '../src/audit/compare.ts'
import { reunite } from '../src/orphans/reunite.ts'
import { call, done, ready } from './engine-calls.ts'
import { u, vmParams } from './world.ts'

/** A VM that runs according to the graph, and is met in this power. */
async function met(power: string | undefined): Promise<{ vm: Row; differences: unknown[] }> {
  const { w, engine } = await ready()
  const made = (await done(engine, call('CreateVmInstance', vmParams))).result!['inventory'] as Row
  const uuid = made['uuid'] as string
  await w.commit({ ops: [{ o: 'put', t: 'reunion', k: u.kvm, v: {} }] })
  const domains = new Map(power === undefined ? [] : [[uuid, power]])
  await w.commit(reunite(w.state.graph, { agentUuid: u.kvm, held: [], statuses: [], domains, now: 1 }))
  return { vm: w.state.graph.get('vmInstance', uuid) as Row, differences: compareCounters(w.state.graph) }
}

describe('a VM that runs in the graph, and on its host', () => {
  it.each([
    ['Running', { state: 'Running', power: 'Running', hostUuid: u.host }],
    ['Paused', { state: 'Paused', stateCause: 'by-hand', power: 'Running', hostUuid: u.host }],
    // a panicked guest is kept for somebody to look at: it must not be cut because it is no longer running
    ['Crashed', { state: 'Crashed', stateCause: 'panicked', power: 'Running', hostUuid: u.host }],
    ['Stopped', { state: 'Stopped', power: 'Stopped', hostUuid: null, lastHostUuid: u.host }],
    [undefined, { state: 'Stopped', stateCause: 'gone', power: 'Stopped', hostUuid: null, lastHostUuid: u.host }],
  ])('is %s', async (power, expected) => {
    const { vm, differences } = await met(power)
    expect(vm).toMatchObject(expected)
    expect(differences).toEqual([])
  })
})
