/** [format] What agent-vrouter keeps true of load balancers: one haproxy each, in the namespace of a router that has their VIP. */
import { z } from 'zod'
import { cidr4, ipv4, port, uuid } from '../scalars.ts'

/** Of one load balancer: its document stays below 256 KiB. */
export const MAX_LISTENERS = 50
export const MAX_SERVERS = 1_000
export const MAX_ACL_ENTRIES = 2_000

const seconds = z.number().int().min(1)

const health = z.object({
  kind: z.enum(['tcp', 'http']),
  /** null: where clients are sent */
  port: port.nullable(),
  method: z.enum(['GET', 'HEAD']),
  path: z.string(),
  /** answers that are good: `200-299` */
  statuses: z.array(z.string()).min(1),
  intervalSeconds: seconds,
  timeoutSeconds: seconds,
  healthyThreshold: seconds,
  unhealthyThreshold: seconds,
})

/**
 * Who may come: all of `allow` that are not of `deny`. `persistence`: how a client comes back to the server it had: by its address, or
 * by a cookie. `certificate.fingerprint`: SHA-256 of it; the agent asks for it and its key.
 */
const listener = z.object({
  uuid,
  protocol: z.enum(['tcp', 'http', 'https']),
  port,
  algorithm: z.enum(['roundrobin', 'leastconn', 'source']),
  idleSeconds: seconds,
  maxConnections: z.number().int().min(1),
  httpMode: z.enum(['http-keep-alive', 'http-server-close', 'httpclose']),
  persistence: z
    .union([
      z.object({ by: z.literal('source') }),
      z.object({ by: z.literal('cookie'), name: z.string(), how: z.enum(['insert', 'rewrite']), idleSeconds: seconds }),
    ])
    .nullable(),
  health: health.nullable(),
  allow: z.array(z.union([ipv4, cidr4])),
  deny: z.array(z.union([ipv4, cidr4])),
  certificate: z.object({ uuid, fingerprint: z.string().regex(/^[0-9a-f]{64}$/) }).nullable(),
  tls: z.object({ min: z.enum(['TLSv1.0', 'TLSv1.1', 'TLSv1.2']), max: z.enum(['TLSv1.2', 'TLSv1.3']) }).nullable(),
  /** `uuid`: of the card, or of the server's address */
  servers: z.array(z.object({ uuid, ip: ipv4, port, weight: z.number().int().min(0).max(256) })),
})
export type BalancerListener = z.infer<typeof listener>

/** Noun `balancer`; uuid = load balancer. Its VIP is a document of its own. There is one while it has listeners and a router. */
export const balancer = {
  noun: 'balancer',
  schema: 1,
  spec: z.object({ routerUuid: uuid, ip: ipv4, listeners: z.array(listener).min(1).max(MAX_LISTENERS) }),
} as const
export type BalancerSpec = z.infer<typeof balancer.spec>

/** Of a server: what its checks say; `Unchecked`: there are none; `Pending`: none has ended yet. */
export const serverHealth = z.enum(['Up', 'Down', 'Pending', 'Unchecked'])
/** `status.observed` of a balancer: by listener and server */
export const balancerObserved = z.object({ servers: z.record(z.string(), z.record(z.string(), serverHealth)) })
