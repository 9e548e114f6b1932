/** The controller's options: argv first, then SKERRY_* variables, then defaults. The only place of the controller that reads either. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Site } from '@skerry/bus'
import { type SimulatorFile, SkerryError, simulatorFile } from '@skerry/contract'
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
  'nats-site': { type: 'string' },
  'nats-public-url': { type: 'string' },
  'admin-password-file': { type: 'string' },
  simulator: { type: 'string' },
  plugins: { type: 'string' },
  workflows: { type: 'string' },
  'history-days': { type: 'string' },
  'history-mib': { type: 'string' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const

export const usage = `skerry-controller: holds the resource graph of a site
  --state-dir DIR            where the log, snapshots and secrets are (SKERRY_STATE_DIR; /var/lib/skerry/controller)
  --http-addr ADDR           (SKERRY_HTTP_ADDR; 127.0.0.1)   --http-port PORT (SKERRY_HTTP_PORT; 8080)
  --http-cert FILE --http-key FILE   PEM; without them only loopback is bound
  --nats-url URL             (tls://127.0.0.1:4222)          --nats-creds FILE  JSON {jwt, seed}   --nats-ca FILE
  --nats-public-url URL      what enrolled agents are told to connect to (default: --nats-url)
  --nats-site FILE           the keys of the site, as scripts/up makes them: signs credentials, can revoke and rotate; no --nats-creds then
  --nats-account-seed FILE   instead of it: account key that signs agents' credentials
  --admin-password-file FILE (default: the password 'password', loopback only)
  --simulator FILE           of a simulated site: what is added at 127.x.y.z is brought there by the simulator that wrote FILE
  --plugins FILE|FOLDER      plugins to load, *.mjs or *.js, each with its configuration beside it as *.json (SKERRY_PLUGINS)
  --workflows FOLDER         workflows to change, each as a *.yaml (SKERRY_WORKFLOWS); see packages/workflow/README.md
  --history-days N           how long the log is kept beyond what recovery needs (SKERRY_HISTORY_DAYS; 30)
  --history-mib N            and how much of it, whichever is less (SKERRY_HISTORY_MIB; 2048)

skerry-controller recover --state-dir DIR [--cut]
  says what is damaged in the log and what would be lost; --cut cuts there, so that the controller starts writable again
skerry-controller restore FILE --state-dir DIR --site-dir DIR [--passphrase-file FILE] [--replace]
  lays a backup down as the controller's state, and the site's keys below --site-dir; skerry restore calls it
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
    site: Site | undefined
  }
  adminPassword: string | undefined
  /** Of a simulated site; an ordinary one has none. */
  simulator: SimulatorFile | undefined
  /** A file, or a folder of them. */
  plugins: string | undefined
  /** A folder of declarations. */
  workflows: string | undefined
  /** Limits of the log's history. */
  history: { keepMs?: number; keepBytes?: number }
}

const DEFAULT_STATE_DIR = '/var/lib/skerry/controller'
const stateDirOf = (given: string | undefined, env: Env): string =>
  given ?? (env['SKERRY_STATE_DIR'] ? `${env['SKERRY_STATE_DIR']}/controller` : DEFAULT_STATE_DIR)

type Env = Record<string, string | undefined>

function atLeastZero(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const n = Number(text)
  if (text === '' || !(n >= 0)) throw new SkerryError('invalid-argument', `${option} must be a number of at least 0`, { option })
  return n
}

function historyOf(days: string | undefined, mib: string | undefined): Config['history'] {
  const keepDays = atLeastZero('--history-days', days)
  const keepMib = atLeastZero('--history-mib', mib)
  return {
    ...(keepDays === undefined ? {} : { keepMs: keepDays * 86_400_000 }),
    ...(keepMib === undefined ? {} : { keepBytes: keepMib * 1024 ** 2 }),
  }
}

/** `recover [--state-dir DIR] [--cut]`; undefined when argv says something else. */
export function readRecover(argv: readonly string[], env: Env): { stateDir: string; cut: boolean } | undefined {
  if (argv[0] !== 'recover') return undefined
  const options = { 'state-dir': { type: 'string' }, cut: { type: 'boolean' } } as const
  const { values } = parseArgs({ args: argv.slice(1), options, strict: true })
  return { stateDir: stateDirOf(values['state-dir'], env), cut: values.cut ?? false }
}

export interface RestoreConfig {
  file: string
  controllerDir: string
  siteDir: string
  passphrase: string | undefined
  replace: boolean
}

/** `restore FILE …`; undefined when argv says something else. */
export async function readRestore(argv: readonly string[], env: Env): Promise<RestoreConfig | undefined> {
  if (argv[0] !== 'restore') return undefined
  const text = { type: 'string' } as const
  const options = { 'state-dir': text, 'site-dir': text, 'passphrase-file': text, replace: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: argv.slice(1), options, strict: true, allowPositionals: true })
  const [file, ...more] = positionals
  if (!file || more.length > 0) throw new SkerryError('invalid-argument', 'restore takes one file')
  const controllerDir = resolve(stateDirOf(values['state-dir'], env))
  return {
    file,
    controllerDir,
    siteDir: resolve(values['site-dir'] ?? dirname(controllerDir)),
    passphrase: await textOf(values['passphrase-file']),
    replace: values.replace ?? false,
  }
}

async function textOf(file: string | undefined): Promise<string | undefined> {
  if (!file) return undefined
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new SkerryError('invalid-argument', `cannot read ${file}`, { file }, { cause: error })
  }
}

const creds = z.object({ jwt: z.string(), seed: z.string() })
const signingKey = z.object({ publicKey: z.string(), seed: z.string() })
const identity = signingKey.extend({ jwt: z.string() })
const siteFile = z.object({ operator: identity, systemAccount: identity, account: identity, signingKey })

/** Throws `invalid-argument` naming the option. `help` or `version`: only that is to be printed. */
export async function readConfig(argv: readonly string[], env: Env): Promise<Config | 'help' | 'version'> {
  const { values } = parseArgs({ args: [...argv], options, strict: true })
  if (values.help) return 'help'
  if (values.version) return 'version'
  const port = Number(values['http-port'] ?? env['SKERRY_HTTP_PORT'] ?? 8080)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new SkerryError('invalid-argument', '--http-port must be between 0 and 65535')
  const [cert, key, natsCreds, ca, accountSeed, adminPassword, site, simulator] = await Promise.all(
    [
      values['http-cert'],
      values['http-key'],
      values['nats-creds'],
      values['nats-ca'],
      values['nats-account-seed'],
      values['admin-password-file'],
      values['nats-site'],
      values.simulator,
    ].map(textOf),
  )
  const url = values['nats-url'] ?? env['SKERRY_NATS_URL'] ?? 'tls://127.0.0.1:4222'
  return {
    stateDir: stateDirOf(values['state-dir'], env),
    history: historyOf(values['history-days'] ?? env['SKERRY_HISTORY_DAYS'], values['history-mib'] ?? env['SKERRY_HISTORY_MIB']),
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
      site: site ? siteFile.parse(JSON.parse(site)) : undefined,
    },
    adminPassword,
    plugins: values.plugins ?? env['SKERRY_PLUGINS'],
    workflows: values.workflows ?? env['SKERRY_WORKFLOWS'],
    simulator: simulator ? simulatorFile.parse(JSON.parse(simulator)) : undefined,
  }
}
