/** Users of the site's account. Issuing one changes no server: the JWT carries its rights. */
import { encodeUser, fmtCreds } from '@nats-io/jwt'
import { createUser, fromPublic, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { SkerryError } from '@skerry/contract'
import { keyPairOf } from './native-keys.ts'
import { type AgentIdentity, type KeyedKind, rightsOf, type UserIdentity } from './rights.ts'

/**
 * An agent may answer a request this long after it got it, once. nats-server forgets it then; the longest verbs (a migration,
 * an image) end sooner or report by status.
 */
const RESPONSE_TTL_NS = 3_600 * 1e9

export type IssueUserOptions = {
  /** Seed of the key that signs: the account's own, or with `account` one of its signing keys. */
  accountSeed: string
  /** Public key of the account that the signing key stands for. */
  account?: string
  /** The user's own public key (`U…`), whose seed never leaves its machine; a new pair is made without it. */
  userPublicKey?: string
  /** The JWT is refused from then on; without it, it never expires. */
  expiresAt?: Date
} & ({ kind: 'controller' | KeyedKind } | { kind: 'agent'; agent: AgentIdentity })

export interface IssuedUser {
  jwt: string
  publicKey: string
  /** What `connectNats` must be given, because the rights allow no other. */
  inboxPrefix: string
  /** Only of a pair made here. Secret. */
  seed?: string
}

/** Throws `invalid-argument` for keys that aren't nkeys of the right kind, or an agent's kind and uuid that aren't plain. */
export async function issueUser(options: IssueUserOptions): Promise<IssuedUser> {
  const account = parseKey('accountSeed', 'SA', () => keyPairOf(options.accountSeed), options.accountSeed)
  const given = options.userPublicKey
  const keys = given === undefined ? createUser() : parseKey('userPublicKey', 'U', () => fromPublic(given), given)
  const publicKey = keys.getPublicKey()
  const identity = identityOf(options, publicKey)
  const rights = rightsOf(identity)
  const jwt = await encodeUser(
    identity.kind === 'agent' ? `agent-${identity.agent.kind}-${identity.agent.uuid}` : identity.kind,
    keys,
    account,
    {
      pub: { allow: [...rights.publish], deny: [] },
      sub: { allow: [...rights.subscribe], deny: [...rights.unheard] },
      ...(rights.responses ? { resp: { max: 1, ttl: RESPONSE_TTL_NS } } : {}),
      allowed_connection_types: ['STANDARD'],
      ...(options.account === undefined ? {} : { issuer_account: options.account }),
    },
    options.expiresAt ? { exp: Math.floor(options.expiresAt.getTime() / 1000) } : {},
  )
  const seed = given === undefined ? new TextDecoder().decode(keys.getSeed()) : undefined
  return { jwt, publicKey, inboxPrefix: rights.inboxPrefix, ...(seed === undefined ? {} : { seed }) }
}

function identityOf(options: IssueUserOptions, publicKey: string): UserIdentity {
  if (options.kind === 'agent') return { kind: 'agent', agent: options.agent }
  return options.kind === 'controller' ? { kind: 'controller' } : { kind: options.kind, id: publicKey }
}

/** The key's text is not repeated in the error: it may be a secret in the wrong place. */
function parseKey(field: string, prefix: string, parse: () => KeyPair, text: string): KeyPair {
  try {
    if (!text.startsWith(prefix)) throw new Error(`expected an nkey that begins with ${prefix}`)
    return parse()
  } catch (cause) {
    throw new SkerryError('invalid-argument', `${field} is not an nkey of its kind`, { field }, { cause })
  }
}

/** The text of a `.creds` file, as every NATS tool reads it. Secret. */
export function credsFile({ jwt, seed }: { jwt: string; seed: string }): string {
  return new TextDecoder().decode(fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed))))
}

/**
 * The inbox prefix that the user of a `.creds` text may subscribe to, read from its JWT (which names the user and is not verified
 * here: the server does that). Undefined for credentials that are not of ours, or of an agent or a controller.
 */
export function inboxOfCreds(creds: string): string | undefined {
  const { sub, name } = claimsOf(creds)
  const kind = name === 'console-proxy' || name === 'operator-cli' ? name : undefined
  return typeof sub === 'string' && kind ? rightsOf({ kind, id: sub }).inboxPrefix : undefined
}

/** Public key that signed the user of a `.creds` text; undefined where there is none. */
export function signerOfCreds(creds: string): string | undefined {
  const { iss } = claimsOf(creds)
  return typeof iss === 'string' ? iss : undefined
}

function claimsOf(creds: string): { sub?: unknown; iss?: unknown; name?: unknown } {
  const payload = /-----BEGIN NATS USER JWT-----\s+[\w-]+\.([\w-]+)\./.exec(creds)?.[1]
  return payload === undefined ? {} : JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
}
