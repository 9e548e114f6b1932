/**
 * Configuration of one haproxy: a frontend and a backend a listener. Everything that comes from outside has a form that is checked
 * here, so no value can be read as another word of the configuration. Pure.
 */
import { createHash } from 'node:crypto'
import { ipv4, port } from '@skerry/contract'
import { z } from 'zod'
import { checkInput } from './parse-json.ts'

/** No word of haproxy's language, and no name of a file in another folder. */
const name = z.string().regex(/^[0-9a-f]{32}$/)
const seconds = z.number().int().min(1).max(2_000_000)

export const haproxyServer = z.strictObject({ name, ip: ipv4, port, weight: z.number().int().min(0).max(256) })
export type HaproxyServer = z.infer<typeof haproxyServer>

export const haproxyHealth = z.strictObject({
  kind: z.enum(['tcp', 'http']),
  /** Asked there; null: where its clients are sent. */
  port: port.nullable(),
  method: z.enum(['GET', 'HEAD']),
  path: z.string().regex(/^\/[A-Za-z0-9\-/.%?#&]{0,255}$/),
  /** Answers that are good: `200-299`. */
  statuses: z
    .array(z.string().regex(/^[1-5]\d\d(-[1-5]\d\d)?$/))
    .min(1)
    .max(8),
  intervalSeconds: seconds,
  timeoutSeconds: seconds,
  /** Good answers after which it is up again, and failures after which it is down. */
  rise: seconds,
  fall: seconds,
})
export type HaproxyHealth = z.infer<typeof haproxyHealth>

export const haproxyListener = z.strictObject({
  name,
  mode: z.enum(['tcp', 'http']),
  ip: ipv4,
  port,
  /** Its certificate and key stand in `<name>.pem`; null: it speaks no TLS. */
  tls: z.strictObject({ min: z.enum(['TLSv1.0', 'TLSv1.1', 'TLSv1.2']), max: z.enum(['TLSv1.2', 'TLSv1.3']) }).nullable(),
  algorithm: z.enum(['roundrobin', 'leastconn', 'source']),
  idleSeconds: seconds,
  maxConnections: z.number().int().min(1).max(10_000_000),
  httpMode: z.enum(['http-keep-alive', 'http-server-close', 'httpclose']),
  cookie: z
    .strictObject({ name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), how: z.enum(['insert', 'rewrite']), idleSeconds: seconds })
    .nullable(),
  health: haproxyHealth.nullable(),
  servers: z.array(haproxyServer),
})
export type HaproxyListener = z.infer<typeof haproxyListener>

/** Names of the files in an instance's folder; listeners have their own lists of addresses and certificate. */
export const haproxyFiles = {
  conf: 'haproxy.cfg',
  pid: 'haproxy.pid',
  socket: 'sock',
  /** Who may come, and of those, who may not. */
  allow: (listener: string) => `allow_${listener}.lst`,
  deny: (listener: string) => `deny_${listener}.lst`,
  certificate: (listener: string) => `${listener}.pem`,
} as const

export const backendOf = (listener: string) => `b_${listener}`

/** What stands behind a server's name, in the file as in the runtime API. */
export const serverWords = ({ ip, port: own, weight }: HaproxyServer, health: HaproxyHealth | null): string[] => [
  `${ip}:${own}`,
  ...['weight', String(weight)],
  ...(health
    ? [
        ...['check', 'inter', `${health.intervalSeconds}s`, 'rise', String(health.rise), 'fall', String(health.fall)],
        ...(health.port === null ? [] : ['port', String(health.port)]),
      ]
    : []),
]

function frontend(l: HaproxyListener): string[] {
  const tls = l.tls
    ? [
        ...['ssl', 'crt', haproxyFiles.certificate(l.name), 'alpn', l.mode === 'http' ? 'h2,http/1.1' : 'http/1.1'],
        ...['ssl-min-ver', l.tls.min, 'ssl-max-ver', l.tls.max],
      ]
    : []
  return [
    `frontend f_${l.name}`,
    `  mode ${l.mode}`,
    `  bind ${[`${l.ip}:${l.port}`, ...tls].join(' ')}`,
    `  maxconn ${l.maxConnections}`,
    `  timeout client ${l.idleSeconds}s`,
    // both lists are always there, so that a change of them is never a change of the configuration
    `  tcp-request connection reject if { src -f ${haproxyFiles.deny(l.name)} }`,
    `  tcp-request connection reject if !{ src -f ${haproxyFiles.allow(l.name)} }`,
    ...(l.mode === 'http' ? [`  option ${l.httpMode}`, '  option forwardfor', ...proto(l)] : []),
    `  default_backend ${backendOf(l.name)}`,
  ]
}

const proto = ({ tls }: HaproxyListener) => [`  http-request set-header X-Forwarded-Proto ${tls ? 'https' : 'http'}`]

function backend(l: HaproxyListener): string[] {
  const { cookie, health } = l
  return [
    `backend ${backendOf(l.name)}`,
    `  mode ${l.mode}`,
    `  balance ${l.algorithm}`,
    // servers come and go: only so can they do that at runtime, and most clients keep theirs
    ...(l.algorithm === 'source' ? ['  hash-type consistent'] : []),
    `  timeout server ${l.idleSeconds}s`,
    ...(cookie
      ? [
          // servers that are added at runtime have their cookie from this
          `  dynamic-cookie-key ${l.name}`,
          `  cookie ${cookie.name} ${cookie.how}${cookie.how === 'insert' ? ` indirect nocache maxidle ${cookie.idleSeconds}s` : ''} dynamic`,
        ]
      : []),
    ...(health ? [`  timeout check ${health.timeoutSeconds}s`] : []),
    ...(health?.kind === 'http'
      ? [
          '  option httpchk',
          `  http-check send meth ${health.method} uri '${health.path}'`,
          `  http-check expect status ${health.statuses.join(',')}`,
        ]
      : []),
  ]
}

/** Of the configuration without its servers: two that are alike differ by nothing that the runtime API can't change. */
export const haproxyDigest = (listeners: readonly HaproxyListener[]): string =>
  createHash('sha256')
    .update(
      listeners.flatMap((l) => [...frontend(l), ...backend(l), ...serverWords({ ...NOBODY, name: l.name }, l.health)]).join('\n'),
    )
    .digest('hex')
const NOBODY = { ip: '0.0.0.0', port: 1, weight: 0 }

/** The whole file. Its description is the digest, which the running process tells. */
export function renderHaproxy(given: readonly HaproxyListener[]): string {
  const listeners = checkInput('listeners', given, z.array(haproxyListener))
  const lines = [
    'global',
    `  description ${haproxyDigest(listeners)}`,
    `  stats socket unix@${haproxyFiles.socket} mode 600 level admin expose-fd listeners`,
    '  user nobody',
    '  group nogroup',
    '  fd-hard-limit 400000',
    '  nbthread 1',
    'defaults',
    '  timeout connect 5s',
    '  retries 2',
    '  option redispatch',
    ...listeners.flatMap((l) => [
      ...frontend(l),
      ...backend(l),
      ...l.servers.map((server) => `  server ${[server.name, ...serverWords(server, l.health)].join(' ')}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}
