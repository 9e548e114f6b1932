/** The console proxy's options: argv, then SKERRY_* variables, then defaults. The only place of it that reads either. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { isLoopback, SkerryError } from '@skerry/contract'

const options = {
  'nats-url': { type: 'string' },
  'nats-creds': { type: 'string' },
  'nats-ca': { type: 'string' },
  'http-addr': { type: 'string' },
  'http-port': { type: 'string' },
  'http-cert': { type: 'string' },
  'http-key': { type: 'string' },
  help: { type: 'boolean' },
} as const

export const usage = `skerry-console-proxy: consoles of VMs for browsers and the command line; keeps nothing, run as many as you like
  --nats-url URL     (SKERRY_NATS_URL; tls://127.0.0.1:4222)   --nats-ca FILE
  --nats-creds FILE  from: skerry issue bus-credentials --user console-proxy
  --http-addr ADDR   (127.0.0.1)   --http-port PORT (8081; 0: any)
  --http-cert FILE --http-key FILE   PEM; without them only loopback is bound
`

export interface ProxyOptions {
  natsUrl: string
  creds: string
  ca: string | undefined
  addr: string
  port: number
  tls: { cert: string; key: string } | undefined
}

const refused = (message: string) => new SkerryError('invalid-argument', message)
const textOf = async (path: string | undefined) => (path === undefined ? undefined : readFile(path, 'utf8'))

/** `'help'` when that was asked for. Throws `invalid-argument` for options that don't go together, and what reading a file throws. */
export async function readProxyOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<ProxyOptions | 'help'> {
  const { values } = parseArgs({ args: [...argv], options, strict: true })
  if (values.help) return 'help'
  const creds = await textOf(values['nats-creds'])
  if (creds === undefined) throw refused('--nats-creds is missing: skerry issue bus-credentials --user console-proxy')
  const [cert, key] = [await textOf(values['http-cert']), await textOf(values['http-key'])]
  if ((cert === undefined) !== (key === undefined)) throw refused('--http-cert and --http-key go together')
  const addr = values['http-addr'] ?? '127.0.0.1'
  if (cert === undefined && !isLoopback(addr))
    throw refused(`refusing to listen on ${addr} without TLS: give --http-cert and --http-key`)
  const port = Number(values['http-port'] ?? 8081)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw refused('--http-port must be a port')
  return {
    natsUrl: values['nats-url'] ?? env['SKERRY_NATS_URL'] ?? 'tls://127.0.0.1:4222',
    creds,
    ca: await textOf(values['nats-ca']),
    ...{ addr, port, tls: cert !== undefined && key !== undefined ? { cert, key } : undefined },
  }
}
