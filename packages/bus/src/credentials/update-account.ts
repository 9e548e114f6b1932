/**
 * Telling a running nats-server the site's account anew: it cuts off users that are revoked or whose signer is gone, leaves all
 * others connected, and keeps the account over restarts. Nothing else is ever done as the system account.
 */
import { encodeUser } from '@nats-io/jwt'
import { createUser, fromSeed } from '@nats-io/nkeys'
import { SkerryError } from '@skerry/contract'
import { connect, type NatsConnection } from 'nats'
import { z } from 'zod'
import { authenticator, connectError } from '../nats.ts'

export interface UpdateAccountOptions {
  /** `tls://host:port` */
  servers: readonly string[]
  /** PEM texts. */
  tls?: { ca: string }
  systemAccountSeed: string
  /** From `accountJwt`. */
  jwt: string
  timeoutMs?: number
}

const SUBJECT = '$SYS.REQ.CLAIMS.UPDATE'
const INBOX = '_INBOX_sys'
const reply = z.object({
  data: z.object({ code: z.number() }).optional(),
  error: z.object({ code: z.number(), description: z.string() }).optional(),
})

/** Resolves when the server has taken it. Throws `not-ready` (no server, or no answer) or `permission-denied`. */
export async function updateAccount(options: UpdateAccountOptions): Promise<void> {
  const { servers, tls, jwt, timeoutMs = 5_000 } = options
  let nc: NatsConnection
  try {
    nc = await connect({
      servers: [...servers],
      name: 'account-update',
      inboxPrefix: INBOX,
      authenticator: authenticator(await systemUser(options.systemAccountSeed)),
      ...(tls ? { tls } : {}),
      reconnect: false,
      timeout: timeoutMs,
      noAsyncTraces: true,
    })
  } catch (cause) {
    throw connectError(cause, servers)
  }
  try {
    const answer = await nc.request(SUBJECT, new TextEncoder().encode(jwt), { timeout: timeoutMs })
    check(answer.string())
  } catch (cause) {
    if (cause instanceof SkerryError) throw cause
    throw new SkerryError('not-ready', 'nats-server did not take the account in time', { servers: [...servers] }, { cause })
  } finally {
    await nc.close()
  }
}

function check(text: string): void {
  const { data, error } = reply.parse(JSON.parse(text))
  if (data?.code === 200) return
  throw new SkerryError('permission-denied', `nats-server refused the account: ${error?.description ?? 'without saying why'}`)
}

/** May do this one thing; its key is gone with this call. */
async function systemUser(accountSeed: string): Promise<{ jwt: string; seed: string }> {
  const user = createUser()
  const rights = { pub: { allow: [SUBJECT], deny: [] }, sub: { allow: [`${INBOX}.>`], deny: [] } }
  const jwt = await encodeUser('account-update', user, fromSeed(new TextEncoder().encode(accountSeed)), {
    ...rights,
    allowed_connection_types: ['STANDARD'],
  })
  return { jwt, seed: new TextDecoder().decode(user.getSeed()) }
}
