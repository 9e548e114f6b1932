/** Enrolment: a one-time token is traded for credentials that allow one agent its own subjects, and nothing else. */
import { createHash, randomBytes } from 'node:crypto'
import { type AgentIdentity, issueUser } from '@skerry/bus'
import { type AgentKind, type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { State } from '../engine/state.ts'
import { type KeyAuthority, revocation } from '../keys/index.ts'

const TOKEN_MS = 3_600_000

export interface EnrolPorts {
  state: State
  now(): number
  newId(): string
  /** signs agents' credentials; without it `accountSeed` does, and without either this controller can't enrol */
  authority?: KeyAuthority | undefined
  /** seed of the account's own key */
  accountSeed: string | undefined
  servers: string[]
  ca: string | null
}

const digest = (token: string) => createHash('sha256').update(token).digest('hex')

/** One-time enrolment tokens. Only their hashes are recorded: who reads the log can't enrol. */
export async function makeTokens(
  state: State,
  { count, expiresAt, actor }: { count: number; expiresAt: number; actor: string },
): Promise<string[]> {
  const tokens = Array.from({ length: count }, () => randomBytes(24).toString('base64url'))
  const ops = tokens.map((token) => ({ o: 'put' as const, t: 'agentToken', k: digest(token), v: { expiresAt } }))
  await state.commit({ ops }, { actor })
  return tokens
}

/** For agents that a deploy strategy starts at once. */
export const tokensToDeploy = (state: State, now: () => number) => (count: number) =>
  makeTokens(state, { count, expiresAt: now() + TOKEN_MS, actor: 'system' })

export function agentCalls(ports: EnrolPorts): Record<string, (call: Call) => Promise<Row> | Row> {
  return {
    async CreateAgentToken({ params, caller }) {
      if (!caller?.admin) throw new SkerryError('permission-denied', 'only an administrator makes enrolment tokens')
      const expiresAt = ports.now() + ((params['ttlSeconds'] as number | undefined) ?? TOKEN_MS / 1000) * 1000
      const [token] = await makeTokens(ports.state, { count: 1, expiresAt, actor: caller.accountUuid })
      return { token, expiresAt }
    },
    EnrolAgent: ({ params }) => enrol(ports, params),
  }
}

async function enrol(ports: EnrolPorts, params: Row): Promise<Row> {
  const { state, now } = ports
  const token = digest(params['token'] as string)
  const known = state.graph.get('agentToken', token)
  const valid = known !== undefined && (known['expiresAt'] as number) > now()
  // An agent whose first answer was lost asks again with the same key: credentials for a key are of use only to who has its seed.
  if (!valid && !isEnrolled(state, params['publicKey'])) throw new SkerryError('enrolment-refused')
  // The owner of a revoked key was shut out: it needs another key, and a person who gives it a token.
  if (state.graph.get('revokedKey', params['publicKey'] as string) !== undefined)
    throw new SkerryError('enrolment-refused', 'this key was revoked: remove identity.json of the agent and use a new token')
  const kind = params['kind'] as AgentKind
  // A machine that enrols again (its disk was wiped) is the same agent: its host and its documents wait for it.
  const before = [...state.graph.by('agent', 'machineId', params['machineId'])]
    .map((k) => state.graph.get('agent', k)!)
    .find((a) => a['kind'] === kind && a['managementIp'] === params['managementIp'])
  const uuid = (before?.['uuid'] as string | undefined) ?? ports.newId()
  const signer = ports.authority?.signer ?? null
  const jwt = await issue(ports, { kind, uuid }, params['publicKey'] as string)
  const at = now()
  const { publicKey, sealKey, version } = params
  const keys = { publicKey, sealKey, version, signer, revokedDate: null }
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
        // who finds the disk that was thought lost must not get in with it
        ...(before && before['publicKey'] !== publicKey ? [revocation(before, at)] : []),
      ],
      facts: [{ noun: 'agent', uuid, event: 'enrolled', data: { kind, managementIp: params['managementIp'] } }],
    },
    { actor: `agent:${uuid}` },
  )
  return { uuid, jwt, servers: ports.servers, ca: ports.ca }
}

function isEnrolled({ graph }: State, publicKey: unknown): boolean {
  for (const [, agent] of graph.rows('agent')) if (agent['publicKey'] === publicKey) return true
  return false
}

async function issue({ authority, accountSeed }: EnrolPorts, agent: AgentIdentity, userPublicKey: string): Promise<string> {
  const user = { kind: 'agent' as const, agent, userPublicKey }
  if (authority) return (await authority.issue(user)).jwt
  if (accountSeed) return (await issueUser({ ...user, accountSeed })).jwt
  throw new SkerryError('not-ready', 'this controller holds no account key, so it can enrol nobody')
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
