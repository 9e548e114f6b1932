/** The keys of a site: an operator who vouches for accounts, and the accounts that vouch for users. Made once, by `up`. */
import { encodeAccount, encodeOperator } from '@nats-io/jwt'
import { createAccount, createOperator, fromPublic, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { SkerryError } from '@skerry/contract'

export interface NatsIdentity {
  /** Public nkey: `O…`, `A…`, `U…`. */
  publicKey: string
  /** Private. */
  seed: string
  jwt: string
}

/** An account's key that signs users in its place, so that it can be replaced while the account stays. */
export interface SigningKey {
  /** `A…` */
  publicKey: string
  /** Private. */
  seed: string
}

/** Plain data; seeds are secrets (0600). The server needs only JWTs and public keys. `account.jwt` names `signingKey` and revokes nobody. */
export interface Site {
  operator: NatsIdentity
  systemAccount: NatsIdentity
  account: NatsIdentity
  signingKey: SigningKey
}

const MIB = 1_048_576
/** What the account may use of JetStream; the server's own limits are the same, so one account can't be promised too much. */
export const JETSTREAM_LIMITS = { diskBytes: 4096 * MIB, memoryBytes: 64 * MIB, streams: 64, consumers: 4096 } as const

const UNLIMITED = -1
/** An absent limit in an account JWT means none allowed, so each is written. No imports, exports or leaf nodes: nothing crosses accounts. */
const ACCOUNT_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  conn: UNLIMITED,
  leaf: 0,
  imports: 0,
  exports: 0,
  wildcards: true,
  disallow_bearer: true,
}
const ACCOUNT_JETSTREAM = {
  mem_storage: JETSTREAM_LIMITS.memoryBytes,
  disk_storage: JETSTREAM_LIMITS.diskBytes,
  streams: JETSTREAM_LIMITS.streams,
  consumer: JETSTREAM_LIMITS.consumers,
}

export async function createSite(): Promise<Site> {
  const operator = createOperator()
  const system = createAccount()
  const account = createAccount()
  const signingKey = createSigningKey()
  const signer = { signer: operator }
  const jwts = {
    operator: await encodeOperator('SKERRY', operator, { system_account: system.getPublicKey() }),
    system: await encodeAccount('SYS', system, { limits: ACCOUNT_LIMITS }, signer),
    account: await accountJwt({
      accountPublicKey: account.getPublicKey(),
      operatorSeed: seedOf(operator),
      signingKeys: [signingKey.publicKey],
      revoked: [],
    }),
  }
  return {
    operator: identity(operator, jwts.operator),
    systemAccount: identity(system, jwts.system),
    account: identity(account, jwts.account),
    signingKey,
  }
}

export function createSigningKey(): SigningKey {
  const keys = createAccount()
  return { publicKey: keys.getPublicKey(), seed: seedOf(keys) }
}

export interface AccountClaims {
  /** `A…` */
  accountPublicKey: string
  operatorSeed: string
  /** Public keys: whose users get in. Users that the account's own key signed always do. */
  signingKeys: readonly string[]
  /** Users' public keys that never get in again. */
  revoked: readonly string[]
}

/** nats-server refuses a revoked user's JWTs that were issued up to then: all that there will ever be, whatever clocks say. */
const FOR_EVER_S = Date.parse('9999-12-31T23:59:59Z') / 1000

/** The site's account, as the server is to know it from now on. */
export function accountJwt({ accountPublicKey, operatorSeed, signingKeys, revoked }: AccountClaims): Promise<string> {
  const revocations = Object.fromEntries(revoked.map((publicKey) => [publicKey, FOR_EVER_S]))
  return encodeAccount(
    'SKERRY',
    parse('accountPublicKey', () => fromPublic(accountPublicKey)),
    { limits: { ...ACCOUNT_LIMITS, ...ACCOUNT_JETSTREAM }, signing_keys: [...signingKeys], revocations },
    { signer: parse('operatorSeed', () => fromSeed(new TextEncoder().encode(operatorSeed))) },
  )
}

/** The key's text is not repeated in the error: it may be a secret. */
function parse(field: string, read: () => KeyPair): KeyPair {
  try {
    return read()
  } catch (cause) {
    throw new SkerryError('invalid-argument', `${field} is not an nkey`, { field }, { cause })
  }
}

const seedOf = (keys: KeyPair): string => new TextDecoder().decode(keys.getSeed())

function identity(keys: KeyPair, jwt: string): NatsIdentity {
  return { publicKey: keys.getPublicKey(), seed: seedOf(keys), jwt }
}
