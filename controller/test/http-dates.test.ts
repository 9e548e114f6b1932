import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isoDate, zstackDate } from '../src/http/dates.ts'

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
})
