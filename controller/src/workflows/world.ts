/** What workflows may touch: the graph to read, and ports. All changes go out as the steps' results. */
import { createHash } from 'node:crypto'
import type { Op, Progress, Row, Status } from '@skerry/contract'
import { resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { EndContext, StepContext, Workflow } from '@skerry/workflow'

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
   * Sends the present documents of these to their agents and waits until each agent says Ready. `noun/uuid` without any document
   * waits for nothing. Throws the agent's own error when it says Failed or Refused; `agent-unreachable` when it is not there.
   */
  converge(names: readonly string[], waiting: Waiting): Promise<Status[]>
  /** Waits until the tombstones of these are carried out, at most `maxMs`; false: some are still waiting for their agent. */
  gone(names: readonly string[], maxMs: number): Promise<boolean>
  command(agentUuid: string, command: AgentCommand, waiting: Waiting): Promise<Row>
  /** The last status that the agent reported. */
  status(agentUuid: string, noun: string, uuid: string): Status | undefined
  alive(agentUuid: string): boolean
}

export interface SecretsPort {
  put(value: string): Promise<string>
  shred(id: string): Promise<void>
}

export interface World {
  graph: Graph
  now(): number
  newId(): string
  random(): number
  agents: AgentsPort
  secrets: SecretsPort
}

/** Input of every workflow: the resource it is about (made at acceptance for creations), and the caller's parameters. */
export interface Input {
  uuid: string
  /** table of the resource that the API belongs to */
  table: string
  params: Row
  accountUuid: string
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
}

/** What an API's `workflow` names: the workflow, and the checks that refuse a call before it becomes a job. */
export interface Action {
  workflow: Workflow<Input, World>
  /** Throws what is wrong. Runs at acceptance; a step that depends on the same facts guards its commit by itself. */
  check?(input: CheckInput): void
  /** Which resource's queue the job runs in, when it isn't the resource of the call. */
  queueKey?(input: Input): string
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
export function derivedId(ctx: Ctx, name: string): string {
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
