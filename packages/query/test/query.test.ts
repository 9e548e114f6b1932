import { describe, expect, it } from 'vitest'
import { parseQuery, runQuery } from '../src/index.ts'
import { ask, failure, found, site, targets } from './vms.ts'

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
    ['__systemTag__?=x,name::db', 'c'],
    ['__systemTag__!=name::db', 'ab'],
    ['__systemTag__ is null', 'ab'],
    ['__systemTag__ not null', 'c'],
    ['__userTag__=name::db', 'a'],
    ['__userTag__!=gold', 'bc'],
    ['__userTag__!?=gold,tin', 'c'],
    ['__userTag__!~=g%', 'bc'],
    ['__userTag__ is null', 'c'],
    ['__userTag__>h', 'ab'],
    ['userTags.tag!=gold', 'ab'],
  ])('%s', (q, expected) => expect(found(q)).toBe(expected))

  it('are all to hold', () => expect(found('state=Running', 'vmNics.l3Network.name=red', 'cpuNum>1')).toBe('b'))

  it('take the first operator of the list that the text contains, as ZStack does', () => {
    expect(found('name=a>b')).toBe('')
    expect(failure({ q: ['name=a!=b'] })).toMatchObject({ code: 'invalid-argument', details: { field: 'name=a' } })
    expect(found('name~=%is null%')).toBe('')
  })

  it('on tags speak of all of them behind a relation too, and of none of the other kind', () => {
    expect(ask({ q: ['vms.__userTag__!=gold'] }, 'host').keys).toEqual(['h2'])
    expect(ask({ q: ['vms.__userTag__=tin'] }, 'host').keys).toEqual(['h2'])
    expect(ask({ q: ['vms.__systemTag__ is null'] }, 'host').keys).toEqual(['h1', 'h2'])
    expect(ask({ q: ['vms.__systemTag__ not null'] }, 'host').keys).toEqual([])
    expect(ask({ q: [] }, 'userTag').keys).toEqual(['t2', 't3', 't4'])
    expect(ask({ q: ['tag=name::db'], count: true }, 'systemTag').total).toBe(1)
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

  it('take no pattern that is too long to be compared with a long text', () => {
    expect(found(`name~=%${'x'.repeat(511)}`)).toBe('')
    for (const q of [`name~=%${'x'.repeat(512)}`, `name!~=${'_'.repeat(513)}`])
      expect(failure({ q: [q] }).code).toBe('invalid-argument')
    expect(found('name~=_\u{1f5a5}%')).toBe('')
  })

  it('cannot be made to take exponential time', () => {
    const graph = site([['vm', [{ uuid: 'long', name: `${'a'.repeat(2000)}!` }]]])
    const began = performance.now()
    ask({ q: [`name~=${'%_a'.repeat(40)}b`] }, 'vm', graph)
    // exponential would be longer than anybody waits
    expect(performance.now() - began).toBeLessThan(20_000)
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

  it('hold only what is related to what a filter names', () => {
    const by = (filterName: string, table = 'vm') => ask({ filterName }, table).keys
    expect(by('host:h1')).toEqual(['a'])
    expect(by('host: h1,h2')).toEqual(['b', 'a'])
    expect(by('vmNics:n2')).toEqual(['b'])
    expect(by('nic:n2'), 'by the resource behind the relation').toEqual(['b'])
    expect(by('vm:c', 'host')).toEqual([])
    expect(by('')).toHaveLength(3)
    expect(failure({ filterName: 'hots:h1' })).toMatchObject({ code: 'invalid-argument', details: { closest: 'host' } })
    expect(failure({ filterName: 'host' })).toMatchObject({ details: { field: 'filterName' } })
    expect(failure({ filterName: 'host:' })).toMatchObject({ details: { field: 'filterName' } })
  })

  it('hide what the caller may not see, from the count too', () => {
    const query = parseQuery({ q: [], replyWithCount: true }, targets.vm!, targets)
    expect(runQuery(site(), query, { visible: (_noun, row) => row.hostUuid === 'h1' })).toMatchObject({ keys: ['a'], total: 1 })
  })
})
