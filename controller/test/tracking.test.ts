/** What is believed of guests while their hosts come and go, and whom the controller believes (zstack-core §3.16, §3.17). */
import { type Op, type Row, type Status, vmStates } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { react, reactPresence } from '../src/agents/react.ts'
import { compareCounters } from '../src/audit/compare.ts'
import { call, done, ready } from './engine-calls.ts'
import { id, type TestWorld, u, vmParams } from './world.ts'

const NOW = 1_700_000_001_000

/** A VM that is believed to be in this state, on its host. */
async function believed(state: string): Promise<{ w: TestWorld; vm: string; stateOf(): string }> {
  const { w, engine } = await ready()
  const job = await done(engine, call('CreateVmInstance', vmParams))
  const vm = (job.result!['inventory'] as Row)['uuid'] as string
  await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: vm, v: { state, stateCause: null } }] })
  return { w, vm, stateOf: () => w.state.graph.get('vmInstance', vm)?.['state'] as string }
}

function seen(w: TestWorld, vm: string, power: string, more: Partial<Status> = {}): Status {
  const seq = w.state.graph.version('desired', `${u.kvm}/vm/${vm}`) ?? 0
  const generation = { incarnation: 1, seq }
  const observed = { power, cause: 'seen', pid: null }
  return { noun: 'vm', uuid: vm, generation, condition: 'Ready', error: null, observed, at: NOW, bootId: 'boot1', ...more }
}

/** State of a guest → what is believed while its host is silent. Jobs decide between two states. */
const WHILE_SILENT: Record<string, string> = {
  ...Object.fromEntries(Object.keys(vmStates).map((state) => [state, state])),
  Running: 'Unknown',
  Paused: 'Unknown',
  NoState: 'Unknown',
}
const SEEN = { Running: 'Running', Stopped: 'Stopped', Paused: 'Paused', Crashed: 'Crashed', Unknown: 'NoState' }

describe('a host that falls silent', () => {
  it.each(Object.entries(WHILE_SILENT))(
    'a VM that is %s is then believed %s, and keeps what it has of its host',
    async (from, to) => {
      const { w, vm, stateOf } = await believed(from)
      const free = w.state.graph.get('host', u.host)!['availableCpuCapacity']
      const change = reactPresence(w.state.graph, u.kvm, false, { now: NOW })!
      expect(change.facts?.filter((fact) => fact.noun === 'vmInstance')).toEqual(
        from === to
          ? []
          : [{ noun: 'vmInstance', uuid: vm, event: 'state-changed', data: { from, to, cause: 'host-disconnected' } }],
      )
      await w.commit(change)
      expect(stateOf()).toBe(to)
      expect(w.state.graph.get('vmInstance', vm)?.['hostUuid']).toBe(u.host)
      expect(w.state.graph.get('host', u.host)!['availableCpuCapacity']).toBe(free)
    },
  )

  it.each(Object.entries(SEEN))('and comes back: a guest that is seen %s is %s', async (power, to) => {
    const { w, vm, stateOf } = await believed('Running')
    await w.commit(reactPresence(w.state.graph, u.kvm, false, { now: NOW })!)
    await w.commit(reactPresence(w.state.graph, u.kvm, true, { now: NOW })!)
    expect(stateOf(), 'nobody has seen it yet').toBe('Unknown')
    await w.commit(react(w.state.graph, u.kvm, seen(w, vm, power), NOW)!)
    expect(stateOf()).toBe(to)
    expect(compareCounters(w.state.graph)).toEqual([])
  })
})

describe('a report', () => {
  it('of what was believed before a job moved it is refused by its own guard', async () => {
    const { w, vm, stateOf } = await believed('Running')
    const late = react(w.state.graph, u.kvm, seen(w, vm, 'Stopped'), NOW)!
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: vm, v: { state: 'Stopping' } }] })
    await expect(w.commit(late)).rejects.toMatchObject({ code: 'illegal-state' })
    expect(stateOf()).toBe('Stopping')
  })

  it('of another history, or of a document that was replaced, is not believed', async () => {
    const { w, vm } = await believed('Running')
    const { seq } = seen(w, vm, 'Stopped').generation!
    for (const generation of [{ incarnation: 0, seq: seq + 9 }, { incarnation: 1, seq: seq - 1 }, null])
      expect(react(w.state.graph, u.kvm, seen(w, vm, 'Stopped', { generation }), NOW)).toBeUndefined()
  })

  it('of an agent that holds no document of the VM changes nothing, wherever it says that the VM runs', async () => {
    const { w, vm, stateOf } = await believed('Unknown')
    const other = id('another agent')
    const agent = { ...w.state.graph.get('agent', u.kvm)!, uuid: other, hostUuid: null }
    await w.commit({ ops: [{ o: 'put', t: 'agent', k: other, v: agent } as Op] })
    for (const power of Object.keys(SEEN)) expect(react(w.state.graph, other, seen(w, vm, power), NOW)).toBeUndefined()
    expect(stateOf()).toBe('Unknown')
  })
})
