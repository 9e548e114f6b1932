/** ZStack's query language and batch queries over the wire: shapes and dates of both dialects, errors, and what explain says. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { sha512, type ZStackClient } from '../harness/zstack-client.ts'

let site: SmallSite
let client: ZStackClient
const made: Record<string, string> = {}

beforeAll(async () => {
  site = await startSmallSite()
  client = site.client
  for (const name of ['east', 'west']) {
    made[name] = await client.uuid('CreateZone', { name, userTags: [`tag-${name}`] })
    made[`in-${name}`] = await client.uuid('CreateCluster', { name: `in-${name}`, zoneUuid: made[name], hypervisorType: 'KVM' })
  }
  await client.uuid('CreateCluster', { name: 'two', zoneUuid: made['west'], hypervisorType: 'KVM' })
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

/** A ZQL call in ZStack's dialect. */
const asked = async (zql: string) => client.send({ method: 'GET', path: `/zql?${new URLSearchParams({ zql })}` })
async function results(zql: string): Promise<Row[]> {
  const { status, body, text } = await asked(zql)
  expect(status, text).toBe(200)
  return body!['results'] as Row[]
}
const own = async (search: Record<string, string>) => {
  const headers = { authorization: `OAuth ${client.session}` }
  const response = await fetch(`${site.url}/v1/zql?${new URLSearchParams(search)}`, { headers })
  return { status: response.status, body: (await response.json()) as Row }
}

test('inventories are those of the queries, dates in the form of the dialect, null left out', async () => {
  const [zone] = await results(`query zone where uuid = '${made['east']}' return with (total) named as "z"`)
  const [listed] = (await client.call('QueryZone', { q: [`uuid=${made['east']}`] }))['inventories'] as Row[]
  expect(zone).toEqual({ inventories: [listed], total: 1, name: 'z' })
  expect(listed!['createDate']).toMatch(/^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M$/)
  const { body } = await own({ zql: 'query zone.name,createDate order by name limit 1' })
  const [first] = (body['results'] as { inventories: Row[] }[])[0]!.inventories
  expect(first).toEqual({ name: 'east', createDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) })
})

test('several statements, nested queries, restrict by, tags, return with', async () => {
  const [nested, restricted, tagged, chained] = await results(`
    query cluster.name where zoneUuid in (query zone.uuid where name = 'west') order by name;
    query CLUSTER.name restrict by (zone.name = 'east') named as 'restricted';
    query zone.name where __userTag__ = 'tag-west' or clusters.name = 'in-east' order by name;
    query zone.name return with (clusters.name) order by name`)
  expect(nested).toEqual({ inventories: [{ name: 'in-west' }, { name: 'two' }] })
  expect(restricted).toEqual({ inventories: [{ name: 'in-east' }], name: 'restricted' })
  expect(tagged).toEqual({ inventories: [{ name: 'east' }, { name: 'west' }] })
  expect(chained!['returnWith']).toEqual({
    'clusters.name': { [made['east']!]: ['in-east'], [made['west']!]: expect.arrayContaining(['in-west', 'two']) },
  })
})

test('count, groups, sums, functions and search have the shapes of ZQLQueryReturn', async () => {
  const zone = (name: string) => made[name]!
  const [counted, grouped, none, most, found] = await results(`
    count cluster;
    count cluster group by zoneUuid order by groupCount desc;
    count cluster where name = 'none' group by zoneUuid;
    query max(cluster.name) group by zoneUuid order by zoneUuid;
    search 'in-e' from cluster,zone`)
  expect(counted).toEqual({ total: 3 })
  expect(grouped).toEqual({ inventoryCounts: [[{ zoneUuid: zone('west') }, 2], [{ zoneUuid: zone('east') }, 1]], total: 3 }) // biome-ignore format: one line
  expect(none).toEqual({ total: 0 })
  expect(most!['inventoryAggregateFunctions']).toContainEqual([{ zoneUuid: zone('west'), name: 'two' }, 'two'])
  expect(found).toEqual({ inventories: [{ uuid: made['in-east'], resourceName: 'in-east', resourceType: 'ClusterVO' }] })
  const [sum] = await results('sum primarystorage.totalCapacity by zoneUuid')
  expect(sum).toEqual({ inventories: [] })
  const [last] = await results('query max(zone.createDate)')
  expect(last!['inventoryAggregateFunctions']).toEqual([[{ createDate: expect.stringMatching(/[AP]M$/) }, expect.stringMatching(/[AP]M$/)]]) // biome-ignore format: one line
})

test('what is wrong is told as ZStack does: 503 with the error, or a problem under /v1', async () => {
  const syntax = await asked('query zone where name =')
  expect([syntax.status, (syntax.body!['error'] as Row)['code']]).toEqual([503, 'SYS.1007'])
  expect((syntax.body!['error'] as Row)['details']).toContain("error mismatched input '<EOF>' expecting a value")
  const unknown = await asked('query zome')
  expect((unknown.body!['error'] as Row)['details']).toBe('cannot find inventory with name[zome]; did you mean zone?')
  const empty = await client.send({ method: 'GET', path: '/zql' })
  expect([empty.status, (empty.body!['error'] as Row)['code']]).toEqual([503, 'SYS.1007'])
  const problem = await own({ zql: 'query zone where nmae = 1' })
  expect([problem.status, problem.body]).toEqual([
    400,
    expect.objectContaining({ code: 'invalid-argument', details: expect.objectContaining({ closest: 'name' }) }),
  ])
})

test('what no query lists can not be asked for', async () => {
  for (const noun of ['session', 'jobStep', 'usedMac', 'imageCache'])
    expect((await own({ zql: `query ${noun}` })).body, noun).toMatchObject({ code: 'invalid-argument' })
})

test('explain says which index was used and how many rows were looked at', async () => {
  const { body } = await own({ zql: `query cluster where zoneUuid = '${made['west']}' and name like 'in%'`, explain: 'true' })
  const [{ explain }] = body['results'] as [{ explain: Row }]
  expect(explain).toMatchObject({
    access: 'index',
    examined: 2,
    scans: {},
    plan: {
      step: 'query',
      found: 1,
      children: [
        { step: 'index', of: 'cluster.zoneUuid' },
        { step: 'test', of: 'cluster.name' },
      ],
    },
  })
  expect((await results('query cluster'))[0]).not.toHaveProperty('explain')
})

test('conditions of a list are explained too, filtered by a relation, and grouped', async () => {
  const list = async (search: Record<string, string>, session = client.session) => {
    const headers = { authorization: `OAuth ${session}` }
    const response = await fetch(`${site.url}/v1/clusters?${new URLSearchParams(search)}`, { headers })
    return { status: response.status, body: (await response.json()) as Row & { inventories: Row[] } }
  }
  const { body } = await list({ filterName: `zone:${made['west']}`, sort: '-name', explain: 'true', fields: 'name' })
  expect(body.inventories).toEqual([{ name: 'two' }, { name: 'in-west' }])
  expect(body['explain']).toMatchObject({ plan: { step: 'query', of: 'cluster', found: 2 } })
  const grouped = await list({ q: 'zone.name?=east,west', groupBy: 'zoneUuid', replyWithCount: 'true', fields: 'zoneUuid' })
  expect([grouped.body.inventories.map((row) => row['zoneUuid']).sort(), grouped.body['total']]).toEqual([[made['east'], made['west']].sort(), 2]) // biome-ignore format: one line
  await client.uuid('CreateAccount', { name: 'curious', password: sha512('x') })
  const login = await client.call('LogInByAccount', { accountName: 'curious', password: sha512('x') })
  const session = String((login['inventory'] as Row)['uuid'])
  expect((await list({ explain: 'true' }, session)).status).toBe(403)
})

test('another account sees nothing of what is not its own, and can not have its queries explained', async () => {
  await client.uuid('CreateAccount', { name: 'tenant', password: sha512('x') })
  const session = ((await client.call('LogInByAccount', { accountName: 'tenant', password: sha512('x') }))['inventory'] as Row)[
    'uuid'
  ]
  const headers = { authorization: `OAuth ${session}` }
  const ask = async (search: Record<string, string>) => {
    const response = await fetch(`${site.url}/v1/zql?${new URLSearchParams(search)}`, { headers })
    return { status: response.status, body: (await response.json()) as Row }
  }
  await client.uuid('CreateDiskOffering', { name: 'big', diskSize: 2 ** 30, userTags: ['hidden'] })
  const zql = `count diskoffering; count usertag where tag = 'hidden'; count diskoffering where __userTag__ = 'hidden';
    count zone where uuid = '${made['east']}';
    search 'big' from diskoffering return with (total); count diskoffering group by name; search 'big' return with (total)`
  const totals = (rows: unknown) => (rows as Row[]).map(({ total }) => total)
  expect(totals(await results(zql))).toEqual([1, 1, 1, 1, 1, 1, 1])
  const seen = await ask({ zql: zql })
  expect([seen.status, totals(seen.body['results'])]).toEqual([200, [0, 0, 0, 1, 0, 0, 0]])
  expect((await ask({ zql: 'query agent' })).body).toMatchObject({ code: 'permission-denied' })
  expect((await ask({ zql: 'query zone where uuid in (query agent.uuid)' })).body).toMatchObject({ code: 'permission-denied' })
  expect((await ask({ zql: 'query diskoffering', explain: 'true' })).status).toBe(403)
  expect((await fetch(`${site.url}/v1/zql?zql=query+zone`)).status).toBe(401)
})

describe('batch queries', () => {
  const batch = async (script: string, session = client.session, dialect = '/zstack/v1') => {
    const search = new URLSearchParams({ script })
    const headers = { authorization: `OAuth ${session}` }
    const response = await fetch(`${site.url}${dialect}/batch-queries?${search}`, { headers })
    return { status: response.status, body: (await response.json()) as Row }
  }

  test('put together what queries, ZQL and calls answer, times in the form of the dialect', async () => {
    const script = `
      def zones = query("QueryZone sortBy=name fields=uuid,name,createDate").result.findAll { it.name in ['east', 'west'] }
      zones.each { it.clusters = query("QueryCluster zoneUuid=\${it.uuid} sortBy=name fields=name").result.name }
      put("zones", zones)
      put("count", query("QueryCluster count=true").total)
      put("two", zql("query cluster.name where name = 'two'")[0].inventories[0])
      put("tells", call("CheckApiPermission", '{"apiNames": ["CreateZone"]}').result.inventory.CreateZone == 'Allow')`
    const { status, body } = await batch(script)
    expect([status, body]).toEqual([200, { result: {
      zones: [
        { uuid: made['east'], name: 'east', createDate: expect.stringMatching(/ [AP]M$/), clusters: ['in-east'] },
        { uuid: made['west'], name: 'west', createDate: expect.stringMatching(/ [AP]M$/), clusters: ['in-west', 'two'] },
      ],
      count: 3,
      two: { name: 'two' },
      tells: true,
    } }]) // biome-ignore format: one line
    const own = await batch('put("at", query("QueryZone limit=1").result[0].createDate)', undefined, '/v1')
    expect(own.body['result']).toEqual({ at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) })
  })

  test('have the rights of their caller', async () => {
    await client.uuid('CreateAccount', { name: 'batcher', password: sha512('x') })
    const login = await client.call('LogInByAccount', { accountName: 'batcher', password: sha512('x') })
    const session = String((login['inventory'] as Row)['uuid'])
    const found = await client.uuid('CreateDiskOffering', { name: 'unseen', diskSize: 2 ** 30 })
    const script =
      'put("n", query("QueryDiskOffering name=unseen count=true").total + zql("count diskoffering where name = \'unseen\'")[0].total)'
    expect((await batch(script)).body['result']).toEqual({ n: 2 })
    expect((await batch(script, session)).body['result']).toEqual({ n: 0 })
    const refused = async (text: string) => (await batch(text, session, '/v1')).body['code']
    expect(await refused('query("QueryAgent")')).toBe('permission-denied')
    expect(await refused('zql("query agent")')).toBe('permission-denied')
    const account = `put("of", call("GetResourceAccount", '{"resourceUuids": ["${found}"]}').result.inventories.keySet())`
    expect([(await batch(account)).body['result'], (await batch(account, session)).body['result']]).toEqual([{ of: [found] }, { of: [] }]) // biome-ignore format: one line
  })

  test('change nothing, and say what is wrong and where', async () => {
    const wrong = async (text: string) => {
      const { status, body } = await batch(text)
      return [status, String((body['error'] as Row)['details'])]
    }
    expect(await wrong('def a = 1\nquery("QueryZome")')).toEqual([503, 'no query API found for QueryZome; did you mean QueryZone?, error at line 2: query("QueryZome")']) // biome-ignore format: one line
    expect(await wrong('query("QueryZone nmae=x")')).toEqual([503, expect.stringContaining('did you mean name?')])
    for (const api of ['DeleteZone', 'LogOut', 'LogInByAccount', 'BatchQuery', 'ZQLQuery', 'QueryZone', 'RequestConsoleAccess'])
      expect(await wrong(`call('${api}', '{}')`), api).toEqual([503, expect.stringContaining(`no reading API found for ${api}`)])
    expect(await wrong("call('GetVmBootOrder', '{}')")).toEqual([503, expect.stringContaining('GetVmBootOrder needs uuid')])
    expect(await wrong("call('GetResourceAccount', '[')")).toEqual([503, expect.stringContaining('as JSON')])
    expect((await wrong(''))[1]).toContain('script must be given')
  })
})
