/** What failed, why, and what helps; the chain of causes, one a line. */
import { SkerryError } from '@skerry/contract'

const DEPTH = 8

export function failureText(error: unknown): string {
  const lines: string[] = []
  for (
    let at = error, depth = 0;
    at !== undefined && depth < DEPTH;
    at = at instanceof Error ? at.cause : undefined, depth += 1
  ) {
    lines.push(`${depth === 0 ? 'failed: ' : '  because: '}${at instanceof Error ? at.message : String(at)}`)
    if (!(at instanceof SkerryError)) continue
    const { remedy } = at.details
    if (typeof remedy === 'string') lines.push(`  what helps: ${remedy}`)
    else if (at.spec.hint) lines.push(`  what helps: ${at.spec.hint}`)
  }
  return lines.join('\n')
}
