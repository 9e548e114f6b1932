import { z } from 'zod'
import { call, query, remove } from '../api.ts'
import { defineResource } from '../resource.ts'
import { hostname, line, time, uuid } from '../scalars.ts'

export const agentKind = z.enum(['kvm', 'storage', 'vrouter'])
export type AgentKind = z.infer<typeof agentKind>

/** One enrolled agent process; a host has several. Ours: ZStack has no such resource. */
export const agent = defineResource({
  name: 'agent',
  noun: 'agent',
  path: '/agents',
  summary: 'An agent that is enrolled at this site',
  scope: 'admin',
  fields: {
    kind: agentKind,
    hostUuid: uuid.nullable(),
    managementIp: hostname,
    bootId: z.string().nullable(),
    version: z.string(),
    status: z.enum(['Connected', 'Disconnected']),
    machineId: z.string(),
    /** NKey (user public key) that its credentials are for, and the X25519 key that secrets are sealed to. */
    publicKey: z.string(),
    sealKey: z.string(),
    /** noun → the highest document schema that it reads, as it said last; absent: 1 of each */
    schemas: z.record(z.string(), z.number().int()).nullable().optional(),
    /** which ledger it has, as it said last: what is sent to it is meant for this one */
    ledger: uuid.nullable().optional(),
  },
  edges: { host: { to: 'host', via: 'hostUuid', kind: 'parent', onDelete: 'detach', inverse: 'agents' } },
  indexes: ['kind', 'hostUuid', 'managementIp', 'status', 'machineId'],
  columns: ['name', 'uuid', 'kind', 'managementIp', 'status', 'version'],
  apis: [
    query('QueryAgent', '/agents', 'agent'),
    call('CreateAgentToken', 'POST', '/agents/tokens', {
      params: { ttlSeconds: z.number().int().min(10).max(604800).optional() },
      verb: 'token',
      own: true,
      summary: 'Make a one-time enrolment token',
      result: { kind: 'fields', schema: z.object({ token: z.string(), expiresAt: time }) },
    }),
    call('EnrolAgent', 'POST', '/agents/enrol', {
      anonymous: true,
      own: true,
      verb: 'enrol',
      summary: 'Trade a one-time token for credentials (agents call this)',
      params: {
        token: z.string().min(16).max(128),
        kind: agentKind,
        machineId: z.string().regex(/^[0-9a-f]{32}$/),
        managementIp: hostname,
        version: line(64),
        publicKey: line(64),
        sealKey: line(128),
      },
      result: {
        kind: 'fields',
        schema: z.object({ uuid, jwt: z.string(), servers: z.array(z.string()), ca: z.string().nullable() }),
      },
    }),
    call('RevokeAgent', 'PUT', '/agents/{uuid}/actions', {
      verb: 'revoke',
      own: true,
      summary: 'Cut an agent off now and refuse its credentials for ever',
      result: {
        kind: 'fields',
        /** `enforced`: NATS has been told; else it will be as soon as it can be reached. */
        schema: z.object({ uuid, publicKey: z.string(), enforced: z.boolean() }),
      },
    }),
    { ...remove('DeleteAgent', '/agents/{uuid}', 'agent'), own: true },
  ].map((api) => ({ ...api, own: true })),
})
