import { describe, expect, it } from 'vitest'
import { ClockWatch, steadyClock } from '../src/steady-clock.ts'
import { BY, put, world } from './store-world.ts'

const YEAR = 365 * 86_400_000
const time = { wall: 1_700_000_000_000, mono: 5_000 }
const pass = (ms: number, jump = 0) => {
  time.mono += ms
  time.wall += ms + jump
}

describe('the steady clock', () => {
  it('goes on evenly while the wall clock jumps', () => {
    const clock = steadyClock(
      () => time.wall,
      () => time.mono,
    )
    const began = clock.now()
    for (const jump of [YEAR, -YEAR, -YEAR]) pass(1_000, jump)
    expect(clock.now() - began).toBe(3_000)
  })

  it('says whole milliseconds, as dates are written, though the monotonic clock has parts of them', () => {
    const parts = [5_000.25, 5_001.9]
    const clock = steadyClock(
      () => 1_700_000_000_000,
      () => parts.shift()!,
    )
    expect(clock.now()).toBe(1_700_000_000_001)
  })
})

describe('what is deleted by its age', () => {
  it('waits until the wall clock has run evenly for a day', () => {
    const jumps: number[] = []
    const watch = new ClockWatch({ now: () => time.wall, monotonic: () => time.mono, jumped: (by) => jumps.push(by) })
    expect(watch.believed()).toBe(true)
    pass(60_000, 500) // slewed
    expect(watch.believed()).toBe(true)
    pass(60_000, YEAR)
    expect(watch.believed()).toBe(false)
    pass(23 * 3_600_000)
    expect(watch.believed()).toBe(false)
    pass(60_000, -YEAR)
    expect(watch.believed()).toBe(false)
    pass(23 * 3_600_000)
    expect(watch.believed()).toBe(false)
    pass(3_600_000)
    expect(watch.believed()).toBe(true)
    expect(jumps).toEqual([YEAR, -YEAR])
  })

  it.each([
    { last: 'an hour ago', awayMs: 3_600_000, believed: true, jumps: [] },
    { last: 'a year ago: off, or wrong', awayMs: YEAR, believed: false, jumps: [] },
    { last: 'in a year: wrong', awayMs: -YEAR, believed: false, jumps: [-YEAR] },
  ])('begins by comparing with the last process: $last', ({ awayMs, believed, jumps }) => {
    const seen: number[] = []
    const ports = { now: () => time.wall, monotonic: () => time.mono, jumped: (by: number) => seen.push(by) }
    const watch = new ClockWatch({ ...ports, before: time.wall - awayMs })
    expect(watch.believed()).toBe(believed)
    expect(seen).toEqual(jumps)
    pass(24 * 3_600_000)
    expect(watch.believed()).toBe(true)
  })

  it('knows when the last process was seen alive from the newest commit, also when a snapshot holds it', async () => {
    let now = 1_700_000_000_000
    const clock = () => now
    const first = await world(undefined, {}, clock)
    expect(first.store.recovery.at).toBeUndefined()
    await first.store.commit(put(1), BY)
    now += YEAR
    await first.store.commit(put(2), BY)
    await first.store.close()
    const again = await world(first.disk, {}, clock)
    expect(again.store.recovery.at).toBe(now)
    await again.store.snapshot()
    await again.store.close()
    const third = await world(first.disk, {}, clock)
    expect(third.store.recovery).toMatchObject({ replayed: 0, at: now })
    await third.store.close()
  })
})
