/**
 * [format] Secrets for one agent: sealed to its X25519 key, opened only by it. `s1.<ephemeral key>.<nonce>.<ciphertext+tag>`,
 * base64url; key = HKDF-SHA-256(X25519 secret, salt = both public keys, info = "skerry seal 1"), AES-256-GCM. `context`
 * (the resource that the secret belongs to) is authenticated: a sealed value can't be moved to another place.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { SkerryError } from '@skerry/contract'

/** base64url of the 32 bytes each. `privateKey` is secret. */
export interface SealKeys {
  publicKey: string
  privateKey: string
}

/** Of an agent's identity. */
export const sealKeysOf = (of: { sealPublicKey: string; sealPrivateKey: string }): SealKeys => ({
  publicKey: of.sealPublicKey,
  privateKey: of.sealPrivateKey,
})

const VERSION = 's1'
const INFO = 'skerry seal 1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export function createSealKeys(): SealKeys {
  const { x, d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  if (!x || !d) throw new SkerryError('internal', 'an X25519 key pair could not be exported')
  return { publicKey: x, privateKey: d }
}

/** Throws `invalid-argument` when `publicKey` is no X25519 key. */
export function seal(publicKey: string, secret: Uint8Array, context: string): string {
  const ephemeral = createSealKeys()
  const shared = diffieHellman({ privateKey: privateOf(ephemeral), publicKey: publicOf(publicKey) })
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyOf(shared, ephemeral.publicKey, publicKey), nonce)
  cipher.setAAD(Buffer.from(context))
  const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  return [VERSION, ephemeral.publicKey, nonce.toString('base64url'), sealed.toString('base64url')].join('.')
}

/** Throws `invalid-argument` for what wasn't sealed to these keys with this context. */
export function unseal(keys: SealKeys, sealed: string, context: string): Buffer {
  const [version, ephemeral = '', nonce = '', body = ''] = sealed.split('.')
  try {
    if (version !== VERSION) throw new Error(`unknown version ${version?.slice(0, 8)}`)
    const shared = diffieHellman({ privateKey: privateOf(keys), publicKey: publicOf(ephemeral) })
    const bytes = Buffer.from(body, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', keyOf(shared, ephemeral, keys.publicKey), Buffer.from(nonce, 'base64url'))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw new SkerryError('invalid-argument', 'a sealed secret cannot be opened here', { context }, { cause })
  }
}

function keyOf(shared: Buffer, ephemeral: string, receiver: string): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, `${ephemeral}.${receiver}`, INFO, 32))
}

function publicOf(x: string): KeyObject {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
  } catch (cause) {
    throw new SkerryError('invalid-argument', 'this is not an X25519 public key', {}, { cause })
  }
}

function privateOf({ publicKey, privateKey }: SealKeys): KeyObject {
  return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', x: publicKey, d: privateKey }, format: 'jwk' })
}
