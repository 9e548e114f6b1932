/** The example agent keeps to the protocol; agents that break it are found, each by the check that is about it. */
import { type GatheringBus, type Msg, memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { SkerryError, subjects } from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import { afterEach, expect, it } from 'vitest'
import { memoryStorage } from '../example/memory-storage.ts'
import { type Result, type Sample, tryAgent } from '../src/conformance/index.ts'
import { type Agent, runAgent } from '../src/index.ts'
import { AGENT, clock, id, openTestLedger, silent } from './bench.ts'

const sample: Sample = {
  document: { noun: 'pool', schema: 1, spec: { path: '/data/conformance', kind: 'primary' } },
  command: { noun: 'storage', verb: 'forget', input: { path: '/data/none' } },
}

/** What stands between the agent and its bus. */
interface Lie {
  answer?(verb: string, data: unknown, honest: () => Promise<unknown>): Promise<unknown>
  publish?(subject: string, data: unknown, honest: (data: unknown) => void): void
  silent?: boolean
}

let agent: Agent | undefined
let ids = 0
afterEach(() => agent?.stop())

function lying(bus: GatheringBus, { answer, publish, silent = false }: Lie): GatheringBus {
  const told = (handler: (m: Msg) => Promise<unknown>) => (m: Msg) =>
    answer && m.subject.includes('.do.') ? answer(m.subject.split('.').at(-1)!, m.data, () => handler(m)) : handler(m)
  return new Proxy(bus, {
    get(target, name) {
      if (name === 'serve')
        return (subject: string, handler: (m: Msg) => Promise<unknown>, o?: object) =>
          silent && subject.startsWith('$SRV') ? { stop: async () => undefined } : target.serve(subject, told(handler), o)
      if (name === 'publish' && publish)
        return (subject: string, data: unknown) => publish(subject, data, (honest) => target.publish(subject, honest))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function outcomes(lie: Lie = {}, o: { sample?: Sample; timeoutMs?: number } = {}): Promise<Result[]> {
  const broker = memoryBroker()
  const identity = { kind: 'storage' as const, uuid: AGENT, machineId: id(1), bootId: 'boot-1' }
  const own = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'storage', uuid: AGENT } }))
  const bus = broker.connect(rightsOf({ kind: 'controller' }))
  const ledger = await openTestLedger(fakeHost())
  const ports = { ledger, clock, timers: realTimers, random: () => 0.5, version: '0.1.0', log: silent, config: { drainMs: 10 } }
  agent = runAgent({ identity, bus: lying(own, lie), ...ports, ...memoryStorage() })
  const newId = () => id(0xc0ffee00 + ++ids)
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  return tryAgent({
    bus,
    agent: { kind: 'storage', uuid: AGENT },
    sample: o.sample ?? sample,
    newId,
    sleep,
    beatMs: 1_000,
    timeoutMs: o.timeoutMs ?? 2_000,
  })
}

const failed = (results: readonly Result[]) => results.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)

it('passes every check with a sample, and leaves nothing; without one it says what it could not try', async () => {
  const results = await outcomes()
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect(results.length).toBeGreaterThanOrEqual(20)
  await agent?.stop()
  const without = await outcomes({}, { sample: {} })
  expect(failed(without)).toEqual([])
  expect(without.filter(({ outcome }) => outcome === 'skipped').length).toBeGreaterThan(5)
})

const replaced =
  (verb: string, reply: unknown): Lie['answer'] =>
  async (asked, _data, honest) =>
    asked === verb ? reply : honest()
const beat = subjects.heartbeat('storage', AGENT)

const lies: [what: string, lie: Lie, found: RegExp][] = [
  [
    'takes any sync',
    { answer: async (verb, _d, honest) => (verb === 'sync' ? honest().catch(() => ({ digest: '' })) : honest()) },
    /refuses a sync that is none/,
  ],
  ['answers with another digest', { answer: replaced('digest', { digest: 'x', entries: [] }) }, /answers digest/],
  ['is no service', { silent: true }, /NATS service/],
  [
    'beats in another’s name',
    { publish: (s, d, tell) => tell(s === beat ? { ...(d as object), agentUuid: id(7) } : d) },
    /beats every 5 s/,
  ],
  [
    'says nothing of what came',
    { publish: (s, d, tell) => (s.includes('.status.') ? undefined : tell(d)) },
    /tells what came of it/,
  ],
  [
    'says what fits no schema',
    { publish: (s, d, tell) => tell(s.includes('.status.') ? { ...(d as object), at: 'now' } : d) },
    /fits no schema/,
  ],
  [
    'forgets what it has done',
    {
      answer: async (verb, data, honest) =>
        verb === 'forget' && (data as { mode?: string }).mode === 'apply'
          ? { id: 'x', output: { removed: ++ids % 2 === 0, n: ids } }
          : honest(),
    },
    /first result/,
  ],
  [
    'heeds no epoch',
    {
      answer: async (verb, _d, honest) =>
        honest().catch((e) =>
          e instanceof SkerryError && e.code === 'stale-epoch' && verb === 'sync' ? { digest: '' } : Promise.reject(e),
        ),
    },
    /never goes back/,
  ],
  [
    'knows every verb',
    { answer: async (_v, _d, honest) => honest().catch((e) => (e.code === 'not-found' ? {} : Promise.reject(e))) },
    /no verbs that nobody/,
  ],
  [
    'refuses with the wrong code',
    { answer: async (_v, _d, honest) => honest().catch(() => Promise.reject(new SkerryError('internal', 'no'))) },
    /noun that it does not know/,
  ],
]

it.each(lies)(
  'finds an agent that %s',
  async (_what, lie, found) => {
    expect(failed(await outcomes(lie, { timeoutMs: 300 })).some((name) => found.test(name))).toBe(true)
  },
  60_000,
)
