/**
 * Wild requests from a seed to a whole site, over HTTP and a real nats-server: each is answered in its dialect and none as a defect,
 * refusals change nothing, nothing holds the loop, and memory comes back. More of them: `scripts/fuzz`.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { describe, expect, test, vi } from 'vitest'
import { requestOf } from '../fuzz/generate.ts'
import type { Ground } from '../fuzz/ground.ts'
import { wrongWith } from '../fuzz/judge.ts'
import { asCommand, type FuzzRequest, type HttpRequest, type Reply } from '../fuzz/request.ts'
import { fuzz } from '../fuzz/run.ts'
import { root } from '../sim/bundle.ts'

const REQUESTS = 100_000
const WARM_UP = 20_000
const MINUTE = 60_000

const ground: Ground = {
  made: { zone: 'a'.repeat(32), vm: 'b'.repeat(32) },
  callers: { admin: '1'.repeat(32), tenant: '2'.repeat(32), ended: '3'.repeat(32) },
  key: { AccessKeyID: 'id', AccessKeySecret: 'secret' },
  upload: '/uploads/token',
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
  for (const one of [
    'zstack',
    'own',
    'fixed',
    'nats',
    'bytes',
    'login',
    'upload',
    'stream',
    'backup',
    'CreateVmInstance',
    'ZQLQuery',
    'QueryZone',
  ])
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

  test('that keeps something of each request is found by its memory', { timeout: 10 * MINUTE }, async () => {
    const leak = {
      file: 'controller/src/http/jobs.ts',
      from: 'this.jobs.set(uuid, error)',
      to: 'this.jobs.set(uuid, Object.assign(error, { kept: Buffer.alloc(65_536) }))',
    }
    const { code, output } = await fuzz(['--requests', '3000', '--warm', '1000', '--seed', '1'], { patches: [leak] })
    expect(output).toMatch(/memory: \d+ MiB were kept/)
    expect(output).toMatch(/: 1 problems\n$/)
    expect(code).toBe(1)
  })

  test('goes with a run that is ended by a signal, and leaves nothing behind', { timeout: 10 * MINUTE }, async () => {
    await Promise.all((['SIGTERM', 'SIGINT'] as const).map(leavesNothing))
  })
})

/** In a folder for temporary files of its own, which also tells its processes from others. */
async function leavesNothing(signal: NodeJS.Signals): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-fuzz-signal-'))
  try {
    const argv = ['--import', 'tsx', 'test/fuzz/main.ts', '--progress']
    const run = spawn(process.execPath, argv, {
      cwd: root,
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [run.stdout, run.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    const ended = new Promise((resolve) => run.once('close', resolve))
    await vi.waitFor(() => expect(output).toContain('the site is there'), { timeout: 5 * MINUTE, interval: 50 })
    expect(await processesOf(folder)).toHaveLength(3)
    run.kill(signal)
    await ended
    await vi.waitFor(async () => expect(await processesOf(folder)).toEqual([]), { interval: 50 })
    expect((await readdir(folder)).filter((name) => name.startsWith('skerry-'))).toEqual([])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Command lines that name something in this folder. */
async function processesOf(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  // One that ends meanwhile is none.
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(folder))
}
