/** The library is what nats-server's makers wrote: ours must give the same, byte for byte. */
import { createAccount, createOperator, createUser, fromPublic, fromSeed } from '@nats-io/nkeys'
import { expect, test } from 'vitest'
import { createUserKeys, keyPairOf } from '../src/credentials/native-keys.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test.each([
  ['users', createUser],
  ['accounts', createAccount],
  ['operators', createOperator],
])('keys of %s are the same as the library’s', (_, create) => {
  for (let i = 0; i < 20; i += 1) {
    const theirs = create()
    const ours = keyPairOf(text(theirs.getSeed()))
    const input = new TextEncoder().encode(`nonce ${i}`)
    expect(ours.getPublicKey()).toBe(theirs.getPublicKey())
    expect(text(ours.getPrivateKey())).toBe(text(theirs.getPrivateKey()))
    expect(Buffer.from(ours.sign(input))).toEqual(Buffer.from(theirs.sign(input)))
    expect(fromPublic(ours.getPublicKey()).verify(input, ours.sign(input))).toBe(true)
  }
})

test('new users have a seed that the library reads', () => {
  const { publicKey, seed } = createUserKeys()
  expect(fromSeed(new TextEncoder().encode(seed)).getPublicKey()).toBe(publicKey)
  expect(publicKey).toMatch(/^U/)
  expect(createUserKeys().seed).not.toBe(seed)
})

test('a seed with a wrong letter is refused, as by the library', () => {
  const { seed } = createUserKeys()
  const wrong = seed.slice(0, 20) + (seed[20] === 'A' ? 'B' : 'A') + seed.slice(21)
  expect(() => keyPairOf(wrong)).toThrow()
  expect(() => keyPairOf('')).toThrow()
})
