/**
 * nkeys by node's own Ed25519. The library's is written in JavaScript and computes the public key anew for each signature: some ten
 * milliseconds for each user that is issued or connects, which a site of thousands of agents can't afford. Same keys, same signatures.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { fromSeed, type KeyPair } from '@nats-io/nkeys'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const SEED = 18 << 3
const PRIVATE = 15 << 3
const USER = 20 << 3
const RAW_BYTES = 32

/** CRC-16/XMODEM, as at the end of each nkey. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc
}

function encode(prefix: readonly number[], raw: Uint8Array): string {
  const bytes = Buffer.concat([Buffer.from(prefix), raw])
  const crc = crc16(bytes)
  let [text, bits, held] = ['', 0, 0]
  for (const byte of Buffer.concat([bytes, Buffer.from([crc & 255, crc >> 8])])) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text
}

function decode(text: string): Buffer {
  const bytes: number[] = []
  let [bits, held] = [0, 0]
  for (const letter of text) {
    held = ((held << 5) | BASE32.indexOf(letter)) & 0xfff
    bits += 5
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255)
  }
  return Buffer.from(bytes)
}

/** As JWK, of which only `d` is read: OpenSSL takes ten times as long to look through PKCS #8. */
const privateKeyOf = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d: seed.toString('base64url'), x: '' }, format: 'jwk' })

/** The library's own pair, with the expensive parts done natively. */
class NativePair implements Pick<KeyPair, 'getPublicKey' | 'getPrivateKey' | 'sign'> {
  readonly #prefix: number
  readonly #seed: Buffer
  readonly #key: KeyObject
  readonly #publicBytes: Buffer

  constructor(seed: string) {
    const [first = 0, second = 0, ...raw] = decode(seed)
    this.#prefix = ((first & 7) << 5) | (second >> 3)
    this.#seed = Buffer.from(raw.slice(0, RAW_BYTES))
    this.#key = privateKeyOf(this.#seed)
    this.#publicBytes = Buffer.from(createPublicKey(this.#key).export({ format: 'jwk' }).x ?? '', 'base64url')
  }

  getPublicKey(): string {
    return encode([this.#prefix], this.#publicBytes)
  }

  getPrivateKey(): Uint8Array {
    return new TextEncoder().encode(encode([PRIVATE], Buffer.concat([this.#seed, this.#publicBytes])))
  }

  sign(input: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, input, this.#key))
  }
}

/** As the library's `fromSeed`, and throws what it throws. */
export function keyPairOf(seed: string): KeyPair {
  const known = fromSeed(new TextEncoder().encode(seed)) // checks form and checksum
  const native = new NativePair(seed)
  return Object.assign(known, {
    getPublicKey: () => native.getPublicKey(),
    getPrivateKey: () => native.getPrivateKey(),
    sign: (input: Uint8Array) => native.sign(input),
  })
}

/** A new user's keys. `seed` is secret. */
export function createUserKeys(): { publicKey: string; seed: string } {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const seed = encode([SEED | (USER >> 5), (USER & 31) << 3], Buffer.from(d, 'base64url'))
  return { publicKey: encode([USER], Buffer.from(x, 'base64url')), seed }
}
