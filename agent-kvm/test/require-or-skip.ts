import { existsSync } from 'node:fs'

const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Root and these programs; says aloud what is missing, and fails in CI. */
export function rootWith(...tools: string[]): boolean {
  const missing = tools.filter((tool) => !folders.some((folder) => existsSync(`${folder}/${tool}`)))
  if (process.getuid?.() === 0 && missing.length === 0) return true
  const what = `root and ${tools.join(', ')}`
  if (process.env['CI']) throw new Error(`this suite needs ${what}, and in CI a skip is a failure`)
  console.warn(`SKIPPED: this suite needs ${what}`)
  return false
}
