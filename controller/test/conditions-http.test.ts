/** Conditions over HTTP: who may see them, how they can be asked for, the stream, and what the open paths tell. */
import { type Alarm, type ConditionCode, conditionKinds, type Row, type SiteCondition } from '@skerry/contract'
import { expect, it } from 'vitest'
import { fakeHttp, VIEWER_SESSION } from '../src/testing/index.ts'

const condition = (
  code: ConditionCode,
  uuid: string | null,
  since: number,
  more: Partial<SiteCondition> = {},
): SiteCondition => ({
  ...{
    id: `${code}/${uuid ?? '-'}`,
    code,
    severity: conditionKinds[code].severity,
    noun: conditionKinds[code].about,
    uuid,
    name: null,
  },
  ...{ resourceUuids: uuid ? [uuid] : [], title: 't', message: 'm', since, heals: 'h', hint: 'h', details: {}, ...more },
})
const [vm, vol] = ['a'.repeat(32), 'b'.repeat(32)]
const held = [
  condition('vm-unknown', vm, 5_000),
  condition('volume-lost', vol, 9_000, { resourceUuids: [vol, vm] }),
  condition('nats-away', null, 1_000),
  condition('log-tail-cut', null, 0),
]

const site = (list = held) =>
  fakeHttp({
    ready: () => false,
    conditions: {
      list: () => [...list],
      overview: () => ({ controller: { uuid: 'c' }, conditions: { critical: 2, warning: 1, info: 1 } }),
      async *stream(signal): AsyncGenerator<Alarm> {
        yield { change: 'raised', at: 7_000, condition: held[0]! }
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      },
    },
  })
const codes = async (query: string) => {
  const response = await site().send('GET', `/v1/conditions${query}`)
  const body = (await response.json()) as { conditions: SiteCondition[]; total: number }
  return [response.status, body.conditions?.map((c) => c.code), body.total]
}

it('come worst first, oldest first, with ISO dates', async () => {
  expect(await codes('')).toEqual([200, ['nats-away', 'volume-lost', 'vm-unknown', 'log-tail-cut'], 4])
  const { conditions, counts } = (await (await site().send('GET', '/v1/conditions?code=vm-unknown')).json()) as Row
  expect(conditions).toMatchObject([{ since: '1970-01-01T00:00:05.000Z', id: `vm-unknown/${vm}` }])
  expect(counts).toEqual({ critical: 2, warning: 1, info: 1 })
})

it.each([
  ['?noun=vm', ['vm-unknown'], 1],
  [`?uuid=${vm}`, ['vm-unknown'], 1],
  [`?resourceUuid=${vm}`, ['volume-lost', 'vm-unknown'], 2],
  ['?severity=critical', ['nats-away', 'volume-lost'], 2],
  ['?code=log-tail-cut&severity=critical', [], 0],
  ['?limit=1', ['nats-away'], 4],
])('can be asked for: %s', async (query, found, total) => expect(await codes(query)).toEqual([200, found, total]))

it.each(['?severity=bad', '?code=none', '?colour=red', '?limit=many'])('%s is refused with what there is', async (query) => {
  const response = await site().send('GET', `/v1/conditions${query}`)
  expect([response.status, ((await response.json()) as Row)['code']]).toEqual([400, 'invalid-argument'])
})

it.each(['/v1/conditions', '/v1/conditions/stream', '/v1/status'])('%s is for administrators', async (path) => {
  const { send } = site()
  expect((await send('GET', path, undefined, { authorization: `Bearer ${VIEWER_SESSION}` })).status).toBe(403)
  expect((await send('GET', path, undefined, { authorization: '' })).status).toBe(401)
  expect((await fakeHttp().send('GET', path)).status).toBe(503)
})

it('/v1/status gives the site at a glance, with its conditions', async () => {
  const body = (await (await site().send('GET', '/v1/status')).json()) as Row
  expect(body).toMatchObject({
    controller: { uuid: 'c' },
    counts: { critical: 2 },
    conditions: [{ code: 'nats-away' }, {}, {}, {}],
  })
})

it('the stream carries each change under its subject, and ends its source when the client goes', async () => {
  const response = await site().send('GET', '/v1/conditions/stream')
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const reader = response.body!.getReader()
  let text = ''
  while (!text.includes('data:')) text += new TextDecoder().decode((await reader.read()).value)
  expect(text).toContain(`event: skerry.v1.alarm.vm-unknown.${vm}.raised\n`)
  const data = JSON.parse(/^data: (.*)$/m.exec(text)![1]!) as Row
  expect(data).toMatchObject({ change: 'raised', at: '1970-01-01T00:00:07.000Z', condition: { code: 'vm-unknown' } })
  await reader.cancel()
})

it('the open paths say how much is wrong and of what kind, but name nothing', async () => {
  const { send } = site()
  expect(await (await send('GET', '/healthz')).json()).toEqual({ status: 'ok', conditions: { critical: 2, warning: 1, info: 1 } })
  const ready = await send('GET', '/readyz')
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'not-ready', conditions: ['nats-away'] }])
  expect(await (await site([]).send('GET', '/readyz')).json()).toEqual({ status: 'not-ready', conditions: ['starting'] })
})
