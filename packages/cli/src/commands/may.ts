/** `skerry why … --calling <API>`: why a call is allowed or denied, by which rule and which statement of which policy or role. */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { Client } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatOne } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'
import { found } from './why.ts'

export interface CallingOptions extends Globals {
  output: Format
  calling: string
  /** in whose place: by name or uuid */
  user?: string
  account?: string
}

const uuidOf = async (client: Client, resource: 'account' | 'user', name: string) =>
  String((await client.get(resource, name))['uuid'])

/** What can't be seen is asked about by its uuid: whether it is not there or somebody else's is told the same way. */
async function subjectOf(client: Client, words: readonly string[]): Promise<string> {
  const [first = '', second] = words
  const last = second ?? first.split('/').at(-1)!
  if (/^[0-9a-f]{32}$/.test(last)) return last
  return String((await found(client, first, second)).row['uuid'])
}

function readable(api: string, { allowed, rule, statement, parameter, message }: Row): string {
  const by = statement as { name: string; effect: string; in: string } | undefined
  return [
    `${api} is ${allowed === true ? 'allowed' : 'denied'}: ${rule}`,
    ...(by ? [`  ${by.effect} by statement ${by.name} in ${by.in}`] : []),
    ...(typeof parameter === 'string' ? [`  parameter ${parameter}`] : []),
    ...(typeof message === 'string' ? [`  ${message}`] : []),
  ].join('\n')
}

export async function calling(io: Io, words: readonly (string | undefined)[], o: CallingOptions): Promise<void> {
  const client = await clientOf(io, o)
  const given = words.filter((word) => word !== undefined)
  if (!/^\w+$/.test(o.calling))
    throw new SkerryError('invalid-argument', `${o.calling} is no API: use a name such as StartVmInstance`, { field: 'calling' })
  const decision = await client.call('ExplainPermission', {
    apiName: o.calling,
    ...(given.length > 0 ? { resourceUuid: await subjectOf(client, given) } : {}),
    ...(o.account === undefined ? {} : { accountUuid: await uuidOf(client, 'account', o.account) }),
    ...(o.user === undefined ? {} : { userUuid: await uuidOf(client, 'user', o.user) }),
  })
  if (o.output === 'table') return io.out(readable(o.calling, decision as unknown as Row))
  io.out(await formatOne({ api: o.calling, ...(decision as unknown as Row) }, [], o.output))
}
