/** Whether a system suite can run here. Says aloud why not; in CI that is a failure. */
import { execFileSync } from 'node:child_process'

export function requireOrSkip(suite: string, programs: Readonly<Record<string, string>>): boolean {
  const missing = Object.entries(programs).filter(([program]) => !has(program))
  if (missing.length === 0) return true
  const why = `SKIPPED ${suite}: ${missing.map(([program, source]) => `${program} is missing (apt-get install ${source})`).join(', ')}`
  if (process.env['CI']) throw new Error(why)
  console.warn(why)
  return false
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false // the answer to the question; the caller names it
  }
}
