/** nats-server.conf as data, written by a builder that quotes every value. */
import { SkerryError } from '@skerry/contract'
import { MAX_PAYLOAD_BYTES } from '../envelope.ts'
import { JETSTREAM_LIMITS, type Site } from './site.ts'

export type ConfValue = string | number | boolean | ConfBlock
export interface ConfBlock {
  readonly [key: string]: ConfValue | undefined
}

export interface ServerConfigOptions {
  site: Site
  listen: { host: string; port: number }
  /** Paths of PEM files. */
  tls: { certFile: string; keyFile: string; caFile: string }
  jetstreamDir: string
  /** Where the server keeps account JWTs. The site's own must lie there before the first start: `resolverFile`. */
  resolverDir: string
  serverName?: string
  pidFile?: string
  /** Without it the server logs to stderr. */
  logFile?: string
}

/**
 * The whole configuration of a site's server: TLS required, users only by JWT of the site's account (so no anonymous user
 * and no implicit account, CVE-2023-47090), no monitoring port, no cluster, no leaf nodes, no other protocol.
 * The account is not preloaded: the server would take it over a newer one at each start (2.9.10), and revoked users with it.
 */
export function serverConfig(options: ServerConfigOptions): string {
  return renderConf(serverSettings(options))
}

export function serverSettings({
  site,
  listen,
  tls,
  jetstreamDir,
  resolverDir,
  serverName = 'skerry',
  pidFile,
  logFile,
}: ServerConfigOptions): ConfBlock {
  return {
    server_name: serverName,
    host: listen.host,
    port: listen.port,
    max_payload: MAX_PAYLOAD_BYTES,
    // notices within a minute that a host lost power, so that requests to its agents fail at once
    ping_interval: '20s',
    ping_max: 2,
    pid_file: pidFile,
    log_file: logFile,
    tls: { cert_file: tls.certFile, key_file: tls.keyFile, ca_file: tls.caFile, timeout: 5 },
    jetstream: {
      store_dir: jetstreamDir,
      max_memory_store: JETSTREAM_LIMITS.memoryBytes,
      max_file_store: JETSTREAM_LIMITS.diskBytes,
    },
    operator: site.operator.jwt,
    system_account: site.systemAccount.publicKey,
    resolver: { type: 'full', dir: resolverDir, allow_delete: false, interval: '2m' },
    resolver_preload: { [site.systemAccount.publicKey]: site.systemAccount.jwt },
  }
}

/** What must lie in `resolverDir` before the first start; later the server writes it, told by `updateAccount`. */
export function resolverFile({ account }: Pick<Site, 'account'>): { name: string; text: string } {
  return { name: `${account.publicKey}.jwt`, text: account.jwt }
}

const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Throws `invalid-argument` for a key or value that the file can't hold: control characters, numbers that aren't whole. */
export function renderConf(block: ConfBlock, indent = ''): string {
  const lines = Object.entries(block).map(([key, value]) => {
    if (!KEY.test(key)) throw new SkerryError('invalid-argument', 'a key cannot be written to nats-server.conf', { key })
    if (value === undefined) return ''
    if (typeof value === 'object') return `${indent}${key} {\n${renderConf(value, `${indent}  `)}${indent}}\n`
    return `${indent}${key}: ${scalar(key, value)}\n`
  })
  return lines.join('')
}

function scalar(key: string, value: string | number | boolean): string {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value))
      throw new SkerryError('invalid-argument', `${key} in nats-server.conf must be whole`, { key, value })
    return String(value)
  }
  if (/\p{Cc}/u.test(value))
    throw new SkerryError('invalid-argument', `${key} in nats-server.conf holds control characters`, { key })
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
