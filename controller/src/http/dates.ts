/** How the two dialects write a timestamp. By hand: ICU puts U+202F before AM/PM, which breaks ZStack's clients (zstack-wire). */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const two = (n: number) => (n < 10 ? `0${n}` : String(n))

/** `MMM d, yyyy h:mm:ss a` in UTC, e.g. `Nov 14, 2017 10:20:57 PM`. */
export function zstackDate(epochMs: number): string {
  const d = new Date(epochMs)
  const hours = d.getUTCHours()
  const clock = `${hours % 12 === 0 ? 12 : hours % 12}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} ${hours < 12 ? 'AM' : 'PM'}`
  return `${months[d.getUTCMonth()]} ${d.getUTCDate()}, ${d.getUTCFullYear()} ${clock}`
}

/** ISO 8601 in UTC with milliseconds. */
export const isoDate = (epochMs: number): string => new Date(epochMs).toISOString()
