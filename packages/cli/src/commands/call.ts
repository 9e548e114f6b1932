/** Every verb that is no query: flags to parameters, the call, and what comes of it. */
import type { Row } from '@skerry/contract'
import type { Job } from '@skerry/sdk'
import type { CatalogApi } from '../catalog.ts'
import { type Flag, flagsOf, flagValue, subjectOf } from '../flags.ts'
import type { Io } from '../io.ts'
import { type Format, formatOne, table } from '../output.ts'
import { progressLine } from '../progress.ts'
import { clientOf, type Globals } from '../session.ts'
import { drawnTree, type Leaf } from '../tree.ts'
import { apiFor, type Command, columnsOf, resourceNamed } from '../verbs.ts'

export interface CallOptions extends Globals {
  output: Format
  wait?: boolean
  dryRun?: boolean
  yes?: boolean
  ifPlan?: string
  idempotencyKey?: string
}

/** What was typed: flags by parameter, each with all its values. */
export type Given = ReadonlyMap<string, readonly string[]>

/** Flags that were typed, as the API wants them. */
export function paramsOf(api: CatalogApi, command: Command, given: Given, subject: string | undefined): Row {
  const flags = new Map(flagsOf(api, command.resource).map((flag): [string, Flag] => [flag.param, flag]))
  const params: Row = {}
  for (const [param, texts] of given) {
    const flag = flags.get(param)
    if (flag) params[param] = flagValue(flag, texts)
  }
  const named = subjectOf(api, command.resource)?.name
  if (subject !== undefined && named !== undefined) params[named] = subject
  return params
}

/** Shows each change of a job on stderr: on a screen in place, else a line each. */
export function follower(io: Io): { show: (job: Job) => void; done: () => void } {
  let shown = false
  return {
    show: (job) => {
      const line = progressLine(job)
      io.err(io.tty ? `\r\u001b[K${line}` : `${line}\n`)
      shown = true
    },
    done: () => {
      if (shown && io.tty) io.err('\r\u001b[K')
    },
  }
}

export async function runCall(
  io: Io,
  command: Command,
  typed: { subject?: string | undefined; given: Given },
  o: CallOptions,
): Promise<void> {
  const api = apiFor(command, [...typed.given.keys()])
  const params = paramsOf(api, command, typed.given, typed.subject)
  const client = await clientOf(io, o)
  const follow = follower(io)
  const conditions = {
    ...(o.ifPlan ? { ifPlan: o.ifPlan } : {}),
    ...(o.idempotencyKey ? { idempotencyKey: o.idempotencyKey } : {}),
  }
  if (api.method === 'DELETE' && !api.sync && io.tty && !o.yes && !o.dryRun && !o.ifPlan)
    await (await import('./confirm.ts')).confirmDeletion(io, client, { api, params })
  try {
    const reply = await client.call(api.api, params, {
      ...conditions,
      ...(o.dryRun ? { dryRun: true } : {}),
      ...(o.wait && !api.sync ? { onProgress: follow.show } : {}),
    })
    follow.done()
    io.out(await shown(api, reply, o))
  } catch (error) {
    follow.done()
    throw error
  }
}

async function shown(api: CatalogApi, reply: Row, o: CallOptions): Promise<string> {
  if (o.dryRun)
    return o.output === 'table' ? planText(reply['plan'] as Row, api.sync) : formatOne(reply['plan'] as Row, [], o.output)
  const job = reply['job'] as Job | undefined
  if (job === undefined || api.sync || o.wait) return formatOne(reply, columnsOf(api), o.output)
  if (o.output === 'name') return job.uuid
  return o.output === 'table'
    ? `job ${job.uuid} accepted; skerry job wait ${job.uuid} follows it`
    : formatOne(job as unknown as Row, [], o.output)
}

/** Of hosts that were looked at, what a person reads. */
const hostsOf = (plan: Row, kind: string, columns: readonly string[]): Row[] =>
  (((plan['hosts'] as Row | undefined)?.[kind] as Row[] | undefined) ?? []).map((row) =>
    Object.fromEntries(columns.map((column) => [column, row[column]])),
  )

const DOES: Readonly<Record<string, string>> = { detach: 'stays, without it', stop: 'is stopped' }

const leafOf = ({ children, ...inventory }: Row): Leaf => ({ inventory, children: (children as Row[]).map(leafOf) })
function nodeText({ resource, name, uuid, action }: Row): string {
  const noun = resourceNamed(String(resource))?.noun ?? resource
  return [noun, name ?? '', uuid, DOES[String(action)] ? `(${DOES[String(action)]})` : ''].filter(Boolean).join(' ')
}

/** What a dry run answered: steps, what would go with it, what would be written, what hosts would do. */
export function planText(plan: Row, atOnce = false): string {
  const list = (name: string) => (plan[name] as Row[] | undefined) ?? []
  const cascade = list('cascade').map((one) => ({
    ...one,
    resource: resourceNamed(String(one['resource']))?.noun ?? one['resource'],
  }))
  const section = (title: string, rows: readonly Row[]) =>
    rows.length === 0 ? [] : ['', `${title}:`, table([...new Set(rows.flatMap((row) => Object.keys(row)))], rows)]
  return [
    `steps: ${(plan['steps'] as string[]).join(' → ')}`,
    ...(plan['tree']
      ? ['', 'would go:', drawnTree(leafOf(plan['tree'] as Row), nodeText)]
      : section('goes with it', cascade as Row[])),
    ...section('hosts that could take it', hostsOf(plan, 'possible', ['host', 'vms'])),
    ...section('hosts that can not', hostsOf(plan, 'refused', ['host', 'filter', 'because'])),
    ...section('would be written', list('changes')),
    ...section('hosts would', list('agents')),
    '',
    atOnce ? 'nothing was changed' : `nothing was changed; --if-plan ${String(plan['hash'])} does exactly this or nothing`,
  ].join('\n')
}
