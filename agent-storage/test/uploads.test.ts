/** Uploads at the agent, over a bus in memory: what is written when, who may, and how each of them ends. */
import { memoryBroker, realTimers } from '@skerry/bus'
import { Channel, WINDOW_BYTES } from '@skerry/console/channel'
import { subjects } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UploadSession } from '../src/uploads/session.ts'
import { id, sha256 } from './bench.ts'
import { fakeBench } from './fake-bench.ts'

const soon = { timeout: 15_000, interval: 5 }
const AGENT = id(9)
const IMAGE = id(5)
const broker = memoryBroker()
const bus = broker.connect()

let f: Awaited<ReturnType<typeof fakeBench>>
let bytes: Uint8Array
beforeEach(async () => {
  f = await fakeBench({ bus: broker.connect(), agentUuid: AGENT })
  await f.b.pools()
  bytes = await f.userImage()
})
afterEach(async () => {
  await f.b.stop()
  expect(f.b.faults).toEqual([])
})

const tokenHash = sha256('a token')
const at = (more: object = {}) => ({ storePath: f.b.store, tokenHash, ...more })
const allow = (more: object = {}) => f.b.run('image', 'allow-upload', IMAGE, at({ format: 'qcow2', checksum: null, ...more }))
const look = async (more: object = {}) => (await f.b.run('image', 'uploaded', IMAGE, at(more))).output
const receive = (sizeBytes = bytes.length) => f.b.run('image', 'receive', IMAGE, { storePath: f.b.store, sizeBytes })
const stored = () => f.ours().filter((path) => path.startsWith(`${f.b.store}/images/`) || path.startsWith(`${f.b.store}/refs/`))

let sessions = 100
/** As the controller opens it. */
async function open(offset: number, more: object = {}) {
  const session = id(sessions++)
  const io = (way: 'in' | 'out') => subjects.io('storage', AGENT, session, way)
  const said = { ended: '', room: 0 }
  const channel = new Channel(
    { bus, timers: realTimers, hear: io('out'), say: io('in') },
    { onBytes: () => undefined, onRoom: () => void said.room++, onEnd: (reason) => void (said.ended = reason) },
  )
  await f.b.run('image', 'upload', IMAGE, at({ session, offset, ...more }))
  return { session, channel, said }
}
async function send(from: number, to: number) {
  const { session, channel } = await open(from)
  channel.send(bytes.subarray(from, to))
  channel.close('that is all')
  return look({ session })
}

describe('an upload', () => {
  test('is an image of the store when all of it has come, in as many sessions as it took', async () => {
    await allow()
    const middle = Math.floor(bytes.length / 2)
    expect(await send(0, middle)).toMatchObject({ offset: middle })
    await f.b.restart()
    expect(await look()).toMatchObject({ offset: middle })
    expect(await send(middle, bytes.length)).toMatchObject({ offset: bytes.length })
    const { output, progress } = await receive()
    expect(output).toMatchObject({ sha256: sha256(bytes), actualSize: bytes.length, size: 16 * 1024 ** 2, format: 'qcow2' })
    expect(progress).toContainEqual(expect.objectContaining({ step: 'check', doneBytes: bytes.length, percent: 100 }))
    expect(stored()).toEqual([`${f.b.store}/images/${sha256(bytes)}.qcow2`, `${f.b.store}/refs/${IMAGE}.json`])
    // asked again, as after a crash
    expect((await receive()).output).toEqual(output)
  })

  test('is written in the order in which it comes, with no more on its way than the window', async () => {
    await allow()
    let most = 0
    let waiting = 0
    const { channel, said, session } = await open(0)
    for (let n = 0; n < 40; n++) {
      const piece = new Uint8Array(64 * 1024).fill(n)
      waiting += piece.length
      most = Math.max(most, waiting)
      if (!channel.send(piece)) {
        const before = said.room
        await vi.waitFor(() => expect(said.room).toBeGreaterThan(before), soon)
        waiting = 0
      }
    }
    channel.close('that is all')
    expect(await look({ session })).toMatchObject({ offset: 40 * 64 * 1024 })
    expect(most).toBeLessThanOrEqual(WINDOW_BYTES)
    const { data } = f.host.disk.files.get(`${f.b.store}/images/${IMAGE}.part`)!
    expect([...new Set(data.filter((_, i) => i % (64 * 1024) === 0))]).toEqual([...Array(40).keys()])
  })

  test('takes bytes only where the last ones ended, and only by its token', async () => {
    await allow()
    await expect(open(1)).rejects.toMatchObject({ code: 'upload-offset', details: { offset: 0 } })
    await expect(open(0, { tokenHash: sha256('another') })).rejects.toMatchObject({ code: 'session-invalid' })
    await expect(f.b.run('image', 'uploaded', id(6), at())).rejects.toMatchObject({ code: 'not-found' })
    await expect(open(0, { storePath: f.b.pool })).rejects.toMatchObject({ code: 'no-backup-storage' })
    await expect(receive()).rejects.toMatchObject({ code: 'upload-offset' })
    expect(await look()).toMatchObject({ offset: 0 })
  })

  test('allowed again keeps what came; with another token it begins anew', async () => {
    await allow()
    await send(0, 100)
    await allow()
    expect(await look()).toMatchObject({ offset: 100 })
    const other = sha256('another')
    await allow({ tokenHash: other })
    expect(await look({ tokenHash: other })).toMatchObject({ offset: 0 })
    await expect(look()).rejects.toMatchObject({ code: 'session-invalid' })
  })

  test('another session ends the one before, whose bytes stay', async () => {
    await allow()
    const first = await open(0)
    first.channel.send(bytes.subarray(0, 100))
    await vi.waitFor(async () => expect(await look()).toMatchObject({ offset: 100 }), soon)
    const second = await open(100)
    await vi.waitFor(() => expect(first.said.ended).toContain('another connection'), soon)
    second.channel.send(bytes.subarray(100, 150))
    second.channel.close('that is all')
    expect(await look({ session: second.session })).toMatchObject({ offset: 150 })
  })

  test('for which there is no room says so, and can be removed', async () => {
    await allow()
    const { disk } = f.host
    disk.totalBytes = disk.usedBytes() + 1_000
    const { session, channel, said } = await open(0)
    channel.send(bytes)
    await vi.waitFor(() => expect(said.ended).toContain('cannot write'), soon)
    await expect(look({ session })).rejects.toMatchObject({ code: 'disk-full' })
    await f.b.run('image', 'remove', IMAGE, { storePath: f.b.store, sha256: null })
    expect(stored()).toEqual([])
    await expect(look()).rejects.toMatchObject({ code: 'not-found' })
  })

  test.each<[string, object, (b: Uint8Array) => Uint8Array, string]>([
    ['a checksum of something else', { checksum: `md5:${'0'.repeat(32)}` }, (b) => b, 'image-checksum'],
    ['no image', {}, () => new Uint8Array(70_000), 'image-refused'],
    ['another format', { format: 'iso' }, (b) => b, 'image-refused'],
  ])('with %s is refused, and leaves nothing', async (_, more, changed, code) => {
    await allow(more)
    bytes = changed(bytes)
    await send(0, bytes.length)
    await expect(receive()).rejects.toMatchObject({ code })
    expect(stored()).toEqual([])
  })

  test('is closed only when all that came is written, one piece after another', async () => {
    const done: string[] = []
    const sink = {
      write: async (piece: Uint8Array) => {
        // the first takes longest
        await new Promise((resolve) => setTimeout(resolve, 20 - 5 * piece[0]!))
        done.push(`wrote ${piece[0]}`)
      },
      close: async () => void done.push('closed'),
    }
    const [to, from] = [`${subjects.io('storage', AGENT, id(7), 'in')}`, subjects.io('storage', AGENT, id(7), 'out')]
    const session = new UploadSession(id(7), { sink, bus, timers: realTimers, hear: to, say: from, heard: () => undefined })
    const far = new Channel(
      { bus, timers: realTimers, hear: from, say: to },
      { onBytes: () => undefined, onRoom: () => undefined, onEnd: () => undefined },
    )
    for (const n of [0, 1, 2, 3]) far.send(new Uint8Array(10).fill(n))
    far.close('that is all')
    await session.ended
    expect(done).toEqual(['wrote 0', 'wrote 1', 'wrote 2', 'wrote 3', 'closed'])
  })

  test('that is removed while bytes come is gone', async () => {
    await allow()
    const { channel, said } = await open(0)
    channel.send(bytes.subarray(0, 100))
    await f.b.run('image', 'remove', IMAGE, { storePath: f.b.store, sha256: null })
    channel.send(bytes.subarray(100, 200))
    await vi.waitFor(() => expect(said.ended).toContain('removed'), soon)
    expect(stored()).toEqual([])
  })
})
