import type { Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { describe, expect, it } from 'vitest'
import { type ParsedParams, parseQuery, type QueryTargets, runQuery, runQuerySliced } from '../src/index.ts'

const targets: QueryTargets = {
  vm: {
    table: 'vm',
    fields: {
      uuid: 'string',
      name: 'string',
      state: 'string',
      cpuNum: 'number',
      ha: 'boolean',
      createDate: 'time',
      tags: 'list',
      hostUuid: 'string',
      description: 'string',
    },
    relations: {
      host: { target: 'host', via: { field: 'hostUuid' }, many: false },
      vmNics: { target: 'nic', via: { reverse: 'vmInstanceUuid' }, many: true },
      systemTags: { target: 'systemTag', via: { reverse: 'resourceUuid' }, many: true },
    },
    aliases: { __systemTag__: 'systemTags.tag' },
  },
  host: {
    table: 'host',
    fields: { uuid: 'string', name: 'string' },
    relations: { vms: { target: 'vm', via: { reverse: 'hostUuid' }, many: true } },
  },
  nic: {
    table: 'nic',
    fields: { uuid: 'string', ip: 'string' },
    relations: { l3Network: { target: 'l3', via: { field: 'l3NetworkUuid' }, many: false } },
  },
  l3: { table: 'l3', fields: { uuid: 'string', name: 'string' }, relations: {} },
  systemTag: { table: 'systemTag', fields: { uuid: 'string', tag: 'string' }, relations: {} },
}

function site(extra: [string, Row[]][] = []) {
  const graph = new Graph({
    vm: { indexes: ['name', 'state', 'hostUuid'] },
    host: { indexes: ['name'] },
    nic: { indexes: ['vmInstanceUuid', 'l3NetworkUuid'] },
    l3: { indexes: ['name'] },
    systemTag: { indexes: ['resourceUuid', 'tag'] },
  })
  const tables: [string, Row[]][] = [
    [
      'host',
      [
        { uuid: 'h1', name: 'host-1' },
        { uuid: 'h2', name: 'host-2' },
      ],
    ],
    [
      'l3',
      [
        { uuid: 'l1', name: 'blue' },
        { uuid: 'l2', name: 'red' },
      ],
    ],
    [
      'vm',
      [
        { uuid: 'a', name: 'web', state: 'Running', cpuNum: 1, ha: true, createDate: 3000, tags: ['x', 'y'], hostUuid: 'h1' },
        {
          uuid: 'b',
          name: 'Web_2',
          state: 'Running',
          cpuNum: 2,
          ha: false,
          createDate: 2000,
          tags: [],
          hostUuid: 'h2',
          description: ' spaced ',
        },
        { uuid: 'c', name: 'db', state: 'Stopped', cpuNum: 10, createDate: 1000, tags: ['y'], hostUuid: null },
      ],
    ],
    [
      'nic',
      [
        { uuid: 'n1', vmInstanceUuid: 'a', l3NetworkUuid: 'l1', ip: '10.0.0.2' },
        { uuid: 'n2', vmInstanceUuid: 'b', l3NetworkUuid: 'l2', ip: '10.0.0.3' },
        { uuid: 'n3', vmInstanceUuid: 'a', l3NetworkUuid: 'l2', ip: '10.0.0.4' },
      ],
    ],
    ['systemTag', [{ uuid: 't1', resourceUuid: 'c', tag: 'name::db' }]],
    ...extra,
  ]
  graph.apply(
    { ops: tables.flatMap(([t, rows]) => rows.map((v) => ({ o: 'put' as const, t, k: v.uuid as string, v: { ...v } }))) },
    1,
  )
  return graph
}

const ask = (params: Partial<ParsedParams>, table = 'vm', graph = site()) =>
  runQuery(graph, parseQuery({ q: [], ...params }, targets[table]!, targets), {})
const found = (...q: string[]) => ask({ q }).keys.sort().join('')
const failure = (params: Partial<ParsedParams>) => {
  try {
    ask(params)
  } catch (thrown) {
    return thrown as { code: string; message: string; details: Record<string, unknown> }
  }
  throw new Error('no error')
}

describe('conditions', () => {
  it.each([
    ['state=Running', 'ab'],
    ['state!=Running', 'c'],
    ['cpuNum>1', 'bc'],
    ['cpuNum<10', 'ab'],
    ['cpuNum>=2', 'bc'],
    ['cpuNum<=2', 'ab'],
    ['name?=web,db', 'ac'],
    ['name!?=web,db', 'b'],
    ['name~=WEB%', 'ab'],
    ['name~=___', 'a'],
    ['name~=web\\_2', 'b'],
    ['name!~=web%', 'c'],
    ['hostUuid is null', 'c'],
    ['hostUuid not null', 'ab'],
    ['uuid?=a,zz,c', 'ac'],
    ['ha=true', 'a'],
    ['ha!=true', 'b'],
    ['tags=y', 'ac'],
    ['tags is null', 'b'],
    ['createDate>=1970-01-01T00:00:02', 'ab'],
    ['createDate=Jan 1, 1970 12:00:03 AM', 'a'],
    ['description= spaced ', 'b'],
    ['description=spaced', ''],
    ['host.name=host-2', 'b'],
    ['vmNics.ip=10.0.0.4', 'a'],
    ['vmNics.l3Network.name=red', 'ab'],
    ['vmNics.l3Network.name!=red', 'a'],
    ['__systemTag__=name::db', 'c'],
    ['__systemTag__~=name::%', 'c'],
  ])('%s', (q, expected) => expect(found(q)).toBe(expected))

  it('are all to hold', () => expect(found('state=Running', 'vmNics.l3Network.name=red', 'cpuNum>1')).toBe('b'))

  it('take the first operator of the list that the text contains, as ZStack does', () => {
    expect(found('name=a>b')).toBe('')
    expect(failure({ q: ['name=a!=b'] })).toMatchObject({ code: 'invalid-argument', details: { field: 'name=a' } })
    expect(found('name~=%is null%')).toBe('')
  })

  it('without an operator are malformed', () => {
    expect(failure({ q: ['name'] })).toMatchObject({ code: 'malformed-request' })
  })

  it('on an unknown field name the closest one', () => {
    expect(failure({ q: ['cpuNun=1'] })).toMatchObject({ code: 'invalid-argument', details: { closest: 'cpuNum' } })
    expect(failure({ q: ['vmNics.l3Netwrk.name=x'] })).toMatchObject({ details: { closest: 'l3Network', table: 'nic' } })
    expect(failure({ q: ['vmNics=1'] }).message).toContain('vmNics is a relation')
    expect(failure({ q: ['constructor=1'] }).code).toBe('invalid-argument')
    expect(failure({ sort: '+nome' })).toMatchObject({ details: { closest: 'name' } })
    expect(failure({ fields: 'uuid,nme' })).toMatchObject({ details: { closest: 'name' } })
  })

  it('refuse values of the wrong type', () => {
    for (const q of ['cpuNum=many', 'cpuNum=', 'ha=perhaps', 'createDate>tomorrow'])
      expect(failure({ q: [q] }).code, q).toBe('invalid-argument')
    expect(failure({ limit: -1 }).code).toBe('invalid-argument')
    expect(failure({ start: 'x' }).code).toBe('invalid-argument')
  })

  it('cannot be made to take exponential time', () => {
    const graph = site([['vm', [{ uuid: 'long', name: `${'a'.repeat(2000)}!` }]]])
    const began = performance.now()
    ask({ q: [`name~=${'%_a'.repeat(40)}b`] }, 'vm', graph)
    expect(performance.now() - began).toBeLessThan(500)
  })
})

describe('answers', () => {
  it('are sorted by createDate and uuid, or by a field with either sign, a space being a decoded plus', () => {
    expect(ask({}).keys).toEqual(['c', 'b', 'a'])
    expect(ask({ sort: '+cpuNum' }).keys).toEqual(['a', 'b', 'c'])
    expect(ask({ sort: ' cpuNum' }).keys).toEqual(['a', 'b', 'c'])
    expect(ask({ sort: 'cpuNum' }).keys).toEqual(['a', 'b', 'c'])
    expect(ask({ sort: '-cpuNum' }).keys).toEqual(['c', 'b', 'a'])
    expect(ask({ sort: '+hostUuid' }).keys, 'null first').toEqual(['c', 'a', 'b'])
  })

  it('are cut by start and limit, and count all', () => {
    const page = ask({ start: '1', limit: '1', replyWithCount: 'true' })
    expect([page.keys, page.total]).toEqual([['b'], 3])
    const count = ask({ count: true, q: ['state=Running'] })
    expect([count.rows, count.total]).toEqual([[], 2])
    expect(ask({ limit: 0 }).rows).toEqual([])
    expect(ask({}).total).toBeUndefined()
  })

  it('hold at most 1000 rows unless asked for more', () => {
    const many = Array.from({ length: 1500 }, (_, i) => ({
      uuid: `m${String(i).padStart(4, '0')}`,
      createDate: 10_000 + ((i * 7) % 1500),
    }))
    const graph = site([['vm', many]])
    const { rows } = ask({}, 'vm', graph)
    expect(rows).toHaveLength(1000)
    expect(rows.map((row) => row.createDate)).toEqual([1000, 2000, 3000, ...Array.from({ length: 997 }, (_, i) => 10_000 + i)])
    expect(ask({ limit: 5000 }, 'vm', graph).rows).toHaveLength(1503)
  })

  it('hold only the fields asked for, and one row a group', () => {
    expect(ask({ fields: 'uuid,name,vmNics', q: ['uuid=a'] }).rows).toEqual([{ uuid: 'a', name: 'web' }])
    const groups = ask({ groupBy: 'state', replyWithCount: true })
    expect([groups.keys, groups.total]).toEqual([['c', 'b'], 2])
  })

  it('hide what the caller may not see, from the count too', () => {
    const query = parseQuery({ q: [], replyWithCount: true }, targets.vm!, targets)
    expect(runQuery(site(), query, { visible: (row) => row.hostUuid === 'h1' })).toMatchObject({ keys: ['a'], total: 1 })
  })
})

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

  it('looks at all of them where a clock was set back', () => {
    const graph = empty()
    put(
      graph,
      [5, 6, 7, 1].map((createDate, i) => ({ uuid: `p${9 - i}`, createDate })),
    )
    expect(page(graph)).toEqual({ keys: ['p6', 'p9'], examined: 4 })
  })
})
