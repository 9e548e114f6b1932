/** What became of runs, counted by hour, day or month. Pure. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

type Unit = 'Hour' | 'Day' | 'Month'

/** The moment `n` units after another; in the time zone of the controller, as cron lines are. A month that is too short ends earlier. */
function later(at: number, unit: Unit, n: number): number {
  const date = new Date(at)
  if (unit === 'Hour') return at + n * 3_600_000
  if (unit === 'Day') return date.setDate(date.getDate() + n)
  const day = date.getDate()
  date.setDate(1)
  date.setMonth(date.getMonth() + n)
  const days = new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate()
  return date.setDate(Math.min(day, days))
}

/** The beginning of the unit that a moment is in. */
function beginning(at: number, unit: Unit): number {
  const date = new Date(at)
  date.setMinutes(0, 0, 0)
  if (unit !== 'Hour') date.setHours(0)
  if (unit === 'Month') date.setDate(1)
  return date.getTime()
}

type Outcome = 'success' | 'failure' | 'partialSuccess' | 'waiting'

/** What became of a run: of one job, or of a group's jobs together. A run that was missed has failed. */
function outcomeOf(runs: readonly Readonly<Row>[]): Outcome {
  const states = runs.map(({ state }) => state)
  if (states.some((state) => state === 'Waiting' || state === 'Running')) return 'waiting'
  const good = states.filter((state) => state === 'Succeeded').length
  if (good === states.length) return 'success'
  return good === 0 ? 'failure' : 'partialSuccess'
}

export function executionReport(graph: Graph, params: Row, now: number): Row {
  const unit = params['intervalTimeUnit'] as Unit
  const count = Math.max(1, params['range'] as number)
  const types = new Set(params['schedulerJobTypes'] as string[])
  const first = (params['startTime'] as number) || later(beginning(now, unit), unit, 1 - count)
  const bounds = Array.from({ length: count + 1 }, (_, i) => later(first, unit, i))
  const together = new Map<string, Readonly<Row>[]>()
  for (const [key, run] of graph.rows('schedulerJobHistory')) {
    const at = run['startTime'] as number
    if (!types.has(run['schedulerJobType'] as string) || at < bounds[0]! || at >= bounds[count]!) continue
    const group = run['schedulerJobGroupUuid']
    const of = group ? `${group}/${run['triggerUuid']}/${at}` : key
    together.set(of, [...(together.get(of) ?? []), run])
  }
  const zeros = () => Array.from({ length: count }, () => 0)
  const sums: Record<Outcome, number[]> = { success: zeros(), failure: zeros(), partialSuccess: zeros(), waiting: zeros() }
  for (const runs of together.values()) {
    const at = runs[0]!['startTime'] as number
    sums[outcomeOf(runs)][bounds.findIndex((bound, i) => i < count && at < bounds[i + 1]! && at >= bound)]! += 1
  }
  return Object.fromEntries(Object.entries(sums).map(([name, list]) => [`${name}Records`, list]))
}
