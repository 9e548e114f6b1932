/** Shutting an agent out, and replacing keys. */
import { credsFile, type KeyedKind } from '@skerry/bus'
import { type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { State } from '../engine/state.ts'
import { revocation, type StartedKeys } from '../keys/index.ts'
import { need } from '../workflows/world.ts'

export interface KeyPorts {
  state: State
  now(): number
  newId(): string
  /** Undefined: this controller holds no keys of the site. */
  keys: StartedKeys | undefined
}

export function keyCalls(p: KeyPorts): Record<string, (call: Call) => Promise<Row> | Row> {
  return {
    // Committed before anything is told to the server: a plan of it ends with the commit.
    RevokeAgent: async ({ params, caller }) => {
      const { enforce } = keysFor(p, caller)
      const { graph } = p.state
      const agent = need(graph, 'agent', params['uuid'])
      const { uuid, publicKey } = agent as { uuid: string; publicKey: string }
      const at = p.now()
      const change = {
        guards: [{ g: 'field' as const, t: 'agent', k: uuid, field: 'publicKey', in: [publicKey] }],
        ops: [{ o: 'set' as const, t: 'agent', k: uuid, v: { revokedDate: at, lastOpDate: at } }, revocation(agent, at)],
        facts: [{ noun: 'agent', uuid, event: 'revoked' }],
      }
      await p.state.commit(agent['revokedDate'] ? { ops: [] } : change, { actor: caller!.accountUuid })
      return { uuid, publicKey, enforced: await enforce() }
    },

    RotateKeys: async ({ params, caller }) => {
      const { look } = keysFor(p, caller)
      const { graph } = p.state
      const [running] = graph.by('keyRotation', 'state', 'Running')
      if (running !== undefined)
        throw new SkerryError('in-use', 'keys are being rotated: wait for that to end', { rotation: running })
      const what = params['what'] as string
      const pending = what === 'site' ? [] : [...graph.rows('agent')].filter(([, a]) => !a['revokedDate']).map(([k]) => k)
      const at = p.now()
      const uuid = p.newId()
      const base = { uuid, name: `${what} keys`, description: null, createDate: at, lastOpDate: at }
      const row: Row = { ...base, what, state: 'Running', pending, total: pending.length, doneDate: null }
      const change = {
        ops: [{ o: 'put' as const, t: 'keyRotation', k: uuid, v: row }],
        facts: [{ noun: 'keyRotation', uuid, event: 'started', data: { what } }],
      }
      await p.state.commit(change, { actor: caller!.accountUuid })
      look()
      return { inventory: row }
    },

    IssueBusCredentials: async ({ params, caller }) => {
      const { authority } = keysFor(p, caller)
      if (params['unlessSignedBy'] === authority.signer) return { creds: null }
      const { jwt, seed } = await authority.issue({ kind: (params['user'] as KeyedKind | undefined) ?? 'operator-cli' })
      return { creds: credsFile({ jwt, seed: seed as string }) }
    },
  }
}

function keysFor(p: KeyPorts, caller: Call['caller']): StartedKeys {
  if (!caller?.admin) throw new SkerryError('permission-denied', 'only an administrator changes the keys of the site')
  if (!p.keys) throw new SkerryError('not-ready', 'this controller holds no keys of the site (--nats-site)')
  return p.keys
}
