/** `skerry agent revoke` and `skerry keys rotate`: the latter follows until every agent has its new key. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Client } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { type Format, formatOne } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

type Options = Globals & { output: Format }
const LOOK_MS = 500

export async function revokeAgent(io: Io, name: string, o: Options): Promise<void> {
  const client = await clientOf(io, o)
  const reply = await client.call('RevokeAgent', { uuid: name })
  if (reply['enforced'] !== true) io.err('NATS cannot be reached: the agent is cut off as soon as it can\n')
  io.out(await formatOne(reply, ['uuid', 'publicKey', 'enforced'], o.output))
}

export async function rotateKeys(io: Io, what: string, o: Options & { wait: boolean }): Promise<void> {
  const client = await clientOf(io, o)
  const { inventory } = (await client.call('RotateKeys' as string, { what })) as unknown as { inventory: Row }
  const end = o.wait ? await followed(io, client, inventory['uuid'] as string) : inventory
  if (o.wait && what === 'account') io.err('credentials for `skerry nats` are signed anew by the next scripts/up\n')
  io.out(await formatOne(end, ['uuid', 'what', 'state', 'total'], o.output))
}

async function followed(io: Io, client: Client, uuid: string): Promise<Row> {
  let said = ''
  for (;;) {
    const [row] = (await client.query('keyRotation', { q: [`uuid=${uuid}`] })).inventories as Row[]
    if (!row) throw new SkerryError('not-found', 'the rotation is gone', { uuid })
    if (row['state'] === 'Done') return row
    const now = await progressLine(client, row)
    if (now !== said) io.err(`${now}\n`)
    said = now
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Who is waited for, by name: an agent that is away holds a rotation up, and a person should know which. */
async function progressLine(client: Client, row: Row): Promise<string> {
  const pending = row['pending'] as string[]
  const total = row['total'] as number
  const done = `${total - pending.length} of ${total} agents`
  const { inventories } = pending.length > 0 ? await client.query('agent', {}) : { inventories: [] }
  const away = (inventories as Row[]).filter((a) => pending.includes(a['uuid'] as string) && a['status'] !== 'Connected')
  return away.length > 0 ? `${done}; waits for ${away.map((a) => a['name']).join(', ')}, which cannot be reached` : done
}
