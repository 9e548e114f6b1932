/** A server that comes back is not run over: agents return spread over time, and their heartbeats stay spread. */
import { type MemoryBus, memoryBroker, reconnectDelays, rightsOf } from '@skerry/bus'
import { HEARTBEAT_MS, type Heartbeat, subjects } from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import { expect, test } from 'vitest'
import { type Agent, openLedger, runAgent } from '../src/index.ts'
import { clock, id, ManualTime, silent, turns } from './bench.ts'

const AGENTS = 100
const TICK_MS = 50

/** The same numbers in each run. */
function numbers(): () => number {
  let n = 1
  return () => (n = (n * 48_271) % 2_147_483_647) / 2_147_483_647
}

test('of 100 agents that lost their server together, no 50 ms see more than a few come back, and so it stays', async () => {
  const [broker, time, random] = [memoryBroker(), new ManualTime(), numbers()]
  const beats: { at: number; agentUuid: string }[] = []
  const controller = broker.connect(rightsOf({ kind: 'controller' }))
  controller.subscribe(subjects.heartbeatOfAll, (m) => {
    beats.push({ at: time.nowMs(), agentUuid: (m.data as Heartbeat).agentUuid })
  })
  const buses: MemoryBus[] = []
  const agents: Agent[] = []
  for (let n = 0; n < AGENTS; n++) {
    const identity = { kind: 'kvm' as const, uuid: id(n + 1), machineId: id(n), bootId: 'boot-1' }
    const bus = broker.connect(rightsOf({ kind: 'agent', agent: identity }))
    const ledger = await openLedger({ dir: '/ledger', files: fakeHost().files, clock })
    buses.push(bus)
    agents.push(
      runAgent({
        ...{ identity, bus, ledger, clock, random, timers: time, version: '0.1.0', log: silent, modules: [], commands: [] },
        inventory: async () => [],
      }),
    )
  }
  await turns()
  for (const bus of buses) bus.disconnect()
  await time.advance(6_000)

  const delay = reconnectDelays({ random })
  beats.length = 0
  for (const bus of buses) time.set(() => bus.reconnect(), delay())
  await time.advance(HEARTBEAT_MS)
  const first = beats.filter(({ agentUuid, at }, n) => beats.findIndex((b) => b.agentUuid === agentUuid) === n && at > 0)
  expect(first).toHaveLength(AGENTS)
  expect(busiest(beats)).toBeLessThan(AGENTS / 10)

  await time.advance(20_000)
  const late = beats.filter(({ at }) => at > time.nowMs() - HEARTBEAT_MS)
  expect(busiest(late)).toBeLessThan(AGENTS / 10)
  for (const agent of agents) void agent.stop()
  await time.advance(5_000)
})

function busiest(beats: readonly { at: number }[]): number {
  const ticks = new Map<number, number>()
  for (const { at } of beats) ticks.set(Math.floor(at / TICK_MS), (ticks.get(Math.floor(at / TICK_MS)) ?? 0) + 1)
  return Math.max(...ticks.values())
}
