/**
 * Wild requests from a seed to a whole site, over HTTP and a real nats-server: each is answered in its dialect and none as a defect,
 * refusals change nothing, nothing holds the loop, and memory comes back. More of them: `scripts/fuzz`.
 */
import { requireOrSkip } from '@skerry/testkit'
import { describe, expect, test } from 'vitest'
import { requestOf } from '../fuzz/generate.ts'
import type { Ground } from '../fuzz/ground.ts'
import { wrongWith } from '../fuzz/judge.ts'
import { asCommand, type FuzzRequest, type HttpRequest, type Reply } from '../fuzz/request.ts'
import { fuzz } from '../fuzz/run.ts'

const REQUESTS = 10_000
const WARM_UP = 5_000
const MINUTE = 60_000

const ground: Ground = {
  made: { zone: 'a'.repeat(32), vm: 'b'.repeat(32) },
  callers: { admin: '1'.repeat(32), tenant: '2'.repeat(32), ended: '3'.repeat(32) },
}

test('a number of a seed is the same request whatever was made before', () => {
  const some = [5, 71, 999, 12_345].map((number) => requestOf(ground, 7, number))
  for (let number = 0; number < 300; number++) requestOf(ground, 8, number)
  expect([5, 71, 999, 12_345].map((number) => requestOf(ground, 7, number))).toEqual(some)
  expect(requestOf(ground, 8, 5)).not.toEqual(some[0])
})

test('every door and every API is visited', () => {
  const seen = new Set<string>()
  for (let number = 0; number < 20_000; number++) {
    const request = requestOf(ground, 1, number)
    seen.add(request.kind === 'http' ? request.dialect : request.kind).add(request.about)
  }
  for (const one of ['zstack', 'own', 'fixed', 'nats', 'bytes', 'login', 'upload', 'CreateVmInstance', 'ZQLQuery', 'QueryZone'])
    expect(seen).toContain(one)
})

test('a request is told as a line for a shell, whatever it holds', () => {
  const base = { kind: 'http', dialect: 'own', number: 1, about: 'x', method: 'PUT', path: '/v1/x', headers: [] } as const
  const to = { url: 'http://127.0.0.1:1', nats: '' }
  expect(asCommand({ ...base, headers: [['A', 'b']], body: Buffer.from(`{"a":"it's"}`) }, to)).toBe(
    `curl -sig --path-as-is -X PUT 'http://127.0.0.1:1/v1/x' -H 'A: b' --data-binary '{"a":"it'\\''s"}'`,
  )
  expect(asCommand({ ...base, headers: [], body: Buffer.from([0, 39, 65]) }, to)).toMatch(
    /^printf '.*\\000\\047A' \| nc 127\.0\.0\.1 1$/,
  )
})

describe('an answer is wrong', () => {
  const http = { kind: 'http', number: 1, about: 'x', method: 'GET', path: '/', headers: [] } as const
  const own: HttpRequest = { ...http, dialect: 'own', headers: [] }
  const zstack: HttpRequest = { ...http, dialect: 'zstack', headers: [] }
  const nats: FuzzRequest = { kind: 'nats', number: 1, about: 'x', subject: 's', headers: [], payload: Buffer.alloc(0) }
  const problem = { 'content-type': 'application/problem+json' }
  const said = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => ({
    status,
    headers,
    text: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const refused = { code: 'not-found', status: 404, detail: 'no' }

  test.each([
    ['a defect', own, said(500, { code: 'internal', status: 500, detail: 'x' }, problem)],
    ['a status of another code', own, said(503, { ...refused, status: 503 }, problem)],
    ['a refusal in another form', own, said(404, 'no', { 'content-type': 'text/plain' })],
    ['no JSON', own, said(200, 'oops')],
    ['a stack', own, said(404, { ...refused, detail: 'x\n    at run (a.ts:1)' }, problem)],
    ['text where there should be an error', zstack, said(503, 'internal error')],
    ['a defect in an error', zstack, said(503, { error: { code: 'SYS.1000', details: 'x', opaque: { code: 'internal' } } })],
    ['another status', zstack, said(500, 'internal error', { 'content-type': 'text/plain' })],
    ['none at all', own, said(0, '')],
    ['a defect over NATS', nats, said(500, { code: 'internal' }, { 'skerry-status': '500' })],
    ['no status over NATS', nats, said(0, '')],
  ])('that is %s', (_, request, reply) => expect(wrongWith(request, reply)).not.toEqual([]))

  test.each([
    [own, said(404, refused, problem)],
    [own, said(200, {})],
    [zstack, said(503, { error: { code: 'SYS.1003', details: 'x', opaque: { code: 'not-found' } } })],
    [zstack, said(400, 'no', { 'content-type': 'text/plain' })],
    [nats, said(404, refused, { 'skerry-status': '404' })],
  ])('and this is not', (request, reply) => expect(wrongWith(request, reply)).toEqual([]))
})

describe.runIf(requireOrSkip('wild requests to a site', { programs: ['nats-server'] }))('a site', () => {
  test(`takes ${REQUESTS} of them`, { timeout: 30 * MINUTE }, async () => {
    const { code, output } = await fuzz(['--requests', String(REQUESTS), '--warm', String(WARM_UP), '--seed', '1'])
    expect(output).toMatch(/: 0 problems\n$/)
    expect(code).toBe(0)
  })
})
