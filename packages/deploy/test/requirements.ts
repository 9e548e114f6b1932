/** Says aloud why a suite can't run here; in CI that is a failure, because a suite that never runs proves nothing. */
import { existsSync } from 'node:fs'

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** True: all programs are there and we are root. */
export function requireOrSkip(suite: string, needs: { root?: boolean; programs: readonly string[] }): boolean {
  const missing = needs.programs
    .filter((program) => !FOLDERS.some((folder) => existsSync(`${folder}/${program}`)))
    .map((program) => `${program} is not installed`)
  if (needs.root && process.getuid?.() !== 0) missing.push('it needs root')
  if (missing.length === 0) return true
  const reason = `${suite} cannot run here: ${missing.join(', ')}`
  if (process.env['CI']) throw new Error(reason)
  console.warn(`SKIPPED: ${reason}`)
  return false
}
