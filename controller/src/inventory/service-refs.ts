/**
 * Which provider serves what in a network, as a table to ask. Networks say it themselves, so a second record could only differ from
 * that: rows are made when they are read.
 */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

const TABLE = 'networkServiceL3NetworkRef'

const refsOf = (l3: Readonly<Row>): [string, Row][] =>
  (l3['networkServices'] as Row[]).map((ref) => {
    const uuid = [l3['uuid'], ref['networkServiceProviderUuid'], ref['networkServiceType']].join(':')
    return [uuid, { ...ref, uuid, name: uuid, createDate: l3['createDate'], lastOpDate: l3['lastOpDate'] }]
  })

/** `graph` with that table. Nothing is copied. */
export function withServiceRefs(graph: Graph): Graph {
  const networkOf = (key: unknown): Readonly<Row> | undefined => graph.get('l3Network', String(key).split(':')[0]!)
  function* all(): IterableIterator<[string, Row]> {
    for (const [, l3] of graph.rows('l3Network')) yield* refsOf(l3)
  }
  const keysBy = (field: string, value: unknown): string[] =>
    [...(field === 'l3NetworkUuid' ? refsOf(networkOf(value) ?? { networkServices: [] }) : all())]
      .filter(([, row]) => row[field] === value)
      .map(([key]) => key)
  const whole: Graph = Object.create(graph)
  return Object.assign(whole, {
    get(t: string, k: string): Readonly<Row> | undefined {
      if (t !== TABLE) return graph.get(t, k)
      const l3 = networkOf(k)
      return l3 && refsOf(l3).find(([key]) => key === k)?.[1]
    },
    version: (t: string, k: string) => (t === TABLE ? graph.version('l3Network', String(k).split(':')[0]!) : graph.version(t, k)),
    by: (t: string, field: string, value: unknown) => (t === TABLE ? keysBy(field, value) : graph.by(t, field, value)),
    countBy: (t: string, field: string, value: unknown) =>
      t === TABLE ? keysBy(field, value).length : graph.countBy(t, field, value),
    values: (t: string, field: string) => (t === TABLE ? undefined : graph.values(t, field)),
    inOrder: (t: string) => (t === TABLE ? false : graph.inOrder(t)),
    rows: (t: string): IterableIterator<[string, Readonly<Row>]> => (t === TABLE ? all() : graph.rows(t)),
    count: (t: string) => (t === TABLE ? [...all()].length : graph.count(t)),
  } satisfies Partial<Graph>)
}
