/** Passwords: clients send the SHA-512 hex, and only a scrypt of that is kept (zstack-core §1.7). */
import { randomBytes, scrypt as scryptCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { type Row, SkerryError } from '@skerry/contract'

const scrypt = promisify<Buffer | string, Buffer, number, { N: number; r: number; p: number }, Buffer>(scryptCallback)
/** As a power of two: 16 MiB and some tens of milliseconds a try. */
const COST = 14
/** Of hashes that don't say it. */
const FIRST_COST = 12
const cost = (power: number) => ({ N: 2 ** power, r: 8, p: 1 })

/** `scrypt$<cost, as a power of two>$<salt>$<hash>` of what clients send. */
export async function hashPassword(sent: string): Promise<string> {
  const salt = randomBytes(16)
  return `scrypt$${COST}$${salt.toString('hex')}$${(await scrypt(sent, salt, 32, cost(COST))).toString('hex')}`
}

/** Also against the older form without a cost. */
export async function checkPassword(sent: string, kept: string): Promise<boolean> {
  const [, ...parts] = kept.split('$')
  const [hash, salt, power] = parts.reverse()
  const made = await scrypt(sent, Buffer.from(salt ?? '', 'hex'), 32, cost(power === undefined ? FIRST_COST : Number(power)))
  const known = Buffer.from(hash ?? '', 'hex')
  return known.length === made.length && timingSafeEqual(known, made)
}

/** Compared against when there is nobody of that name, so that the time tells nothing. */
export const NOBODY = `scrypt$${COST}$${'00'.repeat(16)}$${'00'.repeat(32)}`

/** The parameters of a call with the password's scrypt for the password. `kept`: the one that `oldPassword` must be. */
export async function withoutPassword(params: Row, kept?: string): Promise<Row> {
  const { password, oldPassword, ...rest } = params
  if (typeof oldPassword === 'string' && !(await checkPassword(oldPassword, kept ?? NOBODY)))
    throw new SkerryError('permission-denied', 'invalid field[oldPassword]: this is not the password', { field: 'oldPassword' })
  return typeof password === 'string' ? { ...rest, passwordHash: await hashPassword(password) } : rest
}
