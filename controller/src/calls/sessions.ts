/** Logging in and out. Clients send the SHA-512 hex of the password (zstack-core §1.7); only a scrypt of it is kept. */
import { randomBytes, scrypt as scryptCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { State } from '../engine/state.ts'

const scrypt = promisify<Buffer | string, Buffer, number, { N: number; r: number; p: number }, Buffer>(scryptCallback)
const COST = { N: 4096, r: 8, p: 1 }
/** ZStack identity.session.timeout */
const SESSION_MS = 7_200_000

/** `scrypt$<salt>$<hash>` of what clients send. */
export async function hashPassword(sent: string): Promise<string> {
  const salt = randomBytes(16)
  return `scrypt$${salt.toString('hex')}$${(await scrypt(sent, salt, 32, COST)).toString('hex')}`
}

export async function checkPassword(sent: string, kept: string): Promise<boolean> {
  const [, salt, hash] = kept.split('$')
  const made = await scrypt(sent, Buffer.from(salt ?? '', 'hex'), 32, COST)
  const known = Buffer.from(hash ?? '', 'hex')
  return known.length === made.length && timingSafeEqual(known, made)
}

/** Compared against when there is no such account, so that the time tells nothing. */
const NOBODY = `scrypt$${'00'.repeat(16)}$${'00'.repeat(32)}`

export interface SessionPorts {
  state: State
  now(): number
  newId(): string
}

export function sessionCalls({ state, now, newId }: SessionPorts): Record<string, (call: Call) => Promise<Row> | Row> {
  return {
    async LogInByAccount({ params }) {
      const key = [...state.graph.by('account', 'name', params['accountName'])][0]
      const account = key ? state.graph.get('account', key) : undefined
      const good = await checkPassword(params['password'] as string, (account?.['passwordHash'] as string | undefined) ?? NOBODY)
      if (!account || !good) throw new SkerryError('login-failed')
      const at = now()
      const row = {
        uuid: newId(),
        name: 'session',
        accountUuid: account['uuid'],
        userUuid: account['uuid'],
        userType: 'Account',
        createDate: at,
        lastOpDate: at,
        expiredDate: at + SESSION_MS,
      }
      await state.commit({ ops: [{ o: 'put', t: 'session', k: row.uuid, v: row }] }, { actor: account['uuid'] as string })
      const { name: _name, lastOpDate: _last, ...inventory } = row
      return { inventory }
    },
    async LogOut({ params }) {
      const uuid = params['sessionUuid'] as string
      const row = state.graph.get('session', uuid)
      if (row) await state.commit({ ops: [{ o: 'del', t: 'session', k: uuid }] }, { actor: row['accountUuid'] as string })
      return {}
    },
    ValidateSession: ({ params }) => ({
      valid: ((state.graph.get('session', params['sessionUuid'] as string)?.['expiredDate'] as number | undefined) ?? 0) > now(),
    }),
  }
}
