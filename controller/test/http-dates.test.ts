import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { httpDates, isoDate, zstackDate } from '../src/http/dates.ts'

const time = fc.integer({ min: 0, max: Date.UTC(2999, 0, 1) })

describe('dates', () => {
  it('of /v1 are ISO 8601 at every millisecond', () =>
    fc.assert(fc.property(time, (ms) => isoDate(ms) === new Date(ms).toISOString())))
  it('of ZStack are en-US in UTC, with plain spaces', () => {
    const form = new Intl.DateTimeFormat('en-US', {
      timeZone: 'UTC',
      month: 'short',
      day: 'numeric',
      year: 'numeric',
      hour: 'numeric',
      minute: '2-digit',
      second: '2-digit',
      hour12: true,
    })
    const reference = (ms: number) =>
      form
        .format(ms)
        .replace(/\u202f/g, ' ')
        .replace(/(\d{4}),/, '$1')
    fc.assert(fc.property(time, (ms) => zstackDate(ms) === reference(ms)))
    expect([zstackDate(0), zstackDate(43_200_000)]).toEqual(['Jan 1, 1970 12:00:00 AM', 'Jan 1, 1970 12:00:00 PM'])
  })
  it('of signed requests are read in every zone that clients write', () => {
    const noon = Date.UTC(2017, 10, 14, 12, 20, 57)
    const read = (clock: string, zone: string) => httpDates(`Tue, 14 Nov 2017 ${clock}:57 ${zone}`)
    for (const zone of ['GMT', 'UTC', 'Etc/UTC', '+0000', '-00:00']) expect(read('12:20', zone), zone).toEqual([noon])
    for (const [clock, zone] of [
      ['20:20', '+0800'],
      ['13:20', 'CET'],
      ['18:50', 'MMT'],
      ['07:20', 'EST'],
    ] as const)
      expect(read(clock, zone), zone).toEqual([noon])
    // China's standard time, or that of Chicago
    expect(read('20:20', 'CST')).toContain(noon)
    expect(read('06:20', 'CST')).toContain(noon)
    for (const text of ['', 'Tue, 14 Nov 2017 12:20:57', 'Tue, 14 Foo 2017 12:20:57 GMT', '2017-11-14T12:20:57Z', `${read} XYZ`])
      expect(httpDates(text), text).toEqual([])
  })
})
