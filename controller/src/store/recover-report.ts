/** What the verb `recover` prints. */
import type { SkerryError } from '@skerry/contract'
import type { Cut, Examined, LostCommit } from './recover.ts'

/** Beyond these only their number is told. */
const MOST_LINES = 200

const where = ({ message, details }: SkerryError): string => `${message}: ${details['file']} at byte ${details['offset']}`

function lostLine({ seq, at, actor, job, facts }: LostCommit): string {
  const what = facts.map(({ noun, uuid, event }) => `${noun} ${uuid} ${event}`).join(', ')
  return `  ${seq}  ${new Date(at).toISOString()}  ${what || 'no event'}  (by ${actor}${job ? `, job ${job}` : ''})`
}

/** Where the damage is, and what ends with it. Ends in a line break. */
export function damageReport({ damage, lastGood, durable, lost, harmless, incarnation }: Examined): string {
  const lines = [`the log is good up to commit ${lastGood} (incarnation ${incarnation})`]
  for (const error of harmless) lines.push(`damaged, but not needed: ${where(error)}`)
  if (!damage) lines.push('nothing needs to be cut: the controller starts as usual')
  else {
    const newest = Math.max(durable, lost.at(-1)?.seq ?? 0)
    lines.push(`damaged: ${where(damage)}`)
    lines.push(
      `a cut loses ${newest - lastGood} commits, ${lastGood + 1} to ${newest}; ${lost.length} of them can still be read:`,
    )
    lines.push(...lost.slice(0, MOST_LINES).map(lostLine))
    if (lost.length > MOST_LINES) lines.push(`  … and ${lost.length - MOST_LINES} more`)
    lines.push('a backup that is whole may hold them: restore it instead, or cut here with --cut')
  }
  return `${lines.join('\n')}\n`
}

export function cutReport({ lastGood, incarnation, aside }: Cut): string {
  const kept = aside.length > 0 ? `; kept beside: ${aside.join(', ')}` : ''
  return `cut after commit ${lastGood}, incarnation ${incarnation} begins${kept}\nthe controller can be started; what hosts have and the log doesn't shows as Orphaned\n`
}
