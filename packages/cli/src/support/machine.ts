/** What of this machine goes into a support bundle: the logs of services, what lies where, how it was set up. Reads only. */
import type { Row } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { fields, logLine, pick } from './allowed.ts'

export type SupportFiles = Pick<Files, 'list' | 'stat' | 'read' | 'readAt' | 'write'>

/** Logs that are known; of others only the size is told. */
const LOGS = ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter', 'supervisor', 'nats', 'libvirtd', 'virtlogd']
const LOG_BYTES = 2 * 1024 * 1024
const MAX_LISTED = 20_000
/** Guests' disks and images are many, and nobody needs their names. */
const NOT_LISTED = new Set(['primary', 'images', 'cache', 'app'])

/** The last lines of each log, and the names of logs that are left out. */
export async function logsIn(files: SupportFiles, stateDir: string): Promise<{ name: string; text: string }[] | undefined> {
  const folder = `${stateDir}/logs`
  const names = await files.list(folder)
  if (!names) return undefined
  const known = names.filter((name) => LOGS.includes(name.replace(/\.log(\.\d+)?$/, '')))
  return Promise.all(known.map(async (name) => ({ name, text: await tailOf(files, `${folder}/${name}`) })))
}

async function tailOf(files: SupportFiles, path: string): Promise<string> {
  const sizeBytes = (await files.stat(path))?.sizeBytes ?? 0
  const from = Math.max(0, sizeBytes - LOG_BYTES)
  const bytes = (await files.readAt(path, from, LOG_BYTES)) ?? new Uint8Array()
  const lines = Buffer.from(bytes).toString('utf8').split('\n')
  // The first line is cut where the log is longer.
  return lines
    .slice(from > 0 ? 1 : 0)
    .map((line) => (line === '' ? '' : logLine(line)))
    .join('\n')
}

/** Path, size, mode and time of what is below the state folder. No content. */
export async function listing(files: SupportFiles, stateDir: string): Promise<string | undefined> {
  if (!(await files.stat(stateDir))) return undefined
  const lines: string[] = []
  const visit = async (folder: string): Promise<void> => {
    for (const name of (await files.list(folder)) ?? []) {
      const path = `${folder}/${name}`
      const stat = await files.stat(path)
      if (!stat || lines.length >= MAX_LISTED) continue
      const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
      const shown = path.slice(stateDir.length + 1)
      lines.push(
        `${mode} ${String(stat.sizeBytes).padStart(12)} ${new Date(stat.modifiedMs).toISOString()} ${shown}${stat.kind === 'folder' ? '/' : ''}`,
      )
      if (stat.kind === 'folder' && !NOT_LISTED.has(shown)) await visit(path)
    }
  }
  await visit(stateDir)
  return `${lines.join('\n')}\n`
}

/** How `up` set the site up. */
export async function setUp(files: SupportFiles, stateDir: string): Promise<Row | undefined> {
  const text = await files.read(`${stateDir}/up.json`)
  return text === undefined ? undefined : pick(JSON.parse(text) as Row, fields.site)
}

/** Secrets that lie on this machine, to be searched for in what would be written. */
export async function secretsHere(files: SupportFiles, stateDir: string): Promise<Map<string, string>> {
  const known = new Map<string, string>()
  const password = (await files.read(`${stateDir}/ca/admin.password`))?.trim()
  // The one that everybody knows is a word of the language too.
  if (password && password.length >= 8 && password !== 'password') known.set(password, 'the password of admin')
  const key = await files.readAt(`${stateDir}/controller/site.key`, 0, 32)
  if (key?.length === 32) known.set(Buffer.from(key).toString('hex'), 'the site key')
  return known
}
