/** What a benchmark found, and how it is shown. */

export interface Spread {
  median: number
  min: number
  max: number
}

export interface Result {
  bench: string
  what: string
  unit: string
  limit?: Spread
  skerry: Spread
  /** Skerry against the limit, of the medians, in the direction that the goal speaks of */
  ratio?: number
  goal: string
  met: boolean | null
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

const STEADY = 1.3

/** Why the run says nothing about anything: its own limit moved by more than 30 % between rounds. Undefined: it was steady. */
export function unsteady(what: string, { min, max }: Spread, unit: string): string | undefined {
  if (max <= min * STEADY) return undefined
  return `the limit of '${what}' moved from ${show(min)} to ${show(max)} ${unit} between rounds (more than 30 %): the machine is too busy, run it again`
}

const show = (n: number) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2))
const showSpread = (s: Spread | undefined) =>
  s ? (s.min === s.max ? show(s.median) : `${show(s.median)} (${show(s.min)}–${show(s.max)})`) : ''

export function table(results: readonly Result[]): string {
  const lines = [['', 'limit', 'skerry', 'ratio', 'goal', '']]
  for (const r of results)
    lines.push([
      `${r.bench}: ${r.what}, ${r.unit}`,
      showSpread(r.limit),
      showSpread(r.skerry),
      r.ratio === undefined ? '' : `${show(r.ratio)}×`,
      r.goal,
      r.met === null ? '' : r.met ? 'met' : 'MISSED',
    ])
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
