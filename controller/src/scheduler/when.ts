/** When a trigger fires: every so many seconds, or as a cron line says. Pure: the time of day comes in. */
import { type Row, SkerryError } from '@skerry/contract'
import { Cron } from 'croner'

/** So late a run may still begin: a busy controller is no absent one. */
export const LATE_MS = 120_000
/** So many slots of a cron line are counted; a controller that was away for longer says that it missed at least these. */
const COUNTED = 1_000

export interface When {
  schedulerType: 'simple' | 'cron'
  schedulerInterval: number | null
  /** 0 or null: without end */
  repeatCount: number | null
  startTime: number | null
  cron: string | null
}

const cronOf = (line: string) => new Cron(line, { paused: true, alternativeWeekdays: true })

/** Throws `invalid-argument`, naming the field. */
export function checkWhen({ schedulerType, schedulerInterval, cron }: When): void {
  const wrong = (field: string, problem: string) =>
    new SkerryError('invalid-argument', `invalid field[${field}]: ${problem}`, { field })
  if (schedulerType === 'simple' && schedulerInterval === null)
    throw wrong('schedulerInterval', 'a simple trigger needs it, in seconds')
  if (schedulerType === 'cron' && cron === null) throw wrong('cron', 'a cron trigger needs it')
  if (cron === null) return
  // Words such as @reboot, and ISO dates, which the library takes as well, are no lines of Quartz.
  if (cron.trim().split(/\s+/).length < 6) throw wrong('cron', 'must have six or seven parts, seconds first: 0 0 2 * * ?')
  let next: Date | null
  try {
    next = cronOf(cron).nextRun(new Date(0))
  } catch (error) {
    throw wrong('cron', (error as Error).message)
  }
  if (!next) throw wrong('cron', 'it never comes to that')
}

/** The first time after `from` (ms, excluded). null: there is none. */
function following(when: When, from: number): number | null {
  if (when.schedulerType === 'cron') return cronOf(when.cron!).nextRun(new Date(from))?.getTime() ?? null
  return from + when.schedulerInterval! * 1000
}

/** When a new trigger fires first. */
export function firstOf(when: When, now: number): number | null {
  const { schedulerType, startTime, schedulerInterval } = when
  if (schedulerType === 'cron') return following(when, Math.max(now, (startTime ?? 0) - 1))
  if (startTime === null) return now + schedulerInterval! * 1000
  if (startTime >= now) return startTime
  const stepMs = schedulerInterval! * 1000
  return startTime + Math.ceil((now - startTime) / stepMs) * stepMs
}

export interface Advance {
  /** the slot that is to be run now; null: all that were due are too long ago */
  runAt: number | null
  /** slots that nobody can make up for */
  missed: number
  /** slots that are over */
  fired: number
  next: number | null
}

function slots(when: When, first: number, now: number): { count: number; last: number } {
  if (when.schedulerType === 'simple') {
    const stepMs = when.schedulerInterval! * 1000
    const count = Math.floor((now - first) / stepMs) + 1
    return { count, last: first + (count - 1) * stepMs }
  }
  let last = first
  let count = 1
  for (let at = following(when, first); at !== null && at <= now && count < COUNTED; at = following(when, at)) {
    last = at
    count++
  }
  return { count, last }
}

/** What is due of a trigger whose next time has come. `fired`: how often it has. */
export function advance(when: When, { next, fired }: { next: number; fired: number }, now: number): Advance {
  const left = when.repeatCount ? Math.max(0, when.repeatCount - fired) : Number.POSITIVE_INFINITY
  const due = slots(when, next, now)
  const count = Math.min(due.count, left)
  const last =
    count === due.count || when.schedulerType === 'cron' ? due.last : next + (count - 1) * when.schedulerInterval! * 1000
  const runs = count > 0 && now - last <= LATE_MS
  // A cron line that was not counted to its end goes on from now.
  const from = when.schedulerType === 'cron' ? Math.max(last, now) : last
  return {
    runAt: runs ? last : null,
    missed: runs ? count - 1 : count,
    fired: count,
    next: left > count ? following(when, from) : null,
  }
}

/** When one with an end fires last; null: without end, or not to be told. */
export function endOf({ schedulerType, repeatCount, schedulerInterval }: When, first: number | null): number | null {
  if (schedulerType === 'cron' || !repeatCount || first === null) return null
  return first + (repeatCount - 1) * schedulerInterval! * 1000
}

/** The fields that say when, of a trigger's row and then of what a call changes. `startTime` of a call is in seconds, 0 is now. */
export function whenOf(params: Row, now: number, row: Readonly<Row> = {}): When {
  const given = (field: string) => params[field] ?? row[field] ?? null
  const start = params['startTime'] as number | undefined
  return {
    schedulerType: given('schedulerType') as When['schedulerType'],
    schedulerInterval: given('schedulerInterval') as number | null,
    repeatCount: given('repeatCount') as number | null,
    startTime: start === undefined ? ((row['startTime'] as number | undefined) ?? null) : start === 0 ? now : start * 1000,
    cron: given('cron') as string | null,
  }
}
