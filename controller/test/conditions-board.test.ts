/** The board at size, under churn, and towards those who listen. */
import { memoryBroker } from '@skerry/bus'
import type { Alarm, Op, Row, Status } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { expect, it } from 'vitest'
import { AgentBook } from '../src/agents/book.ts'
import { alarmsFrom, publishAlarms } from '../src/conditions/alarms.ts'
import { Board } from '../src/conditions/board.ts'
import { lostSecrets } from '../src/conditions/secrets.ts'
import type { SiteFacts } from '../src/conditions/site.ts'
import { startConditions } from '../src/conditions/start.ts'
import { tables } from '../src/engine/tables.ts'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { openSecrets } from '../src/store/index.ts'
import { conditionsWorld, desired, failure } from './conditions-world.ts'
import { seeded } from './store-world.ts'
import { base, id, makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

const healthy: SiteFacts = {
  store: { writable: true, durableSeq: 1, bytes: 1, historyBytes: 0, snapshotBytes: 0, damagedHistory: [], oldestSeq: 1 },
  recovery: { replayed: 0, ms: 0, tornBytes: 0, badSnapshots: [] },
  ...{ bus: 'connected', now: 0, upMs: 0, certificates: [], lostSecrets: [], background: undefined, clockJump: undefined },
}

/** Looks of each slice of the first round over so many VMs of which every tenth is unknown; a look takes 1/100 ms. */
function slices(vms: number): { looks: number[]; count: number } {
  const graph = new Graph(tables)
  const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v })
  const ops: Op[] = []
  for (let n = 0; n < vms; n++) {
    const k = n.toString(16).padStart(32, '0')
    ops.push(put('vmInstance', k, { ...base(k, `vm${n}`), state: n % 10 === 0 ? 'Unknown' : 'Running', hostUuid: u.host }))
  }
  graph.apply({ ops }, 1)
  const queue: (() => void)[] = []
  let now = 0
  const board = new Board({
    ...{ graph, book: new AgentBook(() => 0), site: () => healthy, now: () => 0, monotonic: () => (now += 0.01) },
    later: (fn) => void queue.push(fn),
    report: (error) => {
      throw error
    },
  })
  board.tick()
  const looks: number[] = []
  for (let run = queue.shift(); run; run = queue.shift()) {
    const before = now
    run()
    looks.push(Math.round((now - before) / 0.01))
  }
  expect(board.settled).toBe(true)
  return { looks, count: board.size }
}

it('many resources are looked at in slices of 4 ms', () => {
  const { looks, count } = slices(20_000)
  expect(count).toBe(2_000)
  expect(Math.max(...looks)).toBeLessThanOrEqual(402)
  expect(looks.reduce((sum, n) => sum + n)).toBeGreaterThan(20_000)
})

it('after any history the board is what a look at everything gives', async () => {
  const w = await conditionsWorld()
  const random = seeded(7)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const agents = [u.kvm, u.storage]
  const uuids = Array.from({ length: 6 }, (_, n) => id(`x${n}`))
  const states = ['Running', 'Unknown', 'Stopped', 'Destroyed']
  const conditions: Status['condition'][] = ['Ready', 'Working', 'Failed', 'Refused', 'Gone', 'Orphaned']
  const acts: (() => unknown)[] = [
    () => {
      const k = pick(uuids)
      const v = { ...base(k, k.slice(0, 4)), state: pick(states), stateCause: pick(['crash', 'guest', null]), hostUuid: u.host }
      return w.state.store.commit({ ops: [{ o: 'put', t: 'vmInstance', k, v }] }, { actor: 'test' })
    },
    () =>
      w.state.store.commit(
        { ops: [desired(pick(agents), pick(['vm', 'volume']), pick(uuids), random() < 0.4)] },
        { actor: 'test' },
      ),
    () => {
      const k = `${pick(agents)}/${pick(['vm', 'volume'])}/${pick(uuids)}`
      if (w.state.graph.get('desired', k))
        return w.state.store.commit({ ops: [{ o: 'del', t: 'desired', k }] }, { actor: 'test' })
    },
    () =>
      w.state.store.commit(
        { ops: [{ o: 'set', t: 'agent', k: pick(agents), v: { status: pick(['Connected', 'Disconnected']) } }] },
        { actor: 'test' },
      ),
    () => {
      const condition = pick(conditions)
      const error = condition === 'Failed' ? failure(pick(['volume-lost', 'host-command-failed']), 'x') : null
      w.status(pick(agents), pick(['vm', 'volume']), pick(uuids), { condition, error })
    },
  ]
  let seen = 0
  for (let n = 0; n < 600; n++) {
    await pick(acts)()
    // settle() throws when the two differ
    if (n % 3 === 0) w.settle()
    seen = Math.max(seen, w.board.size)
  }
  expect(seen).toBeGreaterThan(8)
})

it('what happens while NATS is away is published when it is back: of each condition the last change', async () => {
  const w = await conditionsWorld()
  const broker = memoryBroker()
  const bus = broker.connect()
  const heard: string[] = []
  broker.connect().subscribe('skerry.v1.alarm.>', (m) => void heard.push(`${m.subject} ${(m.data as Alarm).condition.message}`))
  const off = publishAlarms(w.board, bus)
  const pool = (free: number) => {
    w.status(u.storage, 'pool', u.ps, { observed: { totalBytes: 1000, availableBytes: free } })
    w.settle()
  }
  pool(50)
  await bus.flush()
  expect(heard).toEqual([expect.stringMatching(new RegExp(`^skerry.v1.alarm.storage-nearly-full.${u.ps}.raised .*ps`))])
  bus.disconnect()
  pool(5)
  pool(500)
  w.facts.bus = 'disconnected'
  w.settle()
  await bus.flush().catch(() => undefined)
  expect(heard).toHaveLength(1)
  bus.reconnect()
  await bus.flush()
  expect(heard.slice(1).map((line) => line.split(' ')[0])).toEqual([
    `skerry.v1.alarm.storage-full.${u.ps}.cleared`,
    `skerry.v1.alarm.storage-nearly-full.${u.ps}.cleared`,
    'skerry.v1.alarm.nats-away.-.raised',
  ])
  off()
})

it('a reader of the stream gets what holds, then each change, until it goes', async () => {
  const w = await conditionsWorld()
  w.facts.bus = 'disconnected'
  w.settle()
  const stop = new AbortController()
  const read = alarmsFrom(w.board, stop.signal, () => 1)[Symbol.asyncIterator]()
  expect((await read.next()).value).toMatchObject({ change: 'raised', condition: { code: 'nats-away' } })
  const next = read.next()
  w.facts.bus = 'connected'
  w.settle()
  expect((await next).value).toMatchObject({ change: 'cleared', condition: { code: 'nats-away' } })
  const last = read.next()
  stop.abort()
  expect((await last).done).toBe(true)
})

it('secrets that are gone or changed are named by the resource that needs them', async () => {
  const w = await makeWorld()
  await site(w)
  const disk = fakeDisk()
  const secrets = await openSecrets({ dir: '/s', disk, siteKey: Buffer.alloc(32, 1), random: (n) => Buffer.alloc(n, 7) })
  const [kept] = [await secrets.put('fine')]
  const refer = (t: string, k: string, $secret: string) => w.commit({ ops: [{ o: 'set', t, k, v: { password: { $secret } } }] })
  await refer('host', u.host, kept)
  expect(await lostSecrets(w.state.graph, secrets)).toEqual([])
  await refer('backupStorage', u.bs, 'f'.repeat(32))
  expect(await lostSecrets(w.state.graph, secrets)).toEqual([
    { noun: 'backup-storage', uuid: u.bs, name: 'bs', field: 'password', error: 'there is no such secret' },
  ])
  await secrets.shred(kept)
  expect((await lostSecrets(w.state.graph, secrets)).map((s) => s.uuid)).toEqual([u.host, u.bs])
})

it('a running controller counts what failed in the background, and not what has a condition of its own', async () => {
  const w = await makeWorld()
  const book = new AgentBook(() => 0)
  const conditions = startConditions({
    ...{ store: w.state.store, bus: memoryBroker().connect(), book, secrets: w.world.secrets as never, nodeUuid: u.zone },
    ...{ certificates: [], now: () => 1, monotonic: () => 1, every: () => () => undefined, later: (fn) => fn() },
    report: () => undefined,
  })
  const codes = () => {
    conditions.board.tick()
    return conditions.list().map((c) => `${c.code} ${c.message}`)
  }
  const { SkerryError } = await import('@skerry/contract')
  conditions.failed(new SkerryError('agent-unreachable', 'away'), { doing: 'comparing digests' })
  expect(codes()).toEqual([])
  conditions.failed(new Error('no route'), { doing: 'calling a webhook', job: 'j1' })
  conditions.failed(new Error('no route'), { doing: 'calling a webhook', job: 'j2' })
  expect(codes()).toEqual(['background-failure calling a webhook, job j2: no route'])
  const text = await conditions.metrics()
  expect(text).toContain('skerry_condition{code="background-failure",severity="warning"} 1')
  expect(text).toContain('skerry_condition{code="disk-full",severity="critical"} 0')
  expect(text).toMatch(/^skerry_nats_connected 1$/m)
  conditions.stop()
})
