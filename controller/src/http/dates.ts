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
