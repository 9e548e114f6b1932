/** `skerry backup [file]`, `skerry backup verify <file>`. */
import { resolve } from 'node:path'
import {
  type Checked,
  checkBackup,
  checkPassphrase,
  open,
  readFileChunks,
  type SiteFile,
  seal,
  withKeys,
  writeBackupFile,
} from '@skerry/backup'
import { optionalSiteFiles, SkerryError, siteFiles } from '@skerry/contract'
import { type Files, files } from '@skerry/host'
import type { Io } from '../io.ts'
import { humanBytes } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface BackupOptions extends Globals {
  stateDir?: string
  passphraseFile?: string
  withoutKeys?: boolean
}

const MAX_KEY_BYTES = 1024 * 1024

export const stateDirOf = (io: Io, o: { stateDir?: string }): string =>
  resolve(o.stateDir ?? io.env['SKERRY_STATE_DIR'] ?? '/var/lib/skerry')

/** Never an argument or a variable of its own: those can be read by others. */
export async function passphraseOf(io: Io, o: { passphraseFile?: string }): Promise<string | undefined> {
  const path = o.passphraseFile ?? io.env['SKERRY_BACKUP_PASSPHRASE_FILE']
  if (path === undefined) return undefined
  const passphrase = (await io.readFile(path)).split(/\r?\n/, 1)[0] ?? ''
  if (passphrase === '') throw new SkerryError('invalid-argument', `${path} holds no passphrase`, { path })
  return passphrase
}

async function keysOf(disk: Pick<Files, 'readAt'>, stateDir: string): Promise<SiteFile[]> {
  const keys: SiteFile[] = []
  for (const file of Object.values(siteFiles)) {
    const path = `${stateDir}/${file}`
    const bytes = await disk.readAt(path, 0, MAX_KEY_BYTES)
    if (bytes) keys.push({ file, data: Buffer.from(bytes).toString('base64') })
    else if (!optionalSiteFiles.includes(file))
      throw new SkerryError(
        'not-found',
        `${path} is missing: the keys of a site are on its controller's machine; --without-keys leaves them out`,
        { path },
      )
  }
  return keys
}

const shown = ({ header, rows, secrets, keys }: Checked) =>
  `as of ${new Date(header.at).toISOString()}, seq ${header.seq}, incarnation ${header.incarnation}: ${rows} rows, ${secrets} secrets, ` +
  (keys.length > 0 ? `${keys.length} keys` : 'without keys')

/** Shows how many bytes there are: on a screen in place, else nothing until the end. */
function counter(io: Io): (bytes: number) => void {
  let last = 0
  return (bytes) => {
    if (!io.tty || bytes - last < 256 * 1024) return
    last = bytes
    io.err(`\r\u001b[K${humanBytes(bytes)}`)
  }
}

export async function backup(io: Io, file: string | undefined, o: BackupOptions): Promise<void> {
  const passphrase = await passphraseOf(io, o)
  if (passphrase === undefined && !o.withoutKeys)
    throw new SkerryError(
      'invalid-argument',
      "a backup holds the site's keys, so it is encrypted: give --passphrase-file, or --without-keys",
      { field: 'passphrase-file' },
    )
  // Before anything is asked for: the controller makes one backup at a time.
  if (passphrase !== undefined) checkPassphrase(passphrase)
  const keys = o.withoutKeys ? [] : await keysOf(files(), stateDirOf(io, o))
  const path = resolve(file ?? `skerry-${new Date().toISOString().replace(/[:.]/g, '-')}.backup`)
  const began = performance.now()
  const client = await clientOf(io, o)
  const state = (await client.backup({ signal: io.interrupted })) as unknown as AsyncIterable<Uint8Array>
  // Checked on its way through: a stream that breaks off is no backup.
  const text = withKeys(state, keys)
  const bytes = await writeBackupFile(
    { path, onBytes: counter(io) },
    passphrase === undefined ? text : seal(text, passphrase, io.scryptWorkFactor),
  )
  if (io.tty) io.err('\r\u001b[K')
  const checked = await checkBackup(open(readFileChunks(path), passphrase))
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  io.out(`${path}\n${shown(checked)}\n${humanBytes(bytes)} in ${seconds} s, read back and checked`)
}

export async function verify(io: Io, file: string, o: { passphraseFile?: string }): Promise<void> {
  io.out(`whole: ${shown(await checkBackup(open(readFileChunks(resolve(file)), await passphraseOf(io, o))))}`)
}
