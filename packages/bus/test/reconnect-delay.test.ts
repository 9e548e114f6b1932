import { requireOrSkip, startNats } from '@skerry/testkit'
import { describe, expect, it, vi } from 'vitest'
import { reconnectDelay } from '../src/reconnect-delay.ts'
import { eventually } from './conformance/world.ts'

const YEAR = 365 * 86_400_000

/** The nats client's own loop (nats 2.29, `dodialLoop`), on a clock of ours: monotonic times of its attempts. */
function attempts(count: number, jumps: Partial<Record<number, number>>): number[] {
  const time = { wall: 1_700_000_000_000, mono: 0 }
  const handler = reconnectDelay(() => 1_000, { wall: () => time.wall, monotonic: () => time.mono })
  const made: number[] = []
  let lastConnect = 0
  for (let turns = 0; made.length < count; turns += 1) {
    if (turns > 100) throw new Error(`only ${made.length} attempts, at ${made}`)
    const wait = handler()
    const now = time.wall
    if (lastConnect === 0 || lastConnect + wait <= now) {
      lastConnect = now
      made.push(time.mono)
      time.wall += jumps[made.length] ?? 0
      time.wall += 10 // an attempt that is refused takes a moment
      time.mono += 10
    } else {
      const ms = Math.max(1, Math.min(wait, lastConnect + wait - now))
      time.wall += ms
      time.mono += ms
    }
  }
  return made
}

describe('attempts to reconnect', () => {
  it.each([
    { clock: 'runs evenly', jumps: {} },
    { clock: 'is set two years back', jumps: { 2: -2 * YEAR } },
    { clock: 'is set a year ahead', jumps: { 2: YEAR } },
    { clock: 'is set an hour back', jumps: { 1: -3_600_000, 3: -3_600_000 } },
  ])('come after their delay when the wall clock $clock', ({ jumps }) => {
    expect(attempts(4, jumps)).toEqual([0, 1_000, 2_000, 3_000])
  })
})

if (requireOrSkip('reconnecting to nats-server', { programs: ['nats-server'] })) {
  describe('a connection to nats-server', () => {
    it('comes back when the clock was set two years back', async () => {
      const server = await startNats()
      const { now } = Date
      try {
        const bus = await server.connect('controller')
        let state = ''
        bus.onState((s) => (state = s))
        await eventually(() => state === 'connected')
        vi.spyOn(Date, 'now').mockImplementation(() => now() - 2 * YEAR)
        await server.kill()
        await eventually(() => state !== 'connected')
        await server.restart()
        await eventually(() => state === 'connected')
      } finally {
        vi.restoreAllMocks()
        await server.stop()
      }
    })
  })
}
