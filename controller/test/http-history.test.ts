/** `/v1/history` at the door: who may ask, and for what. */
import type { HistoryQuery, Row } from '@skerry/contract'
import { expect, it } from 'vitest'
import { fakeHttp, VIEWER_SESSION } from '../src/testing/index.ts'

const UUID = 'a'.repeat(32)

function door() {
  const asked: HistoryQuery[] = []
  const history = async (query: HistoryQuery) => {
    asked.push(query)
    return { entries: [{ seq: 1, at: 0, actor: 'system', changes: [], facts: [], documents: 0 }], complete: true }
  }
  return { ...fakeHttp({ history }), asked }
}

it('answers for one job or one resource, with ISO times', async () => {
  const { send, asked } = door()
  const answer = (await (await send('GET', `/v1/history?job=${UUID}`)).json()) as Row
  expect(answer).toMatchObject({ complete: true, entries: [{ seq: 1, at: '1970-01-01T00:00:00.000Z' }] })
  expect((await send('GET', `/v1/history?resourceUuid=${UUID}&limit=5`)).status).toBe(200)
  expect(asked).toEqual([{ job: UUID }, { resourceUuid: UUID, limit: 5 }])
})

it.each([
  '',
  '?job=x',
  `?job=${UUID}&resourceUuid=${UUID}`,
  `?job=${UUID}&limit=0`,
  `?job=${UUID}&limit=many`,
  `?job=${UUID}&since=1`,
])('refuses %j, and reads nothing', async (search) => {
  const { send, asked } = door()
  expect((await send('GET', `/v1/history${search}`)).status).toBe(400)
  expect(asked).toEqual([])
})

it('is for administrators with a session', async () => {
  const { send, asked } = door()
  expect((await send('GET', `/v1/history?job=${UUID}`, undefined, { authorization: '' })).status).toBe(401)
  expect((await send('GET', `/v1/history?job=${UUID}`, undefined, { authorization: `Bearer ${VIEWER_SESSION}` })).status).toBe(
    403,
  )
  expect(asked).toEqual([])
})
