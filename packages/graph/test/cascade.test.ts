import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CascadeEdge, Graph, planCascade } from '../src/index.ts'

const edges: CascadeEdge[] = [
  { table: 'cluster', via: 'zoneUuid', parent: 'zone', onDelete: 'cascade' },
  { table: 'host', via: 'clusterUuid', parent: 'cluster', onDelete: 'cascade' },
  { table: 'vm', via: 'hostUuid', parent: 'host', onDelete: 'stop' },
  { table: 'vm', via: 'zoneUuid', parent: 'zone', onDelete: 'cascade' },
  { table: 'store', via: 'zoneUuids', parent: 'zone', onDelete: 'detach', list: true },
  { table: 'lease', via: 'vmUuid', parent: 'vm', onDelete: 'restrict' },
]

function site(indexed: boolean) {
  const graph = new Graph(
    indexed
      ? { cluster: { indexes: ['zoneUuid'] }, vm: { indexes: ['hostUuid', 'zoneUuid'] }, store: { indexes: ['zoneUuids'] } }
      : {},
  )
  const rows: [string, string, Record<string, unknown>][] = [
    ['zone', 'z', {}],
    ['cluster', 'c', { zoneUuid: 'z' }],
    ['host', 'h', { clusterUuid: 'c' }],
    ['vm', 'v', { hostUuid: 'h', zoneUuid: 'z' }],
    ['vm', 'w', { hostUuid: 'h', zoneUuid: 'other' }],
    ['store', 's', { zoneUuids: ['z', 'y'] }],
  ]
  graph.apply({ ops: rows.map(([t, k, v]) => ({ o: 'put', t, k, v })) }, 1)
  return graph
}
const words = (plan: ReturnType<typeof planCascade>) => plan.order.map((step) => `${step.action} ${step.table} ${step.key}`)

describe('cascade plan', () => {
  it.each([true, false])('deletes children before parents and stops or detaches what stays (indexed: %s)', (indexed) => {
    const plan = planCascade(edges, site(indexed), { table: 'zone', key: 'z' })
    expect(words(plan)).toEqual([
      'stop vm w',
      'delete host h',
      'delete cluster c',
      'delete vm v',
      'detach store s',
      'delete zone z',
    ])
    expect(plan.refusals).toEqual([])
    expect(plan.order[0]).toMatchObject({ via: 'hostUuid', parent: { table: 'host', key: 'h' } })
  })

  it('deletes along with a row the one that it names, and with that what hangs on it', () => {
    const both: CascadeEdge[] = [
      { table: 'ip', via: 'rangeUuid', parent: 'range', onDelete: 'cascade' },
      { table: 'ip', via: 'nicUuid', parent: 'nic', onDelete: 'cascade' },
      { table: 'nic', via: 'nicUuid', parent: 'ip', onDelete: 'cascade', named: true },
      { table: 'mac', via: 'nicUuid', parent: 'nic', onDelete: 'cascade' },
    ]
    const graph = new Graph()
    const rows: [string, string, Record<string, unknown>][] = [
      ['range', 'r', {}],
      ['ip', 'i', { rangeUuid: 'r', nicUuid: 'n' }],
      ['ip', 'free', { rangeUuid: 'r', nicUuid: null }],
      ['ip', 'lost', { rangeUuid: 'r', nicUuid: 'never' }],
      ['nic', 'n', {}],
      ['nic', 'other', {}],
      ['mac', 'm', { nicUuid: 'n' }],
    ]
    graph.apply({ ops: rows.map(([t, k, v]) => ({ o: 'put', t, k, v })) }, 1)
    expect(words(planCascade(both, graph, { table: 'range', key: 'r' }))).toEqual([
      'delete ip free',
      'delete mac m',
      'delete nic n',
      'delete ip i',
      'delete ip lost',
      'delete range r',
    ])
  })

  it('names every row that forbids the deletion', () => {
    const graph = site(true)
    graph.apply({ ops: [{ o: 'put', t: 'lease', k: 'l', v: { vmUuid: 'v' } }] }, 2)
    expect(planCascade(edges, graph, { table: 'zone', key: 'z' }).refusals).toEqual([
      { table: 'lease', key: 'l', because: 'lease.vmUuid is vm v' },
    ])
  })

  it('lets a row that is deleted anyway forbid nothing', () => {
    const graph = site(true)
    graph.apply({ ops: [{ o: 'put', t: 'lease', k: 'l', v: { vmUuid: 'v', zoneUuid: 'z' } }] }, 2)
    const plan = planCascade([...edges, { table: 'lease', via: 'zoneUuid', parent: 'zone', onDelete: 'cascade' }], graph, {
      table: 'zone',
      key: 'z',
    })
    expect(plan.refusals).toEqual([])
  })

  it('is empty for a row that is not there', () => {
    expect(planCascade(edges, site(true), { table: 'zone', key: 'nowhere' })).toEqual({ order: [], refusals: [] })
  })

  it('walks a chain of 20,000 without recursion', () => {
    const graph = new Graph({ snapshot: { indexes: ['parentUuid'] } })
    graph.apply(
      {
        ops: Array.from({ length: 20_000 }, (_, i) => ({
          o: 'put' as const,
          t: 'snapshot',
          k: `${i}`,
          v: { parentUuid: i === 0 ? null : `${i - 1}` },
        })),
      },
      1,
    )
    const plan = planCascade([{ table: 'snapshot', via: 'parentUuid', parent: 'snapshot', onDelete: 'cascade' }], graph, {
      table: 'snapshot',
      key: '0',
    })
    expect([plan.order.length, plan.order[0]?.key, plan.order.at(-1)?.key]).toEqual([20_000, '19999', '0'])
  })

  it('on any graph, cycles included, names each row once, children first, and leaves no row that pointed at a deleted one unmentioned', () => {
    const node = fc.record({ t: fc.constantFrom('a', 'b', 'c'), up: fc.nat(11), other: fc.nat(11) })
    const edge = fc.record({
      table: fc.constantFrom('a', 'b', 'c'),
      via: fc.constantFrom('up', 'other'),
      parent: fc.constantFrom('a', 'b', 'c'),
      onDelete: fc.constantFrom('cascade', 'restrict', 'detach', 'stop'),
    }) as fc.Arbitrary<CascadeEdge>
    fc.assert(
      fc.property(
        fc.array(node, { minLength: 1, maxLength: 12 }),
        fc.uniqueArray(edge, { selector: (e) => `${e.table}${e.via}${e.parent}` }),
        (nodes, list) => {
          const graph = new Graph({ a: { indexes: ['up'] } })
          graph.apply(
            { ops: nodes.map((n, i) => ({ o: 'put', t: n.t, k: `${i}`, v: { up: `${n.up}`, other: `${n.other}` } })) },
            1,
          )
          const plan = planCascade(list, graph, { table: nodes[0]!.t, key: '0' })
          const deleted = plan.order.filter((step) => step.action === 'delete').map((step) => step.key)
          expect(new Set(deleted).size).toBe(deleted.length)
          expect(deleted.at(-1)).toBe('0')
          for (const [i, n] of nodes.entries()) {
            for (const e of list) {
              const parent = e.table === n.t ? `${n[e.via as 'up']}` : ''
              if (!deleted.includes(parent) || nodes[Number(parent)]?.t !== e.parent) continue
              const mine = plan.order.some(
                (s) => s.key === `${i}` && (s.action === 'delete' || (s.action === e.onDelete && s.parent?.key === parent)),
              )
              expect(mine || plan.refusals.some((r) => r.key === `${i}`)).toBe(true)
              if (e.onDelete === 'cascade') expect(deleted).toContain(`${i}`)
            }
          }
          for (const step of plan.order) if (step.action !== 'delete') expect(deleted).not.toContain(step.key)
        },
      ),
      { numRuns: 1000 },
    )
  })
})
