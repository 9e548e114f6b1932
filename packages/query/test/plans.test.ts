import type { Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { describe, expect, it } from 'vitest'
import { type ParsedParams, parseQuery, parseZql, runQuery, runQuerySliced, runZql } from '../src/index.ts'
import { ask, failure, site, targets } from './vms.ts'

describe('plans', () => {
  const many = Array.from({ length: 2000 }, (_, i) => ({
    uuid: `m${i}`,
    name: `vm-${i}`,
    state: i % 2 ? 'Running' : 'Stopped',
    hostUuid: i % 3 ? 'h1' : 'h2',
    cpuNum: i,
  }))
  const graph = site([
    ['vm', many],
    ['nic', many.map((vm, i) => ({ uuid: `mn${i}`, vmInstanceUuid: vm.uuid, l3NetworkUuid: i === 77 ? 'l1' : 'l2' }))],
  ])
  const explain = (q: string[], table = 'vm') => ask({ q }, table, graph).explain

  it('use the narrowest index', () => {
    expect(explain(['state=Running', 'name=vm-5', 'hostUuid=h1'])).toMatchObject({
      access: 'index',
      condition: 'name=vm-5',
      examined: 1,
      scans: {},
    })
    expect(explain(['state=Running', 'uuid=m5'])).toMatchObject({ access: 'key', examined: 1, scans: {} })
  })

  it('resolve a chain of relations from its far end', () => {
    expect(explain(['vmNics.l3Network.name=blue', 'state=Running'])).toMatchObject({
      access: 'relation',
      condition: 'vmNics.l3Network.name=blue',
      scans: {},
    })
    expect(explain(['vms.name=vm-7'], 'host')).toMatchObject({ scans: {} })
    expect(explain(['vms.name=vm-7'], 'host').examined).toBeLessThanOrEqual(2)
  })

  it('walk a chain from the near end when that is the small side', () => {
    expect(explain(['uuid=m7', 'vmNics.l3Network.name=red'])).toMatchObject({
      access: 'key',
      examined: 1,
      scans: {},
      filters: [{ by: 'row' }],
    })
  })

  it('find tags by their index, and what has none of them row by row, or by the few that do', () => {
    expect(explain(['__userTag__=gold'])).toMatchObject({ access: 'relation', examined: 1, scans: {} })
    expect(explain(['name=vm-5', '__userTag__!=gold'])).toMatchObject({ access: 'index', examined: 1, scans: {} })
    const all = explain(['__userTag__!=gold'])
    expect(all).toMatchObject({ access: 'scan', scans: { vm: 2003 }, filters: [{ by: 'set' }] })
  })

  it('say which tables had to be scanned', () => {
    expect(explain(['cpuNum>1999'])).toMatchObject({ access: 'scan', scans: { vm: 2003 } })
    expect(explain(['name=vm-5', 'cpuNum>1']).scans).toEqual({})
  })
})

it('a sliced scan lets other work run and finds the same', async () => {
  const graph = site([['vm', Array.from({ length: 20_000 }, (_, i) => ({ uuid: `m${i}`, name: 'n', description: `d${i}` }))]])
  const query = parseQuery({ q: ['description~=%99%'], replyWithCount: true }, targets.vm!, targets)
  let pauses = 0
  let now = 0
  const sliced = await runQuerySliced(graph, query, { sliceMs: 5, now: () => now++, pause: async () => void pauses++ })
  expect(pauses).toBeGreaterThan(5)
  expect(sliced.total).toBe(runQuery(graph, query).total)
})

it('goes to and fro over relations without taking every way anew', () => {
  const vms = Array.from({ length: 200 }, (_, i) => ({ uuid: `m${i}`, name: 'n', hostUuid: i % 2 ? 'h1' : 'h2' }))
  const chain = `${'vms.host.'.repeat(3)}name=host-2`
  const { keys, explain } = ask({ q: ['uuid=h1', chain] }, 'host', site([['vm', vms]]))
  expect([keys, explain.filters]).toEqual([[], [{ condition: chain, by: 'row' }]])
  expect(explain.looked['vm']).toBeLessThan(3 * 101 + 300)
  expect(failure({ q: [`${'host.vms.'.repeat(17)}name=x`] }).message).toContain('at most 32 relations')
})

describe('a page of a table without conditions', () => {
  const page = (graph: Graph, q: string[] = []) => {
    const { keys, explain } = runQuery(graph, parseQuery({ q, limit: '2' }, targets.vm!, targets))
    return { keys, examined: explain.examined }
  }
  const empty = () => new Graph({ vm: { indexes: [] } })
  const put = (graph: Graph, rows: Row[]) =>
    rows.forEach((v, i) => void graph.apply({ ops: [{ o: 'put', t: 'vm', k: v['uuid'] as string, v }] }, i + 1))

  it('looks at no more rows than those of the page and of its last instant', () => {
    const graph = empty()
    put(
      graph,
      [1, 2, 2, 2, 3, 4, 5, 6].map((createDate, i) => ({ uuid: `p${9 - i}`, createDate })),
    )
    expect(page(graph)).toEqual({ keys: ['p9', 'p6'], examined: 4 })
  })

  it('looks at no more rows of a table of which an index has most, and finds the same', () => {
    const graph = new Graph({ vm: { indexes: ['state'] } })
    put(
      graph,
      Array.from({ length: 400 }, (_, i) => ({ uuid: `p${999 - i}`, createDate: i >> 1, state: i % 4 ? 'Running' : 'Stopped' })),
    )
    const running = (params: Partial<ParsedParams>) => ask({ q: ['state=Running'], ...params }, 'vm', graph)
    const { keys, explain } = running({ limit: 20 })
    expect(explain).toMatchObject({ access: 'order', condition: 'state=Running', scans: {} })
    expect(explain.examined).toBeLessThan(30)
    const all = running({ replyWithCount: true })
    expect([all.explain.access, all.total, all.keys.slice(0, 20)]).toEqual(['index', 300, keys])
    expect(running({ limit: 200 }).explain.access).toBe('index')
    expect(running({ limit: 20, sort: '-createDate' }).explain.access).toBe('index')
    expect(ask({ q: ['state=Stopped', 'name=x'], limit: 20 }, 'vm', graph).explain.access).toBe('index')
  })

  it('comes by the values of an index where it sorts by one, and finds the same', () => {
    const graph = new Graph({ vm: { indexes: ['state', 'name'] } })
    const states = ['Running', 'Stopped', null, 'Paused']
    const rows = Array.from({ length: 400 }, (_, i) => ({
      uuid: `p${999 - i}`,
      createDate: i >> 1,
      name: `vm-${(i * 7) % 400}`,
      ...(states[i % 4] ? { state: states[i % 4] } : {}),
      cpuNum: i % 3,
    }))
    put(graph, rows)
    for (const sort of ['name', '-name', 'state', '-state'])
      for (const [limit, start] of [
        [3, 0],
        [10, 5],
        [150, 90],
      ] as const) {
        const asked = (q: string[]) => ask({ q, sort, limit, start }, 'vm', graph)
        const { keys, explain } = asked([])
        expect(explain).toMatchObject({
          access: 'order',
          plan: { children: [{ step: 'order', of: `vm.${sort.replace('-', '')}` }, {}] },
        })
        // The whole bucket of the last one is looked at, because among its rows createDate and key decide.
        expect(explain.examined).toBeLessThanOrEqual(sort.endsWith('name') ? limit + start : 400)
        expect(keys).toEqual(asked(['cpuNum>=0']).keys)
      }
    expect(ask({ sort: 'cpuNum', limit: 3 }, 'vm', graph).explain.access).toBe('scan')
    expect(ask({ sort: 'name', limit: 3, replyWithCount: true }, 'vm', graph)).toMatchObject({
      total: 400,
      explain: { access: 'scan' },
    })
    const zql = (text: string) => runZql(graph, parseZql(text, { targets, entities: new Map([['vm', 'vm']]) }))[0]!
    expect(zql('query vm order by state desc, name limit 7').rows!.keys).toEqual(
      zql('query vm where cpuNum >= 0 order by state desc, name limit 7').rows!.keys,
    )
    expect(zql('query vm order by state desc, name limit 7').explain!.access).toBe('order')
  })

  it('in the order of an index gives a row once that moves meanwhile', async () => {
    const graph = new Graph({ vm: { indexes: ['state'] } })
    put(
      graph,
      Array.from({ length: 2000 }, (_, i) => ({ uuid: `p${i}`, createDate: i, state: i < 1000 ? 'a' : 'b' })),
    )
    let paused = 0
    const pause = async () => {
      if (paused++ === 4) graph.apply({ ops: [{ o: 'set', t: 'vm', k: 'p0', v: { state: 'b' } }] }, 9999)
    }
    const query = parseQuery({ q: [], sort: 'state', limit: 1500 }, targets['vm']!, targets)
    const { keys } = await runQuerySliced(graph, query, { sliceMs: 0, now: () => 0, pause })
    expect(paused).toBeGreaterThan(4)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('by createDate looks no further than its page', () => {
    const graph = empty()
    put(
      graph,
      Array.from({ length: 50 }, (_, i) => ({ uuid: `p${99 - i}`, createDate: i })),
    )
    expect(ask({ sort: 'createDate', limit: 5 }, 'vm', graph)).toMatchObject({
      keys: ['p99', 'p98', 'p97', 'p96', 'p95'],
      explain: { examined: 5 },
    })
  })

  it('looks at all of them where a clock was set back', () => {
    const graph = empty()
    put(
      graph,
      [5, 6, 7, 1].map((createDate, i) => ({ uuid: `p${9 - i}`, createDate })),
    )
    expect(page(graph)).toEqual({ keys: ['p6', 'p9'], examined: 4 })
  })
})
