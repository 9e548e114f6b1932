/** Passwords: what is kept of them, in the form of now and in the one of before. */
import { scryptSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { checkPassword, hashPassword, NOBODY, withoutPassword } from '../src/identity/password.ts'

const sent = 'ab'.repeat(64)

it('are kept as a salted scrypt that says what it costs', async () => {
  const [one, two] = [await hashPassword(sent), await hashPassword(sent)]
  expect(one).toMatch(/^scrypt\$14\$[0-9a-f]{32}\$[0-9a-f]{64}$/)
  expect(one).not.toBe(two)
  expect([await checkPassword(sent, one), await checkPassword(sent.replace('a', 'b'), one)]).toEqual([true, false])
  const [, , salt, hash] = one.split('$')
  expect(scryptSync(sent, Buffer.from(salt!, 'hex'), 32, { N: 2 ** 14, r: 8, p: 1 }).toString('hex')).toBe(hash)
})

it('of before are known by their own cost', async () => {
  const salt = '01'.repeat(16)
  const kept = `scrypt$${salt}$${scryptSync(sent, Buffer.from(salt, 'hex'), 32, { N: 4096, r: 8, p: 1 }).toString('hex')}`
  expect([await checkPassword(sent, kept), await checkPassword('other', kept)]).toEqual([true, false])
})

it('of nobody are compared at the same cost, and never good', async () => {
  expect(NOBODY.split('$')[1]).toBe((await hashPassword(sent)).split('$')[1])
  expect(await checkPassword(sent, NOBODY)).toBe(false)
})

it('leave the parameters of a call before anything is recorded, and the old one must be right', async () => {
  const kept = await hashPassword(sent)
  const { passwordHash, ...rest } = await withoutPassword({ name: 'n', password: 'cd'.repeat(64), oldPassword: sent }, kept)
  expect(rest).toEqual({ name: 'n' })
  expect(await checkPassword('cd'.repeat(64), String(passwordHash))).toBe(true)
  await expect(withoutPassword({ password: sent, oldPassword: 'wrong' }, kept)).rejects.toMatchObject({
    code: 'permission-denied',
  })
})
