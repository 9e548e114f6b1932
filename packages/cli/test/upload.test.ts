/** `skerry create image --file`: a file of this machine, sent to a site in memory over its real door. */
import { createHash } from 'node:crypto'
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { OpenFile } from '../src/io.ts'
import { world } from './cli-world.ts'

const MIB = 1024 ** 2
const bytes = new Uint8Array(20 * MIB).map((_, i) => (i * 7 + (i >> 16)) % 251)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const TOKEN = `${'a'.repeat(32)}_${'b'.repeat(32)}`
const url = `http://elsewhere:1/v1/uploads/${TOKEN}`

const fileOf = (data: Uint8Array<ArrayBuffer>): OpenFile => ({
  sizeBytes: data.length,
  read: async (offset, length) => data.slice(offset, offset + length),
  close: async () => undefined,
})

/** What takes the bytes, as a controller does; `breaks`: numbers of the requests that get no answer, after their bytes were taken or before. */
function receiver(o: { breaks?: Record<number, 'before' | 'after'>; there?: number; refuses?: Row } = {}) {
  const got = { bytes: bytes.slice(0, o.there ?? 0), requests: 0, added: [] as Row[] }
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    new Response(status === 204 ? null : JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json', ...headers },
    })
  const image = () => ({
    uuid: 'a'.repeat(32),
    name: 'tiny',
    status: 'Ready',
    format: 'qcow2',
    backupStorageRefs: [{ installPath: url }],
  })
  const job = (state: string, more: Row = {}) => ({ uuid: 'c'.repeat(32), state, step: null, steps: [], ...more })
  const patch = async (request: Request) => {
    const n = got.requests++
    const broken = o.breaks?.[n]
    if (broken === 'before') throw new Error('ECONNRESET')
    const offset = Number(request.headers.get('upload-offset'))
    if (offset !== got.bytes.length)
      return answer(409, { code: 'upload-offset', detail: 'no' }, { 'upload-offset': String(got.bytes.length) })
    got.bytes = new Uint8Array(Buffer.concat([got.bytes, new Uint8Array(await request.arrayBuffer())]))
    if (broken === 'after') throw new Error('ECONNRESET')
    const whole = got.bytes.length === Number(request.headers.get('upload-length'))
    const location: Record<string, string> = whole ? { location: `/v1/jobs/${'c'.repeat(32)}` } : {}
    return answer(204, null, { 'upload-offset': String(got.bytes.length), ...location })
  }
  const fetch = async (input: unknown) => {
    const request = input as Request
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/v1/uploads/'))
      return request.method === 'PATCH' ? patch(request) : answer(200, {}, { 'upload-offset': String(got.bytes.length) })
    if (pathname.startsWith('/v1/images/upload-job/'))
      return answer(200, { existingJobDetails: [{ imageUuid: 'a'.repeat(32), imageUploadUrl: url, offset: 0 }] })
    if (pathname.startsWith('/v1/jobs/c'))
      return answer(200, { job: o.refuses ? job('failed', { error: o.refuses }) : job('done') })
    if (pathname.startsWith('/v1/jobs/')) return answer(200, { job: job('done', { result: { inventory: image() } }) })
    if (pathname === '/v1/images' && request.method === 'POST') {
      got.added.push(((await request.json()) as Row)['params'] as Row)
      return answer(202, { job: { ...job('processing'), uuid: 'd'.repeat(32) }, location: '/v1/jobs/d' })
    }
    if (pathname === '/v1/images') return answer(200, { inventories: o.there === undefined ? [] : [image()] })
    return answer(200, { inventories: [image()] })
  }
  return { got, io: { fetch: fetch as typeof globalThis.fetch, openFile: async () => fileOf(bytes) } }
}
const argv = [
  'create',
  'image',
  'tiny',
  '--file',
  '/home/user/my disk.qcow2',
  '--format',
  'qcow2',
  '--backup-storages',
  'f'.repeat(32),
]

describe('an image from a file of this machine', () => {
  it('is sent in pieces, with its checksum first, and shown how far it is', async () => {
    const { got, io } = receiver()
    await world(
      async ({ skerry }) => {
        const { code, out, err } = await skerry(...argv)
        expect([code, err.includes('[####################]: 100%, 20 MiB of 20 MiB')]).toEqual([0, true])
        expect(err).toMatch(/upload \[#+-+\]: \d+%, [\d.]+ MiB of 20 MiB, \d+ s left/)
        expect(out).toContain('tiny')
      },
      { io },
    )
    expect(got.added).toEqual([
      expect.objectContaining({ name: 'tiny', url: 'upload://my_disk.qcow2', format: 'qcow2', checksum: `sha256:${sha256}` }),
    ])
    expect(Buffer.compare(got.bytes, bytes)).toBe(0)
    expect(got.requests).toBe(3)
  })

  it('goes on after breaks, whether what was sent had arrived or not', async () => {
    const { got, io } = receiver({ breaks: { 0: 'before', 1: 'after', 3: 'after' } })
    await world(async ({ skerry }) => expect((await skerry(...argv)).code).toBe(0), { io })
    expect(Buffer.compare(got.bytes, bytes)).toBe(0)
  })

  it('goes on where another run was broken off, and adds nothing anew', async () => {
    const { got, io } = receiver({ there: 9 * MIB })
    await world(async ({ skerry }) => expect((await skerry(...argv)).code).toBe(0), { io })
    expect(got.added).toEqual([])
    expect(got.requests).toBe(2)
    expect(Buffer.compare(got.bytes, bytes)).toBe(0)
  })

  it('that is refused says why', async () => {
    const { io } = receiver({ refuses: { code: 'image-refused', detail: 'the image is refused: it is not qcow2' } })
    await world(
      async ({ skerry }) => {
        const { code, err } = await skerry(...argv)
        expect([code === 0, err.includes('it is not qcow2')]).toEqual([false, true])
      },
      { io },
    )
  })

  it.each([
    ['a URL', ['--url', 'http://a/x.qcow2'], '--url and --file'],
    ['a plan', ['--dry-run'], 'can not be planned'],
  ])('with %s is refused before anything is sent', async (_, more, why) => {
    const { got, io } = receiver()
    await world(
      async ({ skerry }) => {
        const { code, err } = await skerry(...argv, ...more)
        expect([code, err.includes(why)]).toEqual([2, true])
      },
      { io },
    )
    expect(got.added).toEqual([])
  })
})
