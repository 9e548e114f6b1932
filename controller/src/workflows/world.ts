/** What workflows may touch: the graph to read, and ports. All changes go out as the steps' results. */
import { createHash } from 'node:crypto'
import type { ErrorBody, Op, Progress, Row, Status } from '@skerry/contract'
import { resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { EndContext, StepContext, Workflow } from '@skerry/workflow'
import type { PoolRequest } from '../place/pool.ts'
import type { PlaceRequest } from '../place/request.ts'

export interface Waiting {
  remainingMs(): number
  progress(p: Progress): void
}

export interface AgentCommand {
  /** stable over repeats */
  id: string
  noun: string
  uuid: string
  verb: string
  input: Row
}

export interface AgentsPort {
  /**
   * Sends the present documents of these to their agents and waits until each agent says Ready: `noun/uuid` to all who have it,
   * `agent/noun/uuid` to that one. One without any document waits for nothing. Throws the agent's own error when it says Failed or Refused; `agent-unreachable` when it is not there; `conflict`
   * when one of these documents is withdrawn meanwhile.
   */
  converge(names: readonly string[], waiting: Waiting): Promise<Status[]>
  /** Waits until the tombstones of these are carried out, at most `maxMs`; false: some are still waiting for their agent. */
  gone(names: readonly string[], maxMs: number): Promise<boolean>
  /** Sends the tombstones of these once more. Throws `agent-unreachable` when an agent is not there. */
  remind(names: readonly string[]): Promise<void>
  command(agentUuid: string, command: AgentCommand, waiting: Waiting): Promise<Row>
  /** The last status that the agent reported. */
  status(agentUuid: string, noun: string, uuid: string): Status | undefined
  alive(agentUuid: string): boolean
}

export interface SecretsPort {
  put(value: string): Promise<string>
  shred(id: string): Promise<void>
}

/** Calls that a workflow makes as jobs of their own. */
export interface JobsPort {
  /** Durable when it resolves; the same job again changes nothing. Throws what is wrong with the call. `jobName`: `APIAddImageMsg`. */
  accept(call: { jobName: string; params: Row; accountUuid: string; jobUuid: string; timeoutMs: number }): Promise<void>
  /** Undoes a stuck job further. */
  retry(job: string): Promise<void>
  /** What is known of it; undefined: it was never made, or so long ago that it is forgotten. */
  known(job: string): { state: string } | undefined
  /** Waits for its end, and says what it failed with; undefined: it is done. Throws `deadline-exceeded` when it goes on after that time. */
  ended(job: string, ms: number): Promise<ErrorBody | undefined>
}

/** How agents come to where something is added (deploy strategy). Without one they have to be enrolled from there before. */
export interface DeployPort {
  /** Whether it brings agents to that address. */
  covers(address: string): boolean
  /** Resolves when agents of all kinds are enrolled from there. Throws `agent-absent`. */
  bring(address: string): Promise<void>
}

/** The workflows of this process: as they are written, with what plugins and files change of them. */
export interface WorkflowBook {
  /** what an API's `workflow` names, as new jobs run it */
  action(name: string): Action | undefined
  all(): Iterable<Workflow<Input, World>>
  /** as this job was begun, where that is possible; else as new ones are run. Throws why its declaration can't be followed any more. */
  begun(job: { workflow: string; steps: readonly string[]; declared?: unknown }): Workflow<Input, World> | undefined
}

/** What plugins are asked, besides the steps that they add. */
export interface PluginsPort {
  /** Hosts, the preferred first. Throws `plugin-failed`. */
  rank(strategy: string, request: PlaceRequest): Promise<readonly string[]>
  /** Primary storages of a host, the preferred first. Throws `plugin-failed`. */
  rankStorages(strategy: string, request: PoolRequest): Promise<readonly string[]>
  /** Throws `plugin-refused` where a tag of a plugin forbids the call, or can't say what it is to say; `plugin-failed` where nobody can tell. */
  vet(call: { api: string; method: string; params: Row }, on: Pick<Input, 'table' | 'uuid'>): Promise<void>
}

export interface World {
  graph: Graph
  now(): number
  newId(): string
  random(): number
  agents: AgentsPort
  secrets: SecretsPort
  deploy?: DeployPort
  jobs: JobsPort
  /** absent: there are none */
  plugins?: PluginsPort
  /** absent: the workflows are as they are written */
  workflows?: WorkflowBook
  /** of the console token that a job gives: the same whenever it is asked, and known to nobody else */
  consoleSecret(job: string): string
}

/** Input of every workflow: the resource it is about (made at acceptance for creations), and the caller's parameters. */
export interface Input {
  uuid: string
  /** table of the resource that the API belongs to */
  table: string
  params: Row
  accountUuid: string
  /** what was shown to go with it (canonical JSON of the plan's cascade): nothing else may */
  cascade?: string
}

export type Ctx = StepContext<Input, World>
export type EndCtx = EndContext<Input, World>

/**
 * Result of a job whose end leaves work to agents: the engine waits a while for these tombstones before it tells the caller that
 * the job is done. They stay until they are carried out, so an absent agent delays nothing for long.
 */
export const afterwards = (names: readonly string[]): Row => ({ cleanUp: [...names] })

export interface CheckInput {
  graph: Graph
  params: Row
  uuid: string
  table: string
  /** who calls; undefined: the controller itself */
  accountUuid?: string | undefined
  /** whether agents are brought to that address, so that none must be there yet */
  deploys?(address: string): boolean
}

/** What an API's `workflow` names: the workflow, and the checks that refuse a call before it becomes a job. */
export interface Action {
  workflow: Workflow<Input, World>
  /** Throws what is wrong. Runs at acceptance; a step that depends on the same facts guards its commit by itself. */
  check?(input: CheckInput): void
  /** Adds secret parameters that the caller left to us, and takes away what is not kept. Runs once, before secrets leave the parameters. */
  complete?(params: Row, at: { graph: Graph; uuid: string; session?: string | undefined }): Row | Promise<Row>
  /** The row that the call is about, where its parameters say that in another way than by a uuid. */
  subject?(params: Row): string
  /** What it asks of placement, where it needs a host: a dry run shows who could give it. */
  places?(input: Input, graph: Graph): PlaceRequest
  /** Which resource's queue the job runs in, when it isn't the resource of the call. */
  queueKey?(input: Input, graph: Graph): string
  /** The workflow that a call runs, where it isn't the same for all: by the uuid of its resource. */
  chosen?(uuid: string): Workflow<Input, World>
  /**
   * The only step decides from the graph at once, always gives a change, and leaves nothing to agents or to `finish`: job and
   * effect may be one commit.
   */
  atOnce?: boolean
}

/** The row, or `not-found` naming what was looked for. */
export function need(graph: Graph, table: string, uuid: unknown): Row {
  const row = typeof uuid === 'string' ? graph.get(table, uuid) : undefined
  if (!row)
    throw new SkerryError('not-found', `there is no ${resourceOf(table)?.noun ?? table} ${String(uuid)}`, {
      resource: table,
      uuid,
    })
  return row as Row
}

/** Like `need`, and the resource must be Enabled. */
export function needEnabled(graph: Graph, table: string, uuid: unknown): Row {
  const row = need(graph, table, uuid)
  if (row['state'] !== 'Enabled')
    throw new SkerryError(
      'illegal-state',
      `${resourceOf(table)?.noun ?? table} ${row['name']} is ${row['state']}, it must be Enabled`,
      { resource: table, uuid, state: row['state'], allowed: ['Enabled'] },
    )
  return row
}

/** A UUIDv4-shaped id that follows from the job and a name: a step that is repeated after a crash makes the same one. */
export function derivedId(ctx: Pick<Ctx, 'job'>, name: string): string {
  const hex = createHash('sha256').update(`${ctx.job}/${name}`).digest('hex')
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 32)}`
}

/** Fields that every new row has. */
export function baseRow(ctx: Ctx): Row {
  const at = ctx.world.now()
  const { params, uuid } = ctx.input
  return { uuid, name: params['name'], description: params['description'] ?? null, createDate: at, lastOpDate: at }
}

/** A write that people see: it moves lastOpDate. */
export const touch = (ctx: Ctx, t: string, k: string, v: Row): Op => ({
  o: 'set',
  t,
  k,
  v: { ...v, lastOpDate: ctx.world.now() },
})
