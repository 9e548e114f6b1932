/** GC jobs: what agents that are away have to remove is shown, told again when asked, and can be given up. */
import { describe, expect, it } from 'vitest'
import { gcChange, tombstoneOf } from '../src/gc/jobs.ts'
import { actions } from '../src/workflows/index.ts'
import { on } from './before.ts'
import { away, waiting } from './gc-world.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const NOW = 1_700_000_000_000
const DAY = 86_400_000
const nodeUuid = id('node')
const change = (w: TestWorld, now = NOW) => gcChange(w.state.graph, { now, nodeUuid })
const rows = (w: TestWorld) => [...w.state.graph.rows('gcJob')].map(([, row]) => row)
async function follow(w: TestWorld, now = NOW): Promise<void> {
  for (let due = change(w, now); due; due = change(w, now)) await w.commit(due)
}
const agentIs = (status: string) => ({ o: 'set' as const, t: 'agent', k: u.kvm, v: { status } })

describe('GC jobs', () => {
  it('are made for the tombstones of an agent that is away, once each, and for nothing else', async () => {
    const w = await makeWorld()
    await site(w)
    await w.commit({ ops: [agentIs('Disconnected')] })
    expect(change(w)).toBeUndefined()
    await w.commit({ ops: [agentIs('Connected'), waiting('vm')] })
    expect(change(w)).toBeUndefined()
    await w.commit({ ops: [agentIs('Disconnected')] })
    await follow(w)
    expect(rows(w)).toMatchObject([
      {
        status: 'Idle',
        type: 'EventBased',
        runnerClass: 'remove-vm',
        agentUuid: u.kvm,
        hostUuid: u.host,
        managementNodeUuid: nodeUuid,
      },
    ])
    expect(JSON.parse(rows(w)[0]!['context'] as string)).toMatchObject({ noun: 'vm', uuid: id('gone') })
  })

  it('are at work while their agent is there, done when it has removed it, and forgotten after a while', async () => {
    const w = await away('vm')
    await follow(w)
    await w.commit({ ops: [agentIs('Connected')] })
    await follow(w)
    expect(rows(w)).toMatchObject([{ status: 'Processing' }])
    await w.commit({ ops: [{ o: 'del', t: 'desired', k: `${u.kvm}/vm/${id('gone')}` }] })
    await follow(w, NOW + 1)
    expect(rows(w)).toMatchObject([{ status: 'Done', lastOpDate: NOW + 1 }])
    await follow(w, NOW + 1 + 14 * DAY)
    expect(rows(w)).toHaveLength(1)
    await follow(w, NOW + 2 + 14 * DAY)
    expect(rows(w)).toEqual([])
  })

  it('of one resource are two when two jobs deleted it, and each is about its own tombstone', async () => {
    const w = await away('vm')
    await follow(w)
    const key = `${u.kvm}/vm/${id('gone')}`
    await w.commit({ ops: [{ o: 'set', t: 'desired', k: key, v: { job: id('another job') } }] })
    await follow(w)
    expect(rows(w).map((row) => row['status'])).toEqual(['Done', 'Idle'])
    expect(rows(w).map((row) => tombstoneOf(w.state.graph, row))).toEqual([undefined, key])
  })

  it('that are done are not told again', async () => {
    const w = await away('vm')
    await follow(w)
    const [row] = rows(w)
    const check = () => actions.get('gcJob.trigger')!.check!({ ...on('gcJob', row!['uuid'] as string), graph: w.state.graph })
    expect(check).not.toThrow()
    await w.commit({ ops: [{ o: 'del', t: 'desired', k: `${u.kvm}/vm/${id('gone')}` }] })
    expect(check).toThrow(/nothing to remove/)
  })
})
