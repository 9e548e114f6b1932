/** Commands as they go to an agent: what every agent takes, whatever the clock here tells. */
import { memoryBroker } from '@skerry/bus'
import { command, subjects } from '@skerry/contract'
import { expect, test } from 'vitest'
import { Agents } from '../src/agents/agents-port.ts'
import { AgentBook } from '../src/agents/book.ts'
import { Syncer } from '../src/agents/sync.ts'
import { makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

test.each([30_000, 29_999.7, 0.4, -3])(
  'with %d ms left, a command fits its schema, and leaves time for the answer',
  async (left) => {
    const w = await makeWorld()
    await site(w)
    const { graph } = w.state
    const broker = memoryBroker()
    const [bus, agent] = [broker.connect(), broker.connect()]
    const asked: unknown[] = []
    agent.serve(subjects.do('storage', u.storage, 'storage', u.vm, 'connect'), async (m) => {
      asked.push(m.data)
      return { id: 'c1', output: { heard: true } }
    })
    const monotonic = () => 0
    const report = (error: unknown) => {
      throw error
    }
    const syncer = new Syncer({ bus, graph, durableSeq: () => 0, report })
    const book = new AgentBook(monotonic)
    const agents = new Agents({ bus, graph, book, syncer, sleep: async () => undefined, monotonic, report })
    const connect = { id: 'c1', noun: 'storage', uuid: u.vm, verb: 'connect', input: {} }
    expect(await agents.command(u.storage, connect, { remainingMs: () => left, progress: () => undefined })).toEqual({
      heard: true,
    })
    const { deadlineMs } = command.parse(asked[0])
    expect(deadlineMs).toBeLessThanOrEqual(Math.max(1, left))
  },
)
