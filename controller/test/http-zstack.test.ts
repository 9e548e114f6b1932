/** `/zstack/v1` as ZStack's own clients speak it: what they send, and what breaks them. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { fakeHttp, SESSION } from '../src/testing/index.ts'
import { job, PLAIN_400, pollOf, text, Z, zone } from './zstack-replies.ts'

describe('paths and methods', () => {
  it('collapses double slashes', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    expect(await (await send('GET', `/zstack//v1/zones//${uuid}`)).json()).toMatchObject({ inventories: [{ uuid }] })
  })
  it('reads /l3-networks/ip-ranges as the ranges, not as a network', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('ipRange')
    expect(await (await send('GET', `${Z}/l3-networks/ip-ranges`)).json()).toMatchObject({ inventories: [{ uuid }] })
  })
  it('answers unknown paths with 404 text and wrong methods with 405', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/nothing`))).toEqual([404, 'text/plain', true])
    const wrong = await send('DELETE', `${Z}/zones`)
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, GET'])
    expect((await send('POST', `${Z}/api-jobs/${job}`)).status).toBe(405)
    expect((await send('GET', `${Z}/zones/%E0%A4%A`)).status).toBe(400)
  })
  it('takes POST where PUT is usual if the path belongs to one API', async () => {
    const { send } = fakeHttp()
    const login = { logInByAccount: { accountName: 'admin', password: 'b1' } }
    for (const method of ['PUT', 'POST']) expect((await send(method, `${Z}/accounts/login`, login)).status).toBe(200)
    expect((await send('POST', `${Z}/zones/${'a'.repeat(32)}/actions`, { updateZone: {} })).status).toBe(405)
  })
  it('chooses the API of a shared PUT path by the key of the body', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    await send('PUT', `${Z}/zones/${uuid}/actions`, { changeZoneState: { stateEvent: 'disable' } })
    await send('PUT', `${Z}/zones/${uuid}/actions`, { updateZone: { name: 'new' } })
    expect(engine.calls.map((call) => [call.api.api, call.params])).toEqual([
      ['ChangeZoneState', { uuid, stateEvent: 'disable' }],
      ['UpdateZone', { uuid, name: 'new' }],
    ])
    expect(await text(await send('PUT', `${Z}/zones/${uuid}/actions`, { explodeZone: {} }))).toEqual(PLAIN_400)
  })
  it('does not know what exists under /v1 only', async () => {
    const { send } = fakeHttp()
    expect((await send('GET', `${Z}/jobs`)).status).toBe(404)
    expect((await send('POST', `${Z}/agents/tokens`, {})).status).toBe(404)
  })
})

describe('bodies', () => {
  it('reads JSON whatever Content-Type says', async () => {
    const { send } = fakeHttp()
    expect((await send('POST', `${Z}/zones`, zone, { 'content-type': 'text/plain' })).status).toBe(202)
  })
  it.each(['{}', '{"params":{}}', '{"null":{}}', undefined, '{"params":null}'])(
    'takes %s as the body of an attach call',
    async (body) => {
      const { send, engine } = fakeHttp()
      const [z, b] = [engine.add('zone'), engine.add('backupStorage')]
      const done = await pollOf(send, await send('POST', `${Z}/zones/${z['uuid']}/backup-storage/${b['uuid']}`, body))
      expect(done.status).toBe(200)
      expect(engine.calls[0]?.params).toEqual({ zoneUuid: z['uuid'], backupStorageUuid: b['uuid'] })
    },
  )
  it.each([
    ['not JSON', '{"params":'],
    ['a list', '[1]'],
    ['text', '"x"'],
    ['params that are no object', '{"params":[1]}'],
    ['depth without end', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
  ])('refuses %s with 400 text', async (_, body) => {
    const { send, engine } = fakeHttp()
    expect(await text(await send('POST', `${Z}/zones`, body))).toEqual(PLAIN_400)
    expect(engine.calls).toEqual([])
  })
  it('stops reading a body of 100 MB at its limit', async () => {
    const { app } = fakeHttp()
    let sent = 0
    const endless = new ReadableStream({
      pull(c) {
        if (sent++ < 1600) c.enqueue(new Uint8Array(65_536).fill(32))
        else c.close()
      },
    })
    const response = await app.request(`http://site.test${Z}/zones`, {
      method: 'POST',
      body: endless,
      duplex: 'half',
      headers: { authorization: `OAuth ${SESSION}` },
    } as RequestInit)
    expect(await text(response)).toEqual([413, 'text/plain', true])
    expect(sent).toBeLessThan(40)
  })
  it('is not confused by keys of the prototype', async () => {
    const { send, engine } = fakeHttp()
    await send(
      'POST',
      `${Z}/zones`,
      '{"params":{"name":"z","__proto__":{"isDefault":true},"constructor":1},"__proto__":{"systemTags":["x"]}}',
    )
    expect(engine.calls[0]?.params).toEqual({ name: 'z' })
    expect(({} as Row)['isDefault']).toBeUndefined()
  })
  it('takes tags inside params or beside them, and the ones beside win', async () => {
    const { send, engine } = fakeHttp()
    await send('POST', `${Z}/zones`, {
      params: { name: 'z', systemTags: ['in'], userTags: ['u'], resourceUuid: 'b'.repeat(32) },
      systemTags: ['top'],
    })
    expect(engine.calls[0]?.params).toEqual({ name: 'z', systemTags: ['top'], userTags: ['u'], resourceUuid: 'b'.repeat(32) })
  })
  it('takes null as absent, zero beside an offering, and drops what it does not know', async () => {
    const { send, engine } = fakeHttp()
    const params = {
      name: 'vm',
      description: null,
      imageUuid: 'a'.repeat(32),
      l3NetworkUuids: ['a'.repeat(32)],
      instanceOfferingUuid: 'a'.repeat(32),
      cpuNum: 0,
      memorySize: 0,
      unheardOf: 1,
    }
    const done = await pollOf(send, await send('POST', `${Z}/vm-instances`, { params }))
    expect(done.status).toBe(200)
    expect(engine.calls[0]?.params).toMatchObject({ cpuNum: 0, memorySize: 0 })
    expect(Object.keys(engine.calls[0]?.params ?? {})).not.toContain('unheardOf')
    expect(Object.keys(engine.calls[0]?.params ?? {})).not.toContain('description')
  })
  it('lets path variables win over the body', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('vmInstance')
    await send('PUT', `${Z}/vm-instances/${uuid}/actions`, { startVmInstance: { uuid: 'f'.repeat(32) } })
    expect(engine.calls[0]?.params).toEqual({ uuid })
  })
  it.each(['; $(id)', 'a\nb', '<x/>', "'||1", '../..'])('fails the job for the name %j', async (name) => {
    const { send, engine } = fakeHttp()
    const failed = await pollOf(send, await send('POST', `${Z}/zones`, { params: { name } }))
    expect([failed.status, failed.body.error['code']]).toEqual([503, 'SYS.1007'])
    expect(engine.calls).toEqual([])
  })
  it('refuses a number that is none with 400 text, in body and query', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('POST', `${Z}/disk-offerings`, { params: { name: 'd', diskSize: 'big' } }))).toEqual(PLAIN_400)
    expect(await text(await send('GET', `${Z}/l3-networks/ip/free?limit=many`))).toEqual(PLAIN_400)
  })
})

describe('query strings', () => {
  it('types parameters of DELETE and GET by their schema', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('image')
    const [a, b, c] = ['a', 'b', 'c'].map((x) => x.repeat(32))
    await send(
      'DELETE',
      `${Z}/images/${uuid}?deleteMode=&backupStorageUuids=${a}&backupStorageUuids.1=${c}&backupStorageUuids.0=${b}&unknown=1`,
    )
    await send(
      'DELETE',
      `${Z}/l3-networks/${uuid}/network-services?networkServices.${a}=DHCP&networkServices.${a}=DNS&networkServices.${b}.0=SNAT`,
    )
    await send('GET', `${Z}/primary-storage/capacities?all=true&zoneUuids=${a}`)
    await send('GET', `${Z}/l3-networks/ip/free?limit=7&l3NetworkUuid=${a}`)
    expect(engine.calls.map((call) => call.params)).toEqual([
      { uuid, deleteMode: '', backupStorageUuids: [a, b, c] },
      { l3NetworkUuid: uuid, networkServices: { [a!]: ['DHCP', 'DNS'], [b!]: ['SNAT'] } },
      { all: true, zoneUuids: [a] },
      { limit: 7, l3NetworkUuid: a },
    ])
  })
  it('refuses a condition without operator with 400 text', async () => {
    const { send } = fakeHttp()
    expect(await text(await send('GET', `${Z}/zones?q=name`))).toEqual(PLAIN_400)
  })
  it('answers count=true with the total alone', async () => {
    const { send, engine } = fakeHttp()
    engine.add('zone')
    expect(await (await send('GET', `${Z}/zones?count=true`)).json()).toEqual({ total: 1, schema: {} })
    expect(await (await send('GET', `${Z}/zones?replyWithCount=true`)).json()).toMatchObject({ total: 1, inventories: [{}] })
  })
  it('answers only the fields that were asked for', async () => {
    const { send, engine } = fakeHttp()
    const { uuid } = engine.add('zone')
    for (const path of [`${Z}/zones?fields=uuid`, `${Z}/zones/${uuid}?fields=uuid`])
      expect(((await (await send('GET', path)).json()) as { inventories: Row[] }).inventories).toEqual([{ uuid }])
  })
  it.each(['dryRun=true', 'at=5'])('refuses %s, so that nobody deletes by accident', async (control) => {
    const { send, engine } = fakeHttp()
    expect(await text(await send('DELETE', `${Z}/zones/${'a'.repeat(32)}?${control}`))).toEqual(PLAIN_400)
    expect(engine.calls).toEqual([])
  })
})

describe('the query grammar', () => {
  it('filters by fields and through relations, sorts, and pages', async () => {
    const { send, engine } = fakeHttp()
    const lan = engine.add('l3Network', { name: 'lan' })
    const vms = ['c', 'a', 'b'].map((name) => engine.add('vmInstance', { name, state: name === 'b' ? 'Stopped' : 'Running' }))
    engine.add('vmNic', { vmInstanceUuid: vms[0]!['uuid'], l3NetworkUuid: lan['uuid'], ip: '10.0.0.9' })
    const names = async (search: string) =>
      ((await (await send('GET', `${Z}/vm-instances?${search}`)).json()) as { inventories: Row[] }).inventories.map(
        (vm) => vm['name'],
      )
    expect(await names('q=state=Running&sort=%2Bname')).toEqual(['a', 'c'])
    expect(await names('sort=-name&limit=2')).toEqual(['c', 'b'])
    expect(await names('sort=+name&start=1')).toEqual(['b', 'c'])
    expect(await names('q=vmNics.l3Network.name=lan')).toEqual(['c'])
    expect(await names('q=vmNics.ip=10.0.0.9&q=state!=Running')).toEqual([])
    expect(await names('q=name?=a,b&sort=name')).toEqual(['a', 'b'])
  })
  it('finds an address by its uuid, whatever its key', async () => {
    const { send, engine } = fakeHttp()
    const row = engine.add('usedIp')
    engine.graph.apply(
      {
        ops: [
          { o: 'del', t: 'usedIp', k: String(row['uuid']) },
          { o: 'put', t: 'usedIp', k: 'l3:10.0.0.7', v: { ...row } },
        ],
      },
      99,
    )
    for (const path of [`${Z}/l3-networks/ip-address/${row['uuid']}`, `${Z}/l3-networks/ip-address?q=uuid=${row['uuid']}`]) {
      expect(((await (await send('GET', path)).json()) as { inventories: Row[] }).inventories, path).toHaveLength(1)
    }
  })
  it('names the closest field of one that is not there', async () => {
    const { send } = fakeHttp()
    const reply = await send('GET', `${Z}/vm-instances?q=stat=Running`)
    expect([reply.status, ((await reply.json()) as { error: Row }).error]).toMatchObject([
      503,
      { code: 'SYS.1007', details: expect.stringContaining('did you mean state') },
    ])
  })
})
