/** `skerry job wait|retry` and `skerry agent token`: what `--wait` does later, and the two verbs that read better this way round. */
import { SkerryError } from '@skerry/contract/errors'
import { errorFromProblem } from '@skerry/sdk/problem'
import type { Io } from '../io.ts'
import { type Format, formatOne } from '../output.ts'
import { progressLine } from '../progress.ts'
import { clientOf, type Globals } from '../session.ts'

type Options = Globals & { output: Format }

export async function waitForJob(io: Io, uuid: string, o: Options): Promise<void> {
  const client = await clientOf(io, o)
  const job = await client.waitJob(uuid, { onStep: (now) => io.err(`${progressLine(now)}\n`) })
  if (job.state !== 'done') throw errorFromProblem({ ...job.error, job: job.uuid })
  io.out(await formatOne(job.result ?? {}, [], o.output))
}

export async function retryJob(io: Io, uuid: string, o: Options): Promise<void> {
  const client = await clientOf(io, o)
  io.out(await formatOne(await client.call('RetryJob', { uuid }), ['uuid', 'name', 'state', 'step'], o.output))
}

/** `90s`, `15m`, `24h`, `7d` as seconds. */
function seconds(text: string): number {
  const [, amount, unit] = /^(\d{1,7})([smhd]?)$/.exec(text) ?? []
  if (amount === undefined)
    throw new SkerryError('invalid-argument', `--ttl: ${text} is no time such as 15m or 24h`, { field: 'ttl' })
  return Number(amount) * { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 }[unit as '' | 's' | 'm' | 'h' | 'd']
}

export async function agentToken(io: Io, o: Options & { ttl?: string }): Promise<void> {
  const client = await clientOf(io, o)
  const reply = await client.call('CreateAgentToken', o.ttl ? { ttlSeconds: seconds(o.ttl) } : {})
  if (o.output === 'table') {
    io.out(String(reply['token']))
    io.err(`good once, until ${String(reply['expiresAt'])}\n`)
  } else io.out(await formatOne(reply, [], o.output))
}
