/** Usage from commits, and what it costs: against a naive integral over random histories, and by hand where prices change. */
import { apis, type Commit, type Op, type Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { describe, expect, it } from 'vitest'
import { linesOf, type Price, totalOf } from '../src/billing/bill.ts'
import { metersOf } from '../src/billing/meters.ts'
import { spendingOf } from '../src/billing/spending.ts'
import { type Binding, Meterage, type Usage } from '../src/billing/usage.ts'
import { tables } from '../src/engine/tables.ts'
import { csvAnswer, csvOf } from '../src/http/csv.ts'
import { seeded } from './store-world.ts'

const HOUR = 3_600_000
const GIB = 1024 ** 3
const ANN = 'a'.repeat(32)
const BOB = 'b'.repeat(32)

const commitOf = (at: number, ops: Op[]): Commit => ({ id: 'c'.repeat(32), at, actor: 'x', guards: [], ops, facts: [] })
const set = (t: string, k: string, v: Row): Op => ({ o: 'set', t, k, v })
const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v: { uuid: k, name: k, ...v } })

/** Feeds a history into a graph and a fold. */
function folded(history: readonly Commit[], period: { from: number; to: number; account?: string }) {
  const graph = new Graph(tables)
  let seq = 0
  const past = history.filter(({ at }) => at <= period.from)
  for (const commit of past) graph.apply(commit, ++seq)
  const meterage = new Meterage(graph, period)
  for (const commit of history.slice(past.length)) {
    graph.apply(commit, ++seq)
    meterage.see(commit, graph)
  }
  return meterage.end()
}

const sums = (usages: readonly Usage[]) => {
  const all: Record<string, number> = {}
  for (const { item, accountUuid, quantity, from, to } of usages) {
    const key = `${accountUuid[0]} ${item}`
    all[key] = (all[key] ?? 0) + quantity * (to - from)
  }
  return all
}

describe('usage', () => {
  const vm = (owner: string, more: Row = {}) => ({ ownerUuid: owner, cpuNum: 2, memorySize: GIB, hostUuid: null, ...more })

  it('is what a guest has while it has a host, at the size that it has then', () => {
    const history = [
      commitOf(0, [put('vmInstance', 'v', vm(ANN))]),
      commitOf(1 * HOUR, [set('vmInstance', 'v', { hostUuid: 'h' })]),
      commitOf(2 * HOUR, [set('vmInstance', 'v', { name: 'renamed' })]),
      commitOf(3 * HOUR, [set('vmInstance', 'v', { cpuNum: 4 })]),
      commitOf(4 * HOUR, [set('vmInstance', 'v', { hostUuid: null })]),
    ]
    const { usages } = folded(history, { from: 0, to: 9 * HOUR })
    expect(usages.filter(({ item }) => item === 'cpu').map(({ from, to, quantity }) => [from, to, quantity])).toEqual([
      [1 * HOUR, 3 * HOUR, 2],
      [3 * HOUR, 4 * HOUR, 4],
    ])
    expect(sums(usages)).toEqual({ 'a cpu': 8 * HOUR, 'a memory': 3 * HOUR * GIB })
    expect(usages.at(-1)?.resourceName).toBe('renamed')
  })

  it('goes to the new owner from the moment at which a resource changes hands, with the snapshots that follow it', () => {
    const volume = { ownerUuid: ANN, status: 'Ready', type: 'Data', size: 10 }
    const history = [
      commitOf(0, [put('volume', 'd', volume), put('volumeSnapshot', 's', { volumeUuid: 'd', status: 'Ready', size: 1 })]),
      commitOf(1 * HOUR, [set('volume', 'd', { ownerUuid: BOB })]),
      commitOf(2 * HOUR, [set('volume', 'd', { status: 'Deleted' })]),
    ]
    const expected = {
      'a dataVolume': 10 * HOUR,
      'b dataVolume': 10 * HOUR,
      'a snapShot': HOUR,
      'b snapShot': HOUR,
    }
    expect(sums(folded(history, { from: 0, to: 9 * HOUR }).usages)).toEqual(expected)
    const ofBob = folded(history, { from: 0, to: 9 * HOUR, account: BOB }).usages
    expect(sums(ofBob)).toEqual({ 'b dataVolume': 10 * HOUR, 'b snapShot': HOUR })
  })

  it('counts addresses on public networks, for the owner of the VM, and only while the network is public', () => {
    const history = [
      commitOf(0, [
        put('vmInstance', 'v', vm(ANN)),
        put('vmNic', 'n', { vmInstanceUuid: 'v' }),
        put('l3Network', 'l', { category: 'Public' }),
        put('usedIp', 'l:1', { l3NetworkUuid: 'l', vmNicUuid: 'n' }),
        put('usedIp', 'l:2', { l3NetworkUuid: 'l', vmNicUuid: null }),
      ]),
      commitOf(2 * HOUR, [set('vmInstance', 'v', { ownerUuid: BOB })]),
      commitOf(3 * HOUR, [set('l3Network', 'l', { category: 'Private' })]),
    ]
    expect(sums(folded(history, { from: 0, to: 9 * HOUR }).usages)).toEqual({ 'a publicIp': 2 * HOUR, 'b publicIp': HOUR })
  })

  it('gives no time back where a clock was set back, and ends with the period', () => {
    const history = [
      commitOf(5 * HOUR, [put('vmInstance', 'v', vm(ANN, { hostUuid: 'h' }))]),
      commitOf(1 * HOUR, [set('vmInstance', 'v', { cpuNum: 3 })]),
    ]
    const { usages } = folded(history, { from: 0, to: 7 * HOUR })
    expect(usages.filter(({ item }) => item === 'cpu').map(({ from, to, quantity }) => [from, to, quantity])).toEqual([
      [5 * HOUR, 7 * HOUR, 3],
    ])
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is the sum of each moment over a random history (seed %i)', (seed) => {
    const random = seeded(seed)
    const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!
    const history: Commit[] = []
    const there = new Set<string>()
    let at = 0
    for (let n = 0; n < 200; n++) {
      at += Math.floor(random() * 50)
      const owner = { ownerUuid: pick([ANN, BOB]) }
      const row = pick([
        put('vmInstance', pick(['v', 'w']), { ...owner, cpuNum: pick([1, 2]), memorySize: 5, hostUuid: pick(['h', null]) }),
        put('volume', pick(['x', 'y']), {
          ...owner,
          status: pick(['Ready', 'Deleted']),
          type: pick(['Root', 'Data']),
          size: pick([3, 4]),
        }),
        put('volumeSnapshot', pick(['s', 't']), { volumeUuid: pick(['x', 'y']), status: pick(['Ready', 'Creating']), size: 7 }),
        put('vmNic', pick(['n', 'm']), { vmInstanceUuid: pick(['v', 'w']) }),
        put('l3Network', 'l', { category: pick(['Public', 'Private']) }),
        put('usedIp', pick(['l:1', 'l:2']), { l3NetworkUuid: 'l', vmNicUuid: pick(['n', 'm', null]) }),
      ])
      const name = `${row.t} ${row.k}`
      const gone = there.has(name) && random() < 0.4
      if (gone) there.delete(name)
      else there.add(name)
      history.push(commitOf(at, [gone ? { o: 'del', t: row.t, k: row.k } : row]))
    }
    const period = { from: 1_000, to: 4_000 }
    const naive: Record<string, number> = {}
    const graph = new Graph(tables)
    let seq = 0
    for (let moment = 0; moment < period.to; moment++) {
      while (history[seq] && history[seq]!.at <= moment) graph.apply(history[seq]!, ++seq)
      if (moment < period.from) continue
      for (const table of ['vmInstance', 'volume', 'volumeSnapshot', 'usedIp'])
        for (const [key] of graph.rows(table))
          for (const m of metersOf(graph, table, key)) {
            const name = `${m.accountUuid[0]} ${m.item}`
            naive[name] = (naive[name] ?? 0) + m.quantity
          }
    }
    expect(sums(folded(history, period).usages)).toEqual(naive)
  })

  it('knows which prices an account paid when', () => {
    const ref = (tableUuid: string) => put('accountPriceTableRef', ANN, { accountUuid: ANN, tableUuid })
    const history = [
      commitOf(1, [ref('t')]),
      commitOf(5, [ref('u')]),
      commitOf(7, [{ o: 'del', t: 'accountPriceTableRef', k: ANN }]),
    ]
    expect(folded(history, { from: 2, to: 9 }).bindings.map(({ tableUuid, from, to }) => [tableUuid, from, to])).toEqual([
      ['t', 2, 5],
      ['u', 5, 7],
    ])
  })
})

describe('a bill', () => {
  const usage = (more: Partial<Usage> = {}): Usage => ({
    ...{ item: 'memory', resourceUuid: 'v', resourceName: 'vm', accountUuid: ANN, quantity: 2 * GIB, from: 0, to: 10 * HOUR },
    ...more,
  })
  let made = 0
  const price = (more: Partial<Price> = {}): Price => ({
    ...{ uuid: String(++made), resourceName: 'memory', resourceUnit: 'g', timeUnit: 'h', price: 3, dateInLong: 0 },
    ...{ endDateInLong: null, tableUuid: null, createDate: 0, ...more },
  })
  const total = (prices: Price[], bindings: Binding[] = [], usages = [usage()]) => totalOf(linesOf(usages, prices, bindings))

  it('is quantity, time and price in their units', () => {
    expect(total([price()])).toBeCloseTo(60)
    expect(total([price({ resourceUnit: 'm', timeUnit: 'm' })])).toBeCloseTo(2 * 1024 * 600 * 3)
    expect(total([price({ resourceName: 'cpu', resourceUnit: null })], [], [usage({ item: 'cpu', quantity: 4 })])).toBeCloseTo(
      120,
    )
    expect(total([])).toBe(0)
  })

  it('has the newest price that holds, from its beginning to its end', () => {
    expect(total([price(), price({ price: 5, dateInLong: 4 * HOUR })])).toBeCloseTo(2 * (4 * 3 + 6 * 5))
    expect(total([price({ endDateInLong: 4 * HOUR })])).toBeCloseTo(2 * 4 * 3)
    const twice = [price({ createDate: 2, price: 7 }), price({ createDate: 1 })]
    expect(total(twice)).toBeCloseTo(140)
    const lines = linesOf([usage()], [price(), price({ price: 5, dateInLong: 4 * HOUR })], [])
    expect(lines.map(({ from, to, price: p }) => [from, to, p?.price])).toEqual([
      [0, 4 * HOUR, 3],
      [4 * HOUR, 10 * HOUR, 5],
    ])
  })

  it('has the table of the account while it had it, and where the table says nothing what holds for all', () => {
    const table = price({ price: 1, tableUuid: 't' })
    const bound: Binding[] = [{ accountUuid: ANN, tableUuid: 't', from: 2 * HOUR, to: 5 * HOUR }]
    expect(total([price(), table], bound)).toBeCloseTo(2 * (7 * 3 + 3 * 1))
    expect(total([price()], bound)).toBeCloseTo(60)
    expect(total([table], [])).toBe(0)
  })

  it('is not cut where nothing of it changes', () => {
    const others = [price({ resourceName: 'dataVolume', dateInLong: 3 * HOUR })]
    expect(linesOf([usage()], [price(), ...others], [])).toHaveLength(1)
  })

  it('stands in ZStack’s form by kind and resource, and simply by kind', () => {
    const lines = linesOf(
      [usage(), usage({ item: 'cpu', quantity: 1 }), usage({ item: 'dataVolume', resourceUuid: 'd', resourceName: 'disk' })],
      [price(), price({ resourceName: 'dataVolume', price: 1 })],
      [],
    )
    const period = { from: 0, to: 10 * HOUR }
    const [vms, volumes] = spendingOf(lines, { ...period, simple: false })
    expect(vms).toMatchObject({ spendingType: 'VM', spending: expect.closeTo(60), dateStart: 0, dateEnd: 10 * HOUR })
    expect(vms!['details']).toMatchObject([
      {
        ...{ resourceUuid: 'v', type: 'VM', hypervisorType: 'KVM' },
        cpuInventory: [{ startTime: 0, endTime: 10 * HOUR, spending: 0 }],
        memoryInventory: [{ memorySize: 2 * GIB }],
      },
    ])
    expect(volumes).toMatchObject({ spendingType: 'dataVolume', details: [{ sizeInventory: [{ volumeSize: 2 * GIB }] }] })
    expect(spendingOf(lines, { ...period, simple: true })[0]).not.toHaveProperty('details')
  })
})

describe('CSV', () => {
  it('quotes what needs it, and lets no name be a formula', () => {
    const rows = [
      { name: 'a,"b"', n: 1.5 },
      { name: '=cmd()', n: null },
      { name: 'x\r\ny', n: -2 },
    ]
    expect(csvOf(['name', 'n'], rows)).toBe(`name,n\r\n"a,""b""",1.5\r\n'=cmd(),\r\n"x\r\ny",-2\r\n`)
  })

  it('is answered to who asks for it, of an answer with one list', async () => {
    const asking = new Request('http://x/', { headers: { accept: 'text/csv' } })
    const [bill, zones] = ['GetAccountBill', 'QueryZone'].map((name) => apis.find(({ api }) => api.api === name)!.api)
    const lines = [{ item: 'cpu' }, { item: 'memory', amount: 2 }]
    expect(await csvAnswer(asking, bill!, { total: 1, lines })?.text()).toBe(
      [
        'item,resourceUuid,resourceName,from,to,quantity,price,resourceUnit,timeUnit,amount',
        'cpu,,,,,,,,,',
        'memory,,,,,,,,,2',
        '',
      ].join('\r\n'),
    )
    expect(csvAnswer(asking, bill!, { total: 1 })).toBeUndefined()
    expect(csvAnswer(asking, zones!, { inventories: [] })).toBeUndefined()
    expect(csvAnswer(new Request('http://x/'), bill!, { lines })).toBeUndefined()
    for (const [name, answer] of [
      ['ZQLQuery', { results: [{ inventories: [] }] }],
      ['GetVolumeFormat', { formats: [] }],
      ['GetHypervisorTypes', { hypervisorTypes: ['KVM'] }],
    ] as const)
      expect(() => csvAnswer(asking, apis.find(({ api }) => api.api === name)!.api, answer), name).not.toThrow()
  })
})
