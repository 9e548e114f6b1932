/**
 * How the two dialects write a timestamp. By hand: ICU puts U+202F before AM/PM, which breaks ZStack's clients (zstack-wire),
 * and a list of a thousand VMs holds six thousand dates, so the calendar is asked once a day only.
 */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const DAY_MS = 86_400_000
const two = (n: number) => (n < 10 ? `0${n}` : String(n))

/** `write` for the day that a time falls on, remembered for the last day asked. */
function byDay(write: (date: Date) => string): (day: number) => string {
  let last = Number.NaN
  let text = ''
  return (day) => {
    if (day !== last) {
      text = write(new Date(day * DAY_MS))
      last = day
    }
    return text
  }
}

const zstackDay = byDay((date) => `${months[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}`)
const isoDay = byDay((date) => date.toISOString().slice(0, 10))

function split(epochMs: number) {
  const day = Math.floor(epochMs / DAY_MS)
  const ms = epochMs - day * DAY_MS
  const seconds = Math.floor(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  return { day, ms: ms % 1000, seconds: seconds % 60, minutes: minutes % 60, hours: Math.floor(minutes / 60) }
}

/** `MMM d, yyyy h:mm:ss a` in UTC, e.g. `Nov 14, 2017 10:20:57 PM`. */
export function zstackDate(epochMs: number): string {
  const { day, seconds, minutes, hours } = split(epochMs)
  return `${zstackDay(day)} ${hours % 12 === 0 ? 12 : hours % 12}:${two(minutes)}:${two(seconds)} ${hours < 12 ? 'AM' : 'PM'}`
}

/** ISO 8601 in UTC with milliseconds. */
export function isoDate(epochMs: number): string {
  const { day, ms, seconds, minutes, hours } = split(epochMs)
  return `${isoDay(day)}T${two(hours)}:${two(minutes)}:${two(seconds)}.${ms < 100 ? '0' : ''}${two(ms)}Z`
}

const HTTP_DATE = /^[A-Z][a-z]{2}, (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) ([A-Za-z/]+|[+-]\d{2}:?\d{2})$/

/** Hours east of UTC. ZStack's clients sign with the clock of their machine, whose zone has a name that may mean two. */
const ZONES: Readonly<Record<string, readonly number[]>> = {
  ...{ UTC: [0], GMT: [0], Z: [0], UCT: [0], WET: [0], WEST: [1], BST: [1], CET: [1], CEST: [2], EET: [2], EEST: [3], MSK: [3] },
  ...{ IST: [5.5], MMT: [6.5], ICT: [7], WIB: [7], CST: [8, -6], HKT: [8], SGT: [8], JST: [9], KST: [9], AEST: [10], AEDT: [11] },
  ...{ EST: [-5], EDT: [-4], CDT: [-5], MST: [-7], MDT: [-6], PST: [-8], PDT: [-7] },
}

function offsetsOf(zone: string): readonly number[] {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? []
  if (sign !== undefined) return [(sign === '-' ? -1 : 1) * (Number(hours) + Number(minutes) / 60)]
  return ZONES[zone.replace(/^Etc\//, '')] ?? []
}

/** Epoch ms of `EEE, dd MMM yyyy HH:mm:ss z`: one for each place where the zone may be; none when the text can't be read. */
export function httpDates(text: string): number[] {
  const [, day, name, year, hours, minutes, seconds, zone] = HTTP_DATE.exec(text.trim()) ?? []
  const month = (months as readonly string[]).indexOf(name ?? '')
  if (month < 0) return []
  const there = Date.UTC(Number(year), month, Number(day), Number(hours), Number(minutes), Number(seconds))
  return offsetsOf(zone!).map((offset) => there - offset * 3_600_000)
}
