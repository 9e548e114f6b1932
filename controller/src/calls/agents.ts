/** Enrolment: a one-time token is traded for credentials that allow one agent its own subjects, and nothing else. */
import { createHash, randomBytes } from 'node:crypto'
import { issueUser } from '@skerry/bus'
import { type AgentKind, type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { State } from '../engine/state.ts'

const TOKEN_MS = 3_600_000

export interface EnrolPorts {
  state: State
  now(): number
  newId(): string
  /** seed of the account key that signs agents' credentials; undefined: this controller can't enrol */
  accountSeed: string | undefined
  servers: string[]
  ca: string | null
}

const digest = (token: string) => createHash('sha256').update(token).digest('hex')

export function agentCalls(ports: EnrolPorts): Record<string, (call: Call) => Promise<Row> | Row> {
  return {
    async CreateAgentToken({ params, caller }) {
      if (!caller?.admin) throw new SkerryError('permission-denied', 'only an administrator makes enrolment tokens')
      const token = randomBytes(24).toString('base64url')
      const expiresAt = ports.now() + ((params['ttlSeconds'] as number | undefined) ?? TOKEN_MS / 1000) * 1000
      // Only its hash is recorded: who reads the log can't enrol.
      await ports.state.commit(
        { ops: [{ o: 'put', t: 'agentToken', k: digest(token), v: { expiresAt } }] },
        { actor: caller.accountUuid },
      )
      return { token, expiresAt }
    },
    EnrolAgent: ({ params }) => enrol(ports, params),
  }
}

async function enrol(ports: EnrolPorts, params: Row): Promise<Row> {
  const { state, now } = ports
  if (!ports.accountSeed) throw new SkerryError('not-ready', 'this controller holds no account key, so it can enrol nobody')
  const token = digest(params['token'] as string)
  const known = state.graph.get('agentToken', token)
  // An agent whose first answer was lost asks again with the same key: credentials for a key are of use only to who has its seed.
  const again = [...state.graph.rows('agent')].find(([, a]) => a['publicKey'] === params['publicKey'])?.[1]
  if (!again && (!known || (known['expiresAt'] as number) <= now())) throw new SkerryError('enrolment-refused')
  const kind = params['kind'] as AgentKind
  // A machine that enrols again (its disk was wiped) is the same agent: its host and its documents wait for it.
  const before = [...state.graph.by('agent', 'machineId', params['machineId'])]
    .map((k) => state.graph.get('agent', k)!)
    .find((a) => a['kind'] === kind && a['managementIp'] === params['managementIp'])
  const uuid = (before?.['uuid'] as string | undefined) ?? ports.newId()
  const issued = await issueUser({
    accountSeed: ports.accountSeed,
    kind: 'agent',
    agent: { kind, uuid },
    userPublicKey: params['publicKey'] as string,
  })
  const at = now()
  const keys = { publicKey: params['publicKey'], sealKey: params['sealKey'], version: params['version'] }
  const fresh: Row = {
    uuid,
    name: `${kind}@${params['managementIp']}`,
    description: null,
    createDate: at,
    lastOpDate: at,
    kind,
    hostUuid: hostOf(state, params),
    managementIp: params['managementIp'],
    bootId: null,
    status: 'Disconnected',
    machineId: params['machineId'],
    ...keys,
  }
  await state.commit(
    {
      guards: known ? [{ g: 'exists', t: 'agentToken', k: token }] : [],
      ops: [
        ...(known ? [{ o: 'del' as const, t: 'agentToken', k: token }] : []),
        before ? { o: 'set', t: 'agent', k: uuid, v: { ...keys, lastOpDate: at } } : { o: 'put', t: 'agent', k: uuid, v: fresh },
      ],
      facts: [{ noun: 'agent', uuid, event: 'enrolled', data: { kind, managementIp: params['managementIp'] } }],
    },
    { actor: `agent:${uuid}` },
  )
  return { uuid, jwt: issued.jwt, servers: ports.servers, ca: ports.ca }
}

/** An agent that comes later to a machine which is a host already belongs to that host. */
function hostOf(state: State, params: Row): string | null {
  for (const key of state.graph.by('agent', 'machineId', params['machineId'])) {
    const other = state.graph.get('agent', key)!
    const host = other['hostUuid'] as string | null
    if (
      host &&
      other['managementIp'] === params['managementIp'] &&
      ![...state.graph.by('agent', 'hostUuid', host)].some((k) => state.graph.get('agent', k)?.['kind'] === params['kind'])
    )
      return host
  }
  return null
}
