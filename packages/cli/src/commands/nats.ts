/** `skerry nats sub|req|call|services`: look at the bus with the credentials of a context (Debian has no `nats` command). */

import type { GatheringBus } from '@skerry/bus'
import { SkerryError } from '@skerry/contract'
import type { Io } from '../io.ts'
import { contextOf, type Globals } from '../session.ts'

export interface NatsOptions extends Globals {
  natsUrl?: string
  creds?: string
  ca?: string
  inbox?: string
  timeout?: string
}

/** Connects, runs, and always disconnects. */
export async function withBus<T>(io: Io, o: NatsOptions, run: (bus: GatheringBus) => Promise<T>): Promise<T> {
  const { context } = await contextOf(io, o)
  const stored = context.nats
  const url = o.natsUrl ?? stored?.url
  if (url === undefined)
    throw new SkerryError('invalid-argument', 'where is NATS? Use --nats-url, or skerry login --nats-url to keep it', {
      field: 'nats-url',
    })
  const [creds, ca] = [o.creds ?? stored?.creds, o.ca ?? stored?.ca]
  const { connectNats, inboxOfCreds } = await import('@skerry/bus')
  const text = creds ? await io.readFile(creds) : undefined
  const inbox = o.inbox ?? (text ? inboxOfCreds(text) : undefined)
  const bus = await connectNats({
    servers: [url],
    name: 'skerry-cli',
    ...(text ? { credentials: { creds: text } } : {}),
    ...(ca ? { tls: { ca: await io.readFile(ca) } } : {}),
    ...(inbox ? { inboxPrefix: inbox } : {}),
  })
  try {
    return await run(bus)
  } finally {
    await bus.close()
  }
}

const timeoutMs = (o: NatsOptions) => Number(o.timeout ?? 2) * 1000

/** Prints what is published on a pattern until Ctrl-C. */
export function sub(io: Io, pattern: string, o: NatsOptions): Promise<void> {
  return withBus(io, o, async (bus) => {
    bus.subscribe(pattern, (message) => io.out(`${message.subject}  ${JSON.stringify(message.data)}`))
    await bus.flush()
    if (!io.interrupted.aborted)
      await new Promise<void>((resolve) => io.interrupted.addEventListener('abort', () => resolve(), { once: true }))
  })
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch (cause) {
    throw new SkerryError('invalid-argument', 'the payload must be JSON', { field: 'payload' }, { cause })
  }
}

export function req(io: Io, subject: string, payload: string, o: NatsOptions): Promise<void> {
  return withBus(io, o, async (bus) => {
    const answer = await bus.request(subject, parsed(payload), { timeoutMs: timeoutMs(o) })
    io.out(JSON.stringify(answer.data, null, 2))
  })
}

export interface CallOptions extends NatsOptions {
  resource: string
  wait?: boolean
  dryRun?: boolean
  job?: string
}

/** A call of the controller's API over the bus, with the session of the context. `--wait`: as long as the time-out allows. */
export async function call(io: Io, what: { noun: string; verb: string; params: string }, o: CallOptions): Promise<void> {
  const { context } = await contextOf(io, o)
  await withBus(io, o, async (bus) => {
    const { callHeaders, headers: names, subjects } = await import('@skerry/contract')
    const headers = {
      ...(context.session ? { [names.authorization]: `Bearer ${context.session}` } : {}),
      ...(o.wait ? { [callHeaders.wait]: `${Math.floor(timeoutMs(o))}ms` } : {}),
      ...(o.dryRun ? { [callHeaders.dryRun]: 'true' } : {}),
      ...(o.job ? { [callHeaders.job]: o.job } : {}),
    }
    const subject = subjects.api(what.noun, o.resource === '-' ? undefined : o.resource, what.verb)
    const answer = await bus.request(subject, parsed(what.params), { timeoutMs: timeoutMs(o), headers })
    io.out(JSON.stringify(answer.data, null, 2))
  })
}

export function services(io: Io, o: NatsOptions): Promise<void> {
  return withBus(io, o, async (bus) => {
    const { discoverServices } = await import('@skerry/bus')
    const { table } = await import('../output.ts')
    const found = (await discoverServices(bus, { timeoutMs: timeoutMs(o) })) as Record<string, unknown>[]
    io.out(found.length === 0 ? 'no services answer' : table(['name', 'id', 'version'], found))
  })
}
