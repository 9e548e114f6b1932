import { existsSync } from 'node:fs'
import { requireOrSkip } from './require-or-skip.ts'

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']
const has = (tool: string): boolean => folders.some((folder) => existsSync(`${folder}/${tool}`))

/** Root and these programs; says aloud what is missing. */
export function rootWith(...tools: string[]): boolean {
  const missing = tools.filter((tool) => !has(tool))
  return requireOrSkip(`root and ${tools.join(', ')}`, process.getuid?.() === 0 && missing.length === 0)
}
