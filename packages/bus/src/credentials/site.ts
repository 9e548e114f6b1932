/** The keys of a site: an operator who vouches for accounts, and the accounts that vouch for users. Made once, by `up`. */
import { encodeAccount, encodeOperator } from '@nats-io/jwt'
import { createAccount, createOperator, type KeyPair } from '@nats-io/nkeys'

export interface NatsIdentity {
  /** Public nkey: `O…`, `A…`, `U…`. */
  publicKey: string
  /** Private. */
  seed: string
  jwt: string
}

/** Plain data; seeds are secrets (0600). The controller needs only `account`, the server only JWTs and public keys. */
export interface Site {
  operator: NatsIdentity
  systemAccount: NatsIdentity
  account: NatsIdentity
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
  const signer = { signer: operator }
  const jwts = {
    operator: await encodeOperator('SKERRY', operator, { system_account: system.getPublicKey() }),
    system: await encodeAccount('SYS', system, { limits: ACCOUNT_LIMITS }, signer),
    account: await encodeAccount('SKERRY', account, { limits: { ...ACCOUNT_LIMITS, ...ACCOUNT_JETSTREAM } }, signer),
  }
  return {
    operator: identity(operator, jwts.operator),
    systemAccount: identity(system, jwts.system),
    account: identity(account, jwts.account),
  }
}

function identity(keys: KeyPair, jwt: string): NatsIdentity {
  return { publicKey: keys.getPublicKey(), seed: new TextDecoder().decode(keys.getSeed()), jwt }
}
