/** How `up` and `down` show their steps and their failures. */
import { SkerryError } from '@skerry/contract'
import { Listr, type ListrTask } from 'listr2'

export interface ShownStep {
  title: string
  run(say: (text: string) => void): Promise<void>
  /** Shown in its place when it is not to be done. */
  skip?: string
}

/** One after another; the first failure ends it and is thrown. Without a terminal: a line a step. */
export async function runSteps(steps: readonly ShownStep[], terminal: boolean): Promise<void> {
  const tasks = steps.map(
    ({ title, run, skip }): ListrTask => ({
      title,
      ...(skip === undefined ? {} : { skip: `${title}: ${skip}` }),
      task: async (_, task) => {
        await run((text) => {
          task.output = text
        })
      },
    }),
  )
  const renderer = terminal ? ('default' as const) : ('simple' as const)
  await new Listr(tasks, { renderer, exitOnError: true }).run()
}

/** What failed, why, and what helps; the chain of causes, one a line. */
export function failureText(error: unknown): string {
  const lines: string[] = []
  for (let at = error, depth = 0; at !== undefined && depth < 8; at = at instanceof Error ? at.cause : undefined, depth += 1) {
    lines.push(`${depth === 0 ? 'failed: ' : '  because: '}${at instanceof Error ? at.message : String(at)}`)
    if (!(at instanceof SkerryError)) continue
    const { remedy, log, stderr } = at.details
    if (typeof remedy === 'string') lines.push(`  what helps: ${remedy}`)
    else if (at.spec.hint) lines.push(`  what helps: ${at.spec.hint}`)
    if (typeof log === 'string') lines.push('  the end of its log:', log.replace(/^/gm, '    '))
    else if (typeof stderr === 'string' && stderr.trim() !== '') lines.push(stderr.trim().replace(/^/gm, '    '))
  }
  return lines.join('\n')
}

/** Rows as columns; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
