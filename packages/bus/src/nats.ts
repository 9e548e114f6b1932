/** The bus on a real nats-server: connecting, staying connected, and carrying frames. The only file that knows the `nats` package. */
import { SkerryError } from '@skerry/contract'
import {
  connect,
  createInbox,
  credsAuthenticator,
  DebugEvents,
  ErrorCode,
  Events,
  headers as makeHeaders,
  type NatsConnection,
  type Msg as NatsMsg,
  type ConnectionOptions as NatsOptions,
  type Status,
} from 'nats'
import {
  BusConnection,
  type ConnectionOptions,
  type Link,
  type LinkEvents,
  type LinkSubscription,
  type RetiringBus,
} from './connection.ts'
import { keyPairOf } from './credentials/native-keys.ts'
import { type Frame, MAX_PAYLOAD_BYTES } from './envelope.ts'
import { LateLink } from './late.ts'
import { reconnectDelay } from './reconnect-delay.ts'

/** User JWT with its seed, or the text of a `.creds` file. */
export type NatsCredentials = { jwt: string; seed: string } | { creds: string }

export interface ConnectNatsOptions extends ConnectionOptions {
  /** `tls://host:port`; hosts are checked against the server's certificate. */
  servers: readonly string[]
  /** Shown by the server's monitoring. */
  name: string
  /** The prefix that this user may subscribe to, such as `_INBOX_ctl`. */
  inboxPrefix?: string
  /** A function is asked again at every reconnect, so renewed credentials are taken up. */
  credentials?: NatsCredentials | (() => NatsCredentials)
  /** With it, a server without TLS is refused. PEM texts. */
  tls?: { ca: string; cert?: string; key?: string }
  /** Delay before each attempt, drawn evenly; attempts never end. Default 500–2000 ms, so a site doesn't come back at once. */
  reconnect?: { minMs: number; maxMs: number }
  /** Keep trying when no server answers at first. Refused credentials and certificates end it all the same. */
  waitOnFirstConnect?: boolean
  /** Ends the waiting of `waitOnFirstConnect`. */
  signal?: AbortSignal
  connectTimeoutMs?: number
  /** A silent connection is given up after three of these. Default 10 s. */
  pingIntervalMs?: number
  /** In [0, 1): the jitter. */
  random?: () => number
}

/**
 * Connects, and stays connected: after a break it reconnects for ever and restores subscriptions.
 * Throws `permission-denied` when credentials or certificate are refused, `not-ready` when no server can be reached.
 */
export async function connectNats(options: ConnectNatsOptions): Promise<RetiringBus> {
  const nc = await firstConnect(options, reconnectDelays(options))
  return new BusConnection((events) => new NatsLink(nc, createInbox(options.inboxPrefix), events), options)
}

/** Between attempts that the server refused: an operator may mend the credentials or the certificate meanwhile. */
const REFUSED_RETRY_MS = 5_000

/**
 * A bus at once, `disconnected` until a server is there, then as one of `connectNats`. A refusal does not end the attempts: it is
 * told to `onError`, as everything that goes wrong meanwhile.
 */
export function connectNatsLater(options: Omit<ConnectNatsOptions, 'waitOnFirstConnect' | 'signal'>): RetiringBus {
  const inbox = createInbox(options.inboxPrefix)
  const connecting = async (events: LinkEvents, signal: AbortSignal): Promise<Link> => {
    const onError = once((error) => events.fault(error))
    for (;;) {
      try {
        const nc = await firstConnect({ ...options, onError, waitOnFirstConnect: true, signal }, reconnectDelays(options))
        return new NatsLink(nc, inbox, events)
      } catch (error) {
        if (signal.aborted) throw error
        onError(error as SkerryError)
      }
      await pause(REFUSED_RETRY_MS, signal)
      signal.throwIfAborted()
    }
  }
  const connect = (events: LinkEvents) => (signal: AbortSignal) => connecting(events, signal)
  return new BusConnection((events) => new LateLink({ inbox, events, connect: connect(events) }), options)
}

/** Tells an error only when it is another than the one before: attempts come several times a second. */
function once(tell: (error: SkerryError) => void): (error: SkerryError) => void {
  let last = ''
  return (error) => {
    const now = `${error.code} ${String(error.details['reason'])}`
    if (now !== last) tell(error)
    last = now
  }
}

/** Milliseconds before the next attempt, each time others: what lost its server together does not come back together. */
export function reconnectDelays({
  reconnect,
  random = Math.random,
}: Pick<ConnectNatsOptions, 'reconnect' | 'random'>): () => number {
  const { minMs, maxMs } = reconnect ?? { minMs: 500, maxMs: 2_000 }
  return () => minMs + Math.floor(random() * (maxMs - minMs))
}

function natsOptions(options: ConnectNatsOptions, delayMs: () => number): NatsOptions {
  return {
    servers: [...options.servers],
    name: options.name,
    inboxPrefix: options.inboxPrefix,
    authenticator: authenticator(options.credentials),
    tls: options.tls,
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: reconnectDelay(delayMs),
    timeout: options.connectTimeoutMs ?? 5_000,
    pingInterval: options.pingIntervalMs ?? 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  }
}

export function authenticator(credentials: ConnectNatsOptions['credentials']): NatsOptions['authenticator'] {
  if (credentials === undefined) return undefined
  const text = new TextEncoder()
  return (nonce) => {
    const now = typeof credentials === 'function' ? credentials() : credentials
    return 'creds' in now ? credsAuthenticator(text.encode(now.creds))(nonce) : signed(now, nonce)
  }
}

/** As nats.js's `jwtAuthenticator`, whose signature takes milliseconds. */
function signed({ jwt, seed }: { jwt: string; seed: string }, nonce: string | undefined) {
  const keys = keyPairOf(seed)
  const sig = nonce ? Buffer.from(keys.sign(new TextEncoder().encode(nonce))).toString('base64') : ''
  return { jwt, nkey: keys.getPublicKey(), sig }
}

/** nats.js's own `waitOnFirstConnect` would also retry refused credentials, silently and for ever. */
async function firstConnect(options: ConnectNatsOptions, delayMs: () => number): Promise<NatsConnection> {
  for (;;) {
    try {
      return await connect(natsOptions(options, delayMs))
    } catch (cause) {
      const error = connectError(cause, options.servers)
      if (error.code !== 'not-ready' || !options.waitOnFirstConnect || options.signal?.aborted) throw error
      options.onError?.(error)
    }
    await pause(delayMs(), options.signal)
  }
}

/** Resolves after `ms`, or at once when aborted. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}

const REFUSED: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
]
/** Codes of Node's and OpenSSL's certificate checks, and nats.js's for a server without the TLS that we ask for. */
const UNTRUSTED = /CERT|SIGNATURE|ISSUER|ALTNAME|^ERR_TLS|^ERR_SSL|^TLS$|^SERVER_OPT_NA$/

export function connectError(cause: unknown, servers: readonly string[]): SkerryError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const details = { servers: [...servers], reason: code }
  if (REFUSED.includes(code)) return new SkerryError('permission-denied', 'NATS refused our credentials', details, { cause })
  if (UNTRUSTED.test(code))
    return new SkerryError('permission-denied', 'the NATS server is not the one that our CA vouches for', details, { cause })
  return new SkerryError('not-ready', 'no NATS server can be reached', details, { cause })
}

class NatsLink implements Link {
  readonly inbox: string
  readonly #nc: NatsConnection
  readonly #events: LinkEvents

  constructor(nc: NatsConnection, inbox: string, events: LinkEvents) {
    this.#nc = nc
    this.#events = events
    this.inbox = inbox
    void this.#watch()
  }

  async #watch(): Promise<void> {
    for await (const status of this.#nc.status()) this.#onStatus(status)
    const why = await this.#nc.closed()
    this.#events.state('disconnected')
    if (why) this.#events.fault(new SkerryError('internal', 'the connection to NATS ended for good', {}, { cause: why }))
  }

  #onStatus(status: Status): void {
    if (status.type === Events.Disconnect || status.type === DebugEvents.StaleConnection) this.#events.state('disconnected')
    else if (status.type === Events.Reconnect) this.#events.state('connected')
    else if (status.type === Events.Error) this.#onError(status)
  }

  #onError({ data, permissionContext: denied }: Status): void {
    if (denied) this.#events.denied(denied.operation === 'publish' ? 'publish' : 'subscription', denied.subject)
    else if (REFUSED.includes(String(data))) {
      this.#events.fault(new SkerryError('permission-denied', 'NATS refuses our credentials', { reason: data }))
    } else this.#events.fault(new SkerryError('internal', 'NATS reported an error', { reason: data }))
  }

  maxPayloadBytes(): number {
    return Math.min(this.#nc.info?.max_payload ?? MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES)
  }

  publish(frame: Frame): void {
    const names = Object.keys(frame.headers)
    const headers = names.length > 0 ? makeHeaders() : undefined
    for (const name of names) headers?.set(name, frame.headers[name] as string)
    this.#nc.publish(frame.subject, frame.bytes, { reply: frame.reply, headers })
  }

  subscribe(pattern: string, queue: string | undefined, onFrame: (read: () => Frame) => void): LinkSubscription {
    // an error here is a refused subscription; it comes through the status too, where requests' refusals come
    const sub = this.#nc.subscribe(pattern, { queue, callback: (error, msg) => (error ? undefined : onFrame(() => read(msg))) })
    return {
      drain: async () => {
        if (sub.isClosed() || this.#nc.isClosed()) return
        await sub.drain()
      },
    }
  }

  flush(): Promise<void> {
    return this.#nc.flush()
  }

  close(): Promise<void> {
    return this.#nc.close()
  }
}

/** Throws on malformed headers, which nats-server passes on unchecked. */
function read(msg: NatsMsg): Frame {
  const { headers } = msg
  const noResponders = headers?.code === 503 && msg.data.length === 0
  const pairs = headers?.keys().map((name): [string, string] => [name, headers.get(name)]) ?? []
  return {
    subject: msg.subject,
    reply: msg.reply || undefined,
    bytes: msg.data,
    headers: Object.fromEntries(pairs),
    noResponders,
  }
}
