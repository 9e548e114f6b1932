/** The controller's options: argv first, then SKERRY_* variables, then defaults. The only place of the controller that reads either. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'

const options = {
  'state-dir': { type: 'string' },
  'http-addr': { type: 'string' },
  'http-port': { type: 'string' },
  'http-cert': { type: 'string' },
  'http-key': { type: 'string' },
  'nats-url': { type: 'string' },
  'nats-creds': { type: 'string' },
  'nats-ca': { type: 'string' },
  'nats-account-seed': { type: 'string' },
  'nats-public-url': { type: 'string' },
  'admin-password-file': { type: 'string' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const

export const usage = `skerry-controller: holds the resource graph of a site
  --state-dir DIR            where the log, snapshots and secrets are (SKERRY_STATE_DIR; /var/lib/skerry/controller)
  --http-addr ADDR           (SKERRY_HTTP_ADDR; 127.0.0.1)   --http-port PORT (SKERRY_HTTP_PORT; 8080)
  --http-cert FILE --http-key FILE   PEM; without them only loopback is bound
  --nats-url URL             (tls://127.0.0.1:4222)          --nats-creds FILE  JSON {jwt, seed}   --nats-ca FILE
  --nats-public-url URL      what enrolled agents are told to connect to (default: --nats-url)
  --nats-account-seed FILE   account key that signs agents' credentials
  --admin-password-file FILE (default: the password 'password', loopback only)
`

export interface Config {
  stateDir: string
  http: { addr: string; port: number; tls: { cert: string; key: string } | undefined }
  nats: {
    url: string
    creds: { jwt: string; seed: string } | undefined
    ca: string | undefined
    publicUrl: string
    accountSeed: string | undefined
  }
  adminPassword: string | undefined
}

async function text(file: string | undefined): Promise<string | undefined> {
  if (!file) return undefined
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new SkerryError('invalid-argument', `cannot read ${file}`, { file }, { cause: error })
  }
}

const creds = z.object({ jwt: z.string(), seed: z.string() })

/** Throws `invalid-argument` naming the option. `help` or `version`: only that is to be printed. */
export async function readConfig(
  argv: readonly string[],
  env: Record<string, string | undefined>,
): Promise<Config | 'help' | 'version'> {
  const { values } = parseArgs({ args: [...argv], options, strict: true })
  if (values.help) return 'help'
  if (values.version) return 'version'
  const port = Number(values['http-port'] ?? env['SKERRY_HTTP_PORT'] ?? 8080)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new SkerryError('invalid-argument', '--http-port must be between 0 and 65535')
  const [cert, key, natsCreds, ca, accountSeed, adminPassword] = await Promise.all(
    [
      values['http-cert'],
      values['http-key'],
      values['nats-creds'],
      values['nats-ca'],
      values['nats-account-seed'],
      values['admin-password-file'],
    ].map(text),
  )
  const url = values['nats-url'] ?? env['SKERRY_NATS_URL'] ?? 'tls://127.0.0.1:4222'
  return {
    stateDir:
      values['state-dir'] ?? (env['SKERRY_STATE_DIR'] ? `${env['SKERRY_STATE_DIR']}/controller` : '/var/lib/skerry/controller'),
    http: {
      addr: values['http-addr'] ?? env['SKERRY_HTTP_ADDR'] ?? '127.0.0.1',
      port,
      tls: cert && key ? { cert, key } : undefined,
    },
    nats: {
      url,
      creds: natsCreds ? creds.parse(JSON.parse(natsCreds)) : undefined,
      ca,
      publicUrl: values['nats-public-url'] ?? url,
      accountSeed,
    },
    adminPassword,
  }
}
