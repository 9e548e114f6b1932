import { describe, expect, it } from 'vitest'
import { parseZql, runZql, runZqlSliced } from '../src/index.ts'
import { entities, names, site, targets, zql, zqlFailure, zqlKeys } from './vms.ts'

describe('query', () => {
  it.each([
    ['query vm', 'cba'],
    ['QUERY VM WHERE name = "web"', 'a'],
    ["query vm where state = 'Running' and cpuNum >= 2", 'b'],
    ["query vm where name = 'web' or cpuNum > 5", 'ca'],
    ["query vm where name = 'db' or name = 'web' and cpuNum = 10", 'c'],
    ["query vm where (name = 'db' or name = 'web') and cpuNum = 10", 'c'],
    ["query vm where ((name = 'db') or (name = 'web')) and state = 'Running'", 'a'],
    ['query vm where hostUuid is null', 'c'],
    ['query vm where hostUuid is not null', 'ba'],
    ['query vm where hostUuid not null', 'ba'],
    ["query vm where name in ('web', 'db')", 'ca'],
    ["query vm where name in list('web', 'db')", 'ca'],
    ["query vm where name in 'web'", 'a'],
    ["query vm where name not in ('web', 'db')", 'b'],
    ["query vm where name like 'web%'", 'ba'],
    ["query vm where name not like 'web%'", 'c'],
    ['query vm where ha = true', 'a'],
    ["query vm where ha = 'true'", 'a'],
    ['query vm where cpuNum != 1', 'cb'],
    ["query vm where vmNics.l3Network.name = 'red'", 'ba'],
    ["query vm where tags has ('x', 'y')", 'a'],
    ["query vm where tags not has ('x', 'y')", 'cb'],
    ["query vm where __userTag__ has ('name::db', 'gold')", 'a'],
    ["query vm where __userTag__ not has ('gold')", 'cb'],
    ["query vm where vmNics.ip not has ('10.0.0.4')", 'cb'],
    ["query vm where __systemTag__ is null or __userTag__ = 'gold'", 'ba'],
    ["query vm where hostUuid in (query host.uuid where name = 'host-2')", 'b'],
    ["query vm where hostUuid not in (query host.uuid where name = 'host-2')", 'a'],
    ["query vm where uuid in (query host.vms.uuid where name = 'host-1')", 'a'],
    ['query vm where hostUuid in (query vm.hostUuid)', 'ba'],
    ["query vm where hostUuid in (query host.uuid where vms.vmNics.ip in (query nic.ip where ip like '%.3')) or ha = true", 'ba'],
    ["query vm where name = 'x' or hostUuid in (query host.uuid where uuid in (query vm.hostUuid where cpuNum = 1))", 'a'],
    ['query vm order by cpuNum', 'abc'],
    ['query vm order by state desc, cpuNum desc', 'cba'],
    ['query vm order by cpuNum asc limit 1 offset 1', 'b'],
    ['query vm limit 2', 'cb'],
    ["query vm restrict by (host.name = 'host-1')", 'a'],
    ["query vm where cpuNum > 0 restrict by (host.name like 'host%', nic.ip = '10.0.0.3')", 'b'],
    ["query vm restrict by (l3.name = 'blue')", 'a'],
    ["query vm restrict by (vm.name = 'db')", 'c'],
    ["query vm restrict by (__userTag__ != 'gold', state != 'Stopped')", 'b'],
    ['query vm filter by host{h1}', 'a'],
    ["query vm filter by host{'h1','h2'}, nic{n2}", 'b'],
    ["query vm where name = 'it''s'", ''],
    ["query vm where name in ('''', 'web')", 'a'],
    ["query vm where name = 'web''", undefined],
    ['query vm where name = "it\'s"', ''],
  ])('%s', (text, expected) => {
    if (expected === undefined) expect(zqlFailure(text).code).toBe('malformed-request')
    else expect(zqlKeys(text)).toBe(expected)
  })

  it('gives the fields asked for, and total and paths beside the rows', () => {
    expect(zql('query vm.uuid,name where cpuNum < 5 return with (total, vmNics.ip) limit 1')[0]).toMatchObject({
      noun: 'vm',
      rows: { keys: ['b'], fields: ['uuid', 'name'] },
      total: 2,
      returnWith: { 'vmNics.ip': { b: ['10.0.0.3'] } },
    })
  })

  it('takes rows together by fields, of which alone it tells', () => {
    const [grouped] = zql('query vm return with (total) group by state order by state')
    expect(grouped).toMatchObject({ partial: [{ state: 'Running' }, { state: 'Stopped' }], total: 3 })
    expect(zql('query distinct(vm.state)')[0]?.partial).toEqual([{ state: 'Stopped' }, { state: 'Running' }])
    expect(zql('query vm.name group by state,ha')[0]?.partial).toHaveLength(3)
  })

  it('computes the largest, least and mean, null of nothing being left out', () => {
    expect(zql('query max(vm.cpuNum)')[0]?.aggregates).toEqual([[{ cpuNum: 10 }, 10]])
    expect(zql("query min(vm.name) where state = 'Running'")[0]?.aggregates).toEqual([[{ name: 'Web_2' }, 'Web_2']])
    expect(zql('query avg(vm.cpuNum) group by state order by state limit 1')[0]?.aggregates).toEqual([
      [{ state: 'Running', cpuNum: 1.5 }, 1.5],
    ])
    expect(zql('query min(vm.hostUuid)')[0]?.aggregates, 'one VM has no host').toEqual([[{ hostUuid: 'h1' }, 'h1']])
    expect(zql("query max(vm.cpuNum) where name = 'none'")[0]?.aggregates).toEqual([])
  })
})

describe('count, sum and search', () => {
  it('count all, and each group', () => {
    expect(zql("count vm where state = 'Running' limit 1")[0]).toMatchObject({ total: 2 })
    const [groups] = zql('count vm group by state order by groupCount desc')
    expect(groups).toMatchObject({ counts: [[{ state: 'Running' }, 2], [{ state: 'Stopped' }, 1]], total: 3 }) // biome-ignore format: one line
    const none = zql("count vm where name = 'none' group by state")[0]
    expect([none?.counts, none?.total]).toEqual([undefined, 0])
    expect(zql('count distinct(vm.state)')[0]?.total).toBe(2)
  })

  it('sum fields by a field, in order of it or of a sum', () => {
    expect(zql('sum vm.cpuNum by state order by state')[0]?.sums).toEqual([['Running', 3], ['Stopped', 10]]) // biome-ignore format: one line
    expect(zql('sum vm.cpuNum by state order by cpuNum desc limit 1')[0]?.sums).toEqual([['Stopped', 10]])
    expect(zql('sum vm.cpuNum by hostUuid where hostUuid is null')[0]?.sums).toEqual([[null, 10]])
  })

  it('search looks for a word in names and descriptions', () => {
    expect(zql("search 'WEB' from vm,host return with (total) limit 5")[0]).toMatchObject({
      found: [
        { uuid: 'b', noun: 'vm' },
        { uuid: 'a', noun: 'vm' },
      ],
      total: 2,
    })
    expect(
      zql("search '_' from vm")[0]?.found?.map(({ uuid }) => uuid),
      'no wildcard',
    ).toEqual(['b'])
    expect(zql("search 'WEB'")[0]?.found?.map(({ uuid }) => uuid)).toEqual(['b', 'a'])
    const listable = (noun: string) => noun !== 'vm'
    expect(runZql(site(), parseZql("search 'WEB'", { ...names, listable }))[0]?.found).toEqual([])
    expect(zql("search 'h1' from vm,host")[0]?.found).toEqual([{ uuid: 'h1', name: 'host-1', noun: 'host' }])
  })

  it('answers several statements, by name', () => {
    const text = "query host named as 'hosts'; count vm named as 'vms';\n sum vm.cpuNum by state;"
    expect(zql(text).map(({ name, noun }) => [name, noun])).toEqual([['hosts', 'host'], ['vms', 'vm'], [undefined, 'vm']]) // biome-ignore format: one line
  })
})

describe('mistakes', () => {
  it.each([
    ['', "mismatched input '<EOF>' expecting 'query', 'count', 'sum' or 'search' at line 1:0"],
    ['select * from vm', "mismatched input 'select'"],
    ['query vm where', "mismatched input '<EOF>' expecting a field"],
    ["query vm where name 'web'", "mismatched input 'web' expecting an operator"],
    ['query vm where name = web', "mismatched input 'web' expecting a value"],
    ["query vm where name = 'web", "a quote ' that is not closed at line 1:22"],
    ["query vm where (name = 'web'", "mismatched input '<EOF>' expecting ')'"],
    ["query vm\nwhere name = 'a' name = 'b'", "mismatched input 'name' expecting ';' or the end at line 2:17"],
    ['query vm limit -1', 'not a whole number'],
    ['query vm limit 1 limit 2', "a second 'limit'"],
    ['query vm where hostUuid in (query host)', "'.' and one field of host"],
    ['sum vm.cpuNum', "expecting 'by'"],
    ['query vm inner join nic on vm.uuid = nic.vmInstanceUuid', 'no join'],
    ["query vm where uuid in (getapi(api='x'))", 'getapi is not supported'],
    ['query vm filter by host{h1', 'a brace { that is not closed'],
    ['query vm where a = #', 'token recognition error at: "#"'],
  ])('%s: %s', (text, message) => {
    expect(zqlFailure(text)).toMatchObject({ code: 'malformed-request', message: expect.stringContaining(message) })
    expect(zqlFailure(text).message).toMatch(/^error .* at line \d+:\d+, /s)
  })

  it.each([
    ['query vmm', 'cannot find inventory with name[vmm]; did you mean vm?'],
    ['query vm where nmae = 1', 'did you mean name?'],
    ['query vm where hots.name = 1', 'did you mean host?'],
    ['query vm where hostUuid in (query host.uid)', 'did you mean uuid?'],
    ["query vm where cpuNum = 'many'", 'must be a number'],
    ['query vm.nmae', 'did you mean name?'],
    ['query vm group by stat', 'did you mean state?'],
    ['query vm order by tags', 'cannot sort by the list tags'],
    ['query count(vm.uuid)', 'function count is a statement of its own'],
    ['query mix(vm.cpuNum)', 'has no function mix'],
    ['query max(vm)', 'max needs a field'],
    ['query avg(vm.name)', 'it takes a number'],
    ['sum vm.name by state', 'it takes a number'],
    ['sum vm by state', 'the field to sum must be specified'],
    ["query vm return with (zwatch{metricName='x'})", 'return with zwatch{…} is not known here'],
    ["query vm restrict by (zone = 'x')", 'without entity name is not handled by any extension'],
    ["query l3 restrict by (host.uuid = 'x')", 'invalid restrict by clause, inventory[host] has no restriction to inventory[l3]'],
    ['query vm where tags has (query vm.tags)', 'has takes values, not a query'],
    ["search ' ' from vm", 'needs a word'],
  ])('%s: %s', (text, message) => {
    expect(zqlFailure(text)).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining(message) })
  })

  it('are bounded: too deep, too many, too long', () => {
    const deep = (n: number) => `query vm where ${'('.repeat(n)}name = 'web'${')'.repeat(n)}`
    expect(zqlKeys(deep(60))).toBe('a')
    expect(zqlFailure(deep(5000)).message).toContain('more than 64 levels')
    const nested = (n: number) => `query vm where ${'uuid in (query vm.uuid where '.repeat(n)}name = 'web'${')'.repeat(n)}`
    expect(zqlKeys(nested(20))).toBe('a')
    expect(zqlFailure(nested(100)).message).toContain('more than 64 levels')
    expect(zqlFailure('query vm;'.repeat(101)).message).toContain('more than 100 statements')
    expect(zqlFailure(`query vm${' '.repeat(70_000)}`).message).toContain('65536 characters')
  })
})

describe('what the caller may not see', () => {
  const visible = (noun: string, row: Readonly<Record<string, unknown>>) =>
    !(noun === 'nic' && row['uuid'] === 'n2') && row['uuid'] !== 'a'
  const seen = (text: string) => runZql(site(), parseZql(text, names), { visible })

  it('is nowhere: rows, counts, groups, sums, functions, words', () => {
    expect(seen('query vm return with (total)')[0]).toMatchObject({ rows: { keys: ['c', 'b'] }, total: 2 })
    expect(seen('count vm group by state order by state')[0]?.counts).toEqual([[{ state: 'Running' }, 1], [{ state: 'Stopped' }, 1]]) // biome-ignore format: one line
    expect(seen('sum vm.cpuNum by state order by state')[0]?.sums).toEqual([['Running', 2], ['Stopped', 10]]) // biome-ignore format: one line
    expect(seen('query min(vm.cpuNum)')[0]?.aggregates).toEqual([[{ cpuNum: 2 }, 2]])
    expect(seen("search 'web' from vm")[0]?.found?.map(({ uuid }) => uuid)).toEqual(['b'])
  })

  it('is no step of a chain, from either end, and no value of a nested query', () => {
    expect(seen("query vm where vmNics.l3Network.name = 'red'")[0]?.rows?.keys).toEqual([])
    expect(seen("query vm where uuid = 'b' and vmNics.l3Network.name = 'red'")[0]?.rows?.keys).toEqual([])
    expect(seen("query host where vms.name in ('web', 'Web_2')")[0]?.rows?.keys).toEqual(['h2'])
    expect(seen("query host where vms.__userTag__ != 'tin'")[0]?.rows?.keys, 'from the near end').toEqual([])
    expect(seen("query host where vms.name not has ('web')")[0]?.rows?.keys).toEqual(['h1', 'h2'])
    expect(seen('query host where uuid in (query vm.hostUuid)')[0]?.rows?.keys).toEqual(['h2'])
    expect(seen('query l3 where uuid in (query vm.vmNics.l3Network.uuid)')[0]?.rows?.keys).toEqual([])
    expect(seen('query vm return with (vmNics.ip)')[0]?.returnWith).toEqual({ 'vmNics.ip': { b: [], c: [] } })
  })
})

it('names the resources that were asked for, nested ones too', () => {
  const text = "query vm where hostUuid in (query host.uuid) restrict by (l3.name = 'x'); search 'x' from nic"
  expect([...parseZql(text, names).nouns].sort()).toEqual(['host', 'l3', 'nic', 'vm'])
})

it('reads two single quotes in single quotes as one', () => {
  const graph = site([['vm', [{ uuid: 'q', name: "it's", createDate: 9 }]]])
  expect(runZql(graph, parseZql("query vm where name = 'it''s'", { targets, entities }))[0]?.rows?.keys).toEqual(['q'])
})

it('lets other work run in a long query, and finds the same', async () => {
  const graph = site([['vm', Array.from({ length: 5000 }, (_, i) => ({ uuid: `m${i}`, name: 'n', cpuNum: i, state: 'x' }))]])
  const asked = parseZql('sum vm.cpuNum by state order by state', { targets, entities })
  let pauses = 0
  let now = 0
  const slices = { sliceMs: 5, now: () => now++, pause: async () => void pauses++ }
  const [sliced] = await runZqlSliced(graph, asked, slices)
  expect(pauses).toBeGreaterThan(2)
  expect(sliced?.sums).toEqual(runZql(graph, asked)[0]?.sums)
})
