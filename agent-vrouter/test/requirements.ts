/** Says aloud why a suite can't run here; in CI that is a failure, because a suite that never runs proves nothing. */
import { execFileSync } from 'node:child_process'

/** True: all programs are there and we are root. */
export function requireOrSkip(suite: string, programs: readonly string[]): boolean {
  const missing = programs.filter((program) => !isInstalled(program)).map((program) => `${program} is not installed`)
  if (process.getuid?.() !== 0) missing.push('it needs root')
  if (missing.length === 0) return true
  const reason = `${suite} cannot run here: ${missing.join(', ')}`
  if (process.env['CI']) throw new Error(reason)
  console.warn(`SKIPPED: ${reason}`)
  return false
}

function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], {
      stdio: 'ignore',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    return true
  } catch {
    return false // `which` has no other answer
  }
}
