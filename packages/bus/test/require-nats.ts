import { spawnSync } from 'node:child_process'

/** Whether nats-server is here. Says aloud when not; in CI that is a failure. */
export function requireNatsOrSkip(suite: string): boolean {
  const found = spawnSync('nats-server', ['--version']).status === 0
  if (found) return true
  const why = `${suite}: nats-server is not installed (apt-get install nats-server)`
  if (process.env.CI) throw new Error(why)
  process.stderr.write(`SKIPPED ${why}\n`)
  return false
}
