/** A certificate that vouches for itself, with its key: made by openssl, once a process. This package may not use the kit of the whole site's tests. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SelfSigned {
  /** PEM, each. */
  certificate: string
  key: string
}

let made: SelfSigned | undefined

export function selfSigned(): SelfSigned {
  if (made) return made
  const dir = mkdtempSync(join(tmpdir(), 'skerry-pem-'))
  try {
    const [key, crt] = [join(dir, 'key'), join(dir, 'crt')]
    const argv = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=skerry',
      '-days',
      '2',
    ]
    execFileSync('openssl', [...argv, '-keyout', key, '-out', crt], { stdio: 'pipe' })
    made = { certificate: readFileSync(crt, 'utf8'), key: readFileSync(key, 'utf8') }
    return made
  } finally {
    rmSync(dir, { recursive: true })
  }
}
