import { randomBytes } from 'node:crypto'
import { memoryBroker, type Timers } from '@skerry/bus'
import { expect, test, vi } from 'vitest'
import { Channel, type ChannelEnd, SILENT_MS, WINDOW_BYTES } from '../src/index.ts'

const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 })

/** Timers that fire when the test says so. */
function timers(): Timers & { pass(ms: number): void } {
  let now = 0
  let waiting: { at: number; fn: () => void }[] = []
  return {
    nowMs: () => now,
    set(fn, ms) {
      const timer = { at: now + ms, fn }
      waiting.push(timer)
      return timer
    },
    clear: (timer) => void (waiting = waiting.filter((one) => one !== timer)),
    pass(ms) {
      const end = now + ms
      for (;;) {
        const [next] = waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (!next) break
        waiting = waiting.filter((one) => one !== next)
        now = next.at
        next.fn()
      }
      now = end
    },
  }
}

interface Side extends ChannelEnd {
  got: Buffer[]
  untaken: (() => void)[]
  room: number
  ended: string[]
  takes: boolean
}

function side(takes = true): Side {
  const own: Side = {
    ...{ got: [], untaken: [], room: 0, ended: [], takes },
    onBytes(bytes, taken) {
      own.got.push(Buffer.from(bytes))
      if (own.takes) taken()
      else own.untaken.push(taken)
    },
    onRoom: () => void own.room++,
    onEnd: (reason) => void own.ended.push(reason),
  }
  return own
}

async function pair(near = side(), far = side()) {
  const broker = memoryBroker()
  const clock = timers()
  const [a, b] = [broker.connect(), broker.connect()]
  const channels = {
    near: new Channel({ bus: a, timers: clock, hear: 'x.out', say: 'x.in' }, near),
    far: new Channel({ bus: b, timers: clock, hear: 'x.in', say: 'x.out' }, far),
  }
  await Promise.all([channels.near.ready(), channels.far.ready()])
  return { near, far, channels, clock, bus: broker.connect() }
}

test('bytes arrive as they were sent, both ways', async () => {
  const { near, far, channels } = await pair()
  const bytes = randomBytes(200_001)
  channels.near.send(bytes)
  channels.far.send(Buffer.from([0, 255]))
  await until(() => expect(Buffer.concat(far.got).equals(bytes)).toBe(true))
  await until(() => expect([...Buffer.concat(near.got)]).toEqual([0, 255]))
})

test('who is not read is told to wait, and hears when there is room again', async () => {
  const { near, far, channels } = await pair(side(), side(false))
  expect(channels.near.send(Buffer.alloc(WINDOW_BYTES - 1))).toBe(true)
  expect(channels.near.send(Buffer.alloc(1))).toBe(false)
  await until(() => expect(Buffer.concat(far.got).length).toBe(WINDOW_BYTES))
  expect(near.room).toBe(0)
  far.untaken.shift()?.()
  await until(() => expect(near.room).toBe(1))
})

test('an end is told once, with its reason, and ends both', async () => {
  const { near, far, channels } = await pair()
  channels.far.close('refused')
  channels.far.close('again')
  await until(() => expect(near.ended).toEqual(['refused']))
  expect(far.ended).toEqual(['refused'])
  channels.near.send(Buffer.from('late'))
  channels.near.close('late')
  expect(near.ended).toEqual(['refused'])
  expect(far.got).toEqual([])
})

test('a stream with a gap ends instead of going on', async () => {
  const { near, far, bus } = await pair()
  bus.publish('x.in', { n: 1, d: 'YQ==' })
  await until(() => expect(far.ended).toEqual(['a message was lost on the way']))
  await until(() => expect(near.ended).toEqual(['a message was lost on the way']))
  expect(far.got).toEqual([])
})

test('what is not understood ends it', async () => {
  for (const data of [{ d: 'YQ==' }, { n: 0, d: '%' }, { ack: -1 }, 'x', null]) {
    const { far, bus } = await pair()
    bus.publish('x.in', data)
    await until(() => expect(far.ended, JSON.stringify(data)).toEqual(['a message was not understood']))
  }
})

test('signs of life keep an idle one open; one whose other side died ends', async () => {
  const { near, far, channels, clock } = await pair()
  for (let n = 0; n < 20; n++) {
    clock.pass(SILENT_MS / 4)
    await channels.near.ready()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  expect([near.ended, far.ended]).toEqual([[], []])
  const lonely = side()
  const broker = memoryBroker()
  new Channel({ bus: broker.connect(), timers: clock, hear: 'y.out', say: 'y.in' }, lonely)
  clock.pass(SILENT_MS - 1)
  expect(lonely.ended).toEqual([])
  clock.pass(1)
  expect(lonely.ended).toEqual(['the other side has not been heard of for a minute'])
})
