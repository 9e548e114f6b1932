/** Which events a web hook hears: patterns of NATS behind the prefix of events. Pure. */
import { checkPattern, covers } from '@skerry/bus'
import { SkerryError, subjects } from '@skerry/contract'
import { wrongHookUrl } from '../tasks/hook-address.ts'

/** `skerry.v1.evt.` */
const PREFIX = subjects.event('', '', '').replace(/\.+$/, '.')

const patternsOf = (opaque: string | null): string[] =>
  (opaque ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** Whether one who hears these hears what is published at the subject. */
export const coversEvent = (patterns: readonly string[], subject: string): boolean =>
  patterns.some((pattern) => covers(`${PREFIX}${pattern}`, subject))

/** Throws `invalid-argument` for what is no pattern of events. */
export function checkEventPattern(pattern: string, field: string): void {
  try {
    checkPattern(`${PREFIX}${pattern}`)
  } catch {
    throw invalid(field, `${pattern} is no pattern of events: they look like vmInstance.*.state-changed or host.>`)
  }
}

/** Whether a web hook with this `opaque` hears what is published at the subject. */
export function hears(opaque: string | null, subject: string): boolean {
  const patterns = patternsOf(opaque)
  return patterns.length === 0 || coversEvent(patterns, subject)
}

const invalid = (field: string, problem: string) =>
  new SkerryError('invalid-argument', `invalid field[${field}]: ${problem}`, { field })

/** Throws `invalid-argument` for an URL that nobody may be called at, or for what is no pattern. */
export function checkWebhook(params: Readonly<Record<string, unknown>>): void {
  const { url, opaque } = params as { url?: string; opaque?: string }
  const wrong = url === undefined ? undefined : wrongHookUrl(url)
  if (wrong) throw invalid('url', wrong)
  for (const pattern of patternsOf(opaque ?? null)) checkEventPattern(pattern, 'opaque')
}
