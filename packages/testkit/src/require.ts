/** What a suite needs from the machine. A suite that can't run says so aloud; in CI that is a failure: it would prove nothing. */
import { existsSync } from 'node:fs'

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

export interface Needs {
  root?: boolean
  programs?: readonly string[]
  /** anything else, by what it is called: `{ 'libvirt.so.0': false }` */
  present?: Readonly<Record<string, boolean>>
}

const isInstalled = (program: string) => FOLDERS.some((folder) => existsSync(`${folder}/${program}`))

/** True: everything is there. False: it was said aloud what is missing. Throws in CI. */
export function requireOrSkip(suite: string, needs: Needs): boolean {
  const missing = [...(needs.programs ?? []).filter((program) => !isInstalled(program))]
  for (const [what, there] of Object.entries(needs.present ?? {})) if (!there) missing.push(what)
  if (needs.root && process.getuid?.() !== 0) missing.push('root')
  if (missing.length === 0) return true
  const why = `${suite} needs what is not here: ${missing.join(', ')}`
  if (process.env['CI']) throw new Error(why)
  console.warn(`SKIPPED: ${why}`)
  return false
}
