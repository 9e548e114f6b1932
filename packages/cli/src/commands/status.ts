/** `skerry status`: the site at a glance, and what is wrong with it. Ends with 1 when something critical is. */
import { type ConditionCode, conditionKinds, SkerryError } from '@skerry/contract'
import type { Client, ShownCondition, SiteStatus } from '@skerry/sdk'
import { type ExitCode, exitCodes } from '../failure.ts'
import type { Io } from '../io.ts'
import { type Format, formatOne, humanBytes, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface StatusOptions extends Globals {
  output: Format
  json?: boolean
}

/** Of one kind, so many are named; a dead host may have hundreds. */
const NAMED = 5

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** `3 d`, `12 min`. */
export function duration(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ['s', 1_000]
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`
}

const states = (byState: Record<string, number>) =>
  Object.entries(byState)
    .map(([state, n]) => `${n} ${state}`)
    .join(', ')

function glance({ controller, store, nats, agents, hosts, vms, jobs }: SiteStatus): string {
  const line = (part: string, state: string, facts: string) => ({ part, state, facts })
  const of = ({ total, connected }: { total: number; connected: number }) => `${connected} of ${total} connected`
  const stuck = jobs.stuck > 0 ? `, ${jobs.stuck} stuck` : ''
  return table(
    ['part', 'state', 'facts'],
    [
      line(
        'controller',
        store.writable ? 'ready' : 'read-only',
        `version ${controller.version}, up ${duration(controller.upMs)}`,
      ),
      line('store', store.reason ?? 'writable', `commit ${store.durableSeq}, ${humanBytes(store.bytes)}`),
      line('nats', nats.state, ''),
      line('agents', of(agents), ''),
      line('hosts', of(hosts), ''),
      line('vms', String(vms.total), states(vms.byState)),
      line('jobs', `${jobs.processing + jobs.undoing} running${stuck}`, ''),
    ],
  )
}

/** Conditions of one kind together, worst first as they come. */
function grouped(conditions: readonly ShownCondition[]): ShownCondition[][] {
  const groups = new Map<string, ShownCondition[]>()
  for (const condition of conditions) groups.set(condition.code, [...(groups.get(condition.code) ?? []), condition])
  return [...groups.values()]
}

function describe([first, ...rest]: ShownCondition[], now: number): string {
  if (!first) return ''
  const all = [first, ...rest]
  const left = all.length - NAMED
  return [
    `${first.severity}: ${first.title} (${first.code})`,
    ...all.slice(0, NAMED).map(({ message, since }) => `  for ${duration(now - Date.parse(since))}: ${message}`),
    ...(left > 0 ? [`  and ${left} more`] : []),
    `  by itself: ${first.heals}`,
    `  to do: ${first.hint}`,
  ].join('\n')
}

const isCode = (code: string): code is ConditionCode => code in conditionKinds

/** Nobody can log in while the log can't be written: what is in the way is told to everyone. Else the error stands. */
async function withoutSession(io: Io, client: Client, error: unknown): Promise<undefined> {
  if (!(error instanceof SkerryError && error.code === 'session-invalid')) throw error
  const { ready, conditions } = await client.readiness()
  if (ready) throw error
  for (const code of conditions) {
    const kind = isCode(code) ? conditionKinds[code] : undefined
    io.out(kind ? `${kind.severity}: ${kind.title} (${code})\n  by itself: ${kind.heals}\n  to do: ${kind.hint}` : code)
  }
  io.err('without a session, so this is not all: log in when the controller takes writes again\n')
  return undefined
}

export async function status(io: Io, o: StatusOptions, now = Date.now()): Promise<ExitCode> {
  const client = await clientOf(io, o)
  const site = await client.status().catch((error) => withoutSession(io, client, error))
  if (site === undefined) return exitCodes.failure
  const format = o.json ? 'json' : o.output
  if (format === 'table') {
    const { critical, warning, info } = site.counts
    const total = critical + warning + info
    io.out(glance(site))
    for (const group of grouped(site.conditions)) io.out(`\n${describe(group, now)}`)
    if (total > site.conditions.length) io.out(`\n${total - site.conditions.length} more: GET /v1/conditions`)
    io.out(total === 0 ? '\nnothing is wrong' : `\n${critical} critical, ${warning} warnings, ${info} for information`)
  } else io.out(await formatOne({ ...site }, [], format))
  return site.counts.critical > 0 ? exitCodes.failure : exitCodes.ok
}
