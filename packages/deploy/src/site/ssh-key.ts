/** The key that the demo's guest takes: one of the site's own, apart from a person's `~/.ssh`, or the person's. */
import { dirname } from 'node:path'
import { SkerryError } from '@skerry/contract'
import type { Exec, Files } from '@skerry/host'

export interface GuestKey {
  /** a line as in `authorized_keys` */
  publicKey: string
  /** file of the private key; undefined: only its owner knows */
  privateKey: string | undefined
}

const KEYGEN_MS = 30_000
const PUBLIC = /^[a-z0-9@.-]+ [A-Za-z0-9+/=]{40,}( .*)?$/

export interface KeyPorts {
  exec: Exec
  files: Files
}

/** Made once, without a passphrase, readable by its owner only. */
export async function siteKey({ exec, files }: KeyPorts, path: string, comment: string): Promise<GuestKey> {
  const there = await files.read(`${path}.pub`)
  if (there !== undefined && (await files.stat(path))) return { publicKey: there.trim(), privateKey: path }
  await files.makeDir(dirname(path), 0o700)
  await files.remove(path)
  await exec.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path], { timeoutMs: KEYGEN_MS })
  return { publicKey: ((await files.read(`${path}.pub`)) ?? '').trim(), privateKey: path }
}

/** Of a person's public key; the private one is beside it, or in an agent. Throws `invalid-argument`. */
export async function personKey(files: Files, path: string): Promise<GuestKey> {
  const refuse = (why: string) => new SkerryError('invalid-argument', `--ssh-key ${path} ${why}`, { field: '--ssh-key' })
  const text = (await files.read(path))?.trim()
  if (text === undefined) throw refuse('is not there')
  if (text.includes('PRIVATE KEY')) throw refuse('is a private key: name the public one, which ends in .pub')
  if (!PUBLIC.test(text)) throw refuse('is no public key in one line')
  const beside = path.endsWith('.pub') ? path.slice(0, -'.pub'.length) : undefined
  return { publicKey: text, privateKey: beside && (await files.stat(beside)) ? beside : undefined }
}
