/** `skerry login`: a session, kept in a context. The password never becomes part of one. */
import { SkerryError } from '@skerry/contract/errors'
import type { Io } from '../io.ts'
import { clientFor, contextOf } from '../session.ts'

export interface LoginOptions {
  url?: string
  account: string
  password?: string
  passwordFile?: string
  user?: string
  context?: string
  ca?: string
  natsUrl?: string
  creds?: string
  natsCa?: string
  sshKey?: string
}

async function passwordOf(io: Io, o: LoginOptions): Promise<string> {
  if (o.passwordFile) return (await io.readFile(o.passwordFile)).replace(/\r?\n$/, '')
  const given =
    o.password ?? io.env['SKERRY_PASSWORD'] ?? (await io.ask(`password of ${o.user ?? o.account}: `, { secret: true }))
  if (given === undefined)
    throw new SkerryError('invalid-argument', 'there is nobody to ask for the password: use --password-file or SKERRY_PASSWORD', {
      field: 'password',
    })
  return given
}

export async function login(io: Io, o: LoginOptions): Promise<void> {
  const { saveContext, readContexts } = await import('../contexts.ts')
  const name = o.context ?? io.env['SKERRY_CONTEXT'] ?? (await readContexts(io.configFolder)).current
  const stored = (await readContexts(io.configFolder)).contexts[name]
  const { context: base } = stored ? await contextOf(io, { context: name }) : await contextOf(io, {})
  const { session: _old, ...rest } = stored ?? { url: base.url }
  const nats = o.natsUrl
    ? { url: o.natsUrl, ...(o.creds ? { creds: o.creds } : {}), ...(o.natsCa ? { ca: o.natsCa } : {}) }
    : rest.nats
  const context = {
    ...rest,
    url: o.url ?? base.url,
    account: o.account,
    ...(o.ca ? { ca: o.ca } : {}),
    ...(nats ? { nats } : {}),
    ...(o.sshKey ? { sshKey: o.sshKey } : {}),
  }
  const client = await clientFor(io, context)
  const session = await client.login(o.account, await passwordOf(io, o), o.user)
  await saveContext(io.configFolder, name, { ...context, session: session.uuid })
  io.out(
    `logged in as ${o.user ? `${o.user} of ` : ''}${o.account} at ${context.url} until ${session.expiredDate} (context ${name})`,
  )
}

export async function logout(io: Io, o: { context?: string }): Promise<void> {
  const { readContexts, saveContext } = await import('../contexts.ts')
  const { name, context } = await contextOf(io, o)
  if (context.session) await (await clientFor(io, context)).logout(context.session)
  const stored = (await readContexts(io.configFolder)).contexts[name]
  if (stored) {
    const { session: _gone, ...rest } = stored
    await saveContext(io.configFolder, name, rest)
  }
  io.out(`logged out of ${context.url}`)
}
