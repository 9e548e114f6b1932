/** `skerry restore <file>`: the controller's own program does it, because only it writes its state. */
import { resolve } from 'node:path'
import { type ErrorBody, fromErrorBody, SkerryError } from '@skerry/contract'
import type { Io } from '../io.ts'
import { stateDirOf } from './backup.ts'

export interface RestoreOptions {
  stateDir?: string
  passphraseFile?: string
  replace?: boolean
}

/** The error that the controller's program printed as its last line. */
function errorIn(text: string): SkerryError {
  const last = text.trim().split('\n').at(-1) ?? ''
  try {
    return fromErrorBody(JSON.parse(last) as ErrorBody)
  } catch {
    // It ended otherwise: what it said is all there is.
    return new SkerryError('internal', last === '' ? 'the controller’s program said nothing' : last)
  }
}

export async function restore(io: Io, file: string, o: RestoreOptions): Promise<void> {
  if (!io.controller) throw new SkerryError('internal', 'there is no controller on this machine')
  const stateDir = stateDirOf(io, o)
  const passphraseFile = o.passphraseFile ?? io.env['SKERRY_BACKUP_PASSPHRASE_FILE']
  const argv = ['restore', resolve(file), '--state-dir', `${stateDir}/controller`, '--site-dir', stateDir]
  if (passphraseFile) argv.push('--passphrase-file', resolve(passphraseFile))
  if (o.replace) argv.push('--replace')
  const { code, out, err } = await io.controller(argv)
  if (code !== 0) throw errorIn(err)
  io.out(out.trimEnd())
}
