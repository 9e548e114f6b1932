/** Commands as they go to an agent: what every agent takes, whatever the clock here tells. */
import { memoryBroker } from '@skerry/bus'
import { command, SkerryError, subjects } from '@skerry/contract'
import { expect, test, vi } from 'vitest'
import { Agents } from '../src/agents/agents-port.ts'
import { AgentBook } from '../src/agents/book.ts'
import { Syncer } from '../src/agents/sync.ts'
import { id, makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

async function bench(monotonic = () => 0) {
  const w = await makeWorld()
  await site(w)
  const { graph, store } = w.state
  const broker = memoryBroker()
  const [bus, agent] = [broker.connect(), broker.connect()]
  const report = (error: unknown) => {
    throw error
  }
  const syncer = new Syncer({ bus, graph, durableSeq: () => store.status().durableSeq, report })
  const book = new AgentBook(monotonic)
  const sleep = () => new Promise<void>((resolve) => setImmediate(resolve))
  return { w, agent, book, agents: new Agents({ bus, graph, book, syncer, sleep, monotonic, report }) }
}

test.each([30_000, 29_999.7, 0.4, -3])(
  'with %d ms left, a command fits its schema, and leaves time for the answer',
  async (left) => {
    const { w, agent, agents } = await bench()
    const asked: unknown[] = []
    agent.serve(subjects.do('storage', u.storage, 'storage', u.vm, 'connect'), async (m) => {
      asked.push(m.data)
      return { id: 'c1', output: { heard: true } }
    })
    const connect = { id: 'c1', noun: 'storage', uuid: u.vm, verb: 'connect', input: {} }
    const carried = () => agents.command(u.storage, connect, { remainingMs: () => left, progress: () => undefined })
    expect(await carried()).toEqual({ heard: true })
    const { deadlineMs, ledger } = command.parse(asked[0])
    expect(deadlineMs).toBeLessThanOrEqual(Math.max(1, left))
    expect(ledger).toBeUndefined()
    await w.commit({ ops: [{ o: 'set', t: 'agent', k: u.storage, v: { ledger: id('ledger') } }] })
    await carried()
    expect(command.parse(asked[1]).ledger).toBe(id('ledger'))
  },
)

test('whoever waits for a document that is withdrawn meanwhile waits no longer', async () => {
  const { w, agent, agents } = await bench()
  agent.serve(subjects.do('kvm', u.kvm, 'agent', u.kvm, 'sync'), async () => ({ digest: '' }))
  agent.serve(subjects.do('kvm', u.kvm, 'agent', u.kvm, 'statuses'), async () => ({ statuses: [] }))
  const waiting = agents.converge([`bridge/${u.l2}`], { remainingMs: () => 60_000, progress: () => undefined })
  const ended = expect(waiting).rejects.toMatchObject({ code: 'conflict', details: { noun: 'bridge', uuid: u.l2 } })
  await w.commit({ ops: [{ o: 'set', t: 'l2Network', k: u.l2, v: { attachedClusterUuids: [] } }] })
  await ended
})

test('an agent that has too much to do to answer is waited for: its word comes later', async () => {
  let now = 0
  const { w, agent, agents, book } = await bench(() => (now += 4_000))
  let asked = 0
  agent.serve(subjects.do('kvm', u.kvm, 'agent', u.kvm, 'sync'), async () => ({ digest: '' }))
  agent.serve(subjects.do('kvm', u.kvm, 'agent', u.kvm, 'statuses'), async () => {
    asked += 1
    throw new SkerryError('agent-timeout')
  })
  const waiting = agents.converge([`bridge/${u.l2}`], { remainingMs: () => 60_000, progress: () => undefined })
  await vi.waitFor(() => expect(asked).toBeGreaterThan(1))
  const { graph } = w.state
  const generation = { incarnation: graph.incarnation, seq: graph.version('desired', `${u.kvm}/bridge/${u.l2}`)! }
  book.status(u.kvm, {
    noun: 'bridge',
    uuid: u.l2,
    generation,
    condition: 'Ready',
    error: null,
    observed: {},
    at: 0,
    bootId: 'b',
  })
  expect(await waiting).toMatchObject([{ noun: 'bridge', condition: 'Ready' }])
})
