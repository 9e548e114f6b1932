/** New SSH key pairs: the public key becomes a resource, the private one goes to the caller and nowhere else. */
import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Row } from '@skerry/contract'
import type { Call } from '../engine/port.ts'
import type { State } from '../engine/state.ts'

const generate = promisify(generateKeyPair)
const BITS = 3072

/** Length and bytes, as in RFC 4251 §5. */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A positive number of any size: one whose highest bit is set has a zero byte before it. */
function mpint(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return field((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes)
}

/** The line of `authorized_keys` for an RSA key (RFC 4253 §6.6). */
export function publicLine(key: KeyObject): string {
  const { e, n } = key.export({ format: 'jwk' }) as { e: string; n: string }
  return `ssh-rsa ${Buffer.concat([field(Buffer.from('ssh-rsa')), mpint(e), mpint(n)]).toString('base64')}`
}

export interface SshKeyPorts {
  state: State
  now(): number
  newId(): string
}

export function sshKeyPairCalls({ state, now, newId }: SshKeyPorts): Record<string, (call: Call) => Promise<Row>> {
  return {
    async GenerateSshKeyPair({ params, caller }) {
      const { publicKey, privateKey } = await generate('rsa', { modulusLength: BITS })
      const at = now()
      const uuid = newId()
      const row: Row = {
        ...{ uuid, name: params['name'], description: params['description'] ?? null, createDate: at, lastOpDate: at },
        ...{ publicKey: publicLine(publicKey), vmInstanceUuids: [] },
      }
      const facts = [{ noun: 'sshKeyPair', uuid, event: 'created' }]
      await state.commit(
        { ops: [{ o: 'put', t: 'sshKeyPair', k: uuid, v: row }], facts },
        { actor: caller?.accountUuid ?? 'anonymous' },
      )
      const { vmInstanceUuids: _attached, ...inventory } = row
      return { inventory: { ...inventory, privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }) } }
    },
  }
}
