/**
 * What a restored graph is made of before it is used. Between the backup and now, hosts went on; so nothing that was about to happen
 * then may happen now: jobs end as failed, tombstones are dropped, and every agent is to be met before anything is sent to it.
 */
import { type ErrorBody, type Op, type Row, SkerryError, toErrorBody } from '@skerry/contract'
import { asRecorded, createRunner } from '@skerry/workflow'
import { LogJournal } from '../engine/journal.ts'
import { State } from '../engine/state.ts'
import type { Store } from '../store/index.ts'
import { actions } from '../workflows/index.ts'
import type { AgentsPort, World } from '../workflows/world.ts'

export interface SettlePorts {
  store: Store
  now(): number
  newId(): string
  /** when the backup was made, epoch ms, and its seq */
  backup: { at: number; seq: number; node: string }
}

export interface Settled {
  /** jobs that were under way */
  failedJobs: number
  agents: number
}

const OPS_A_COMMIT = 1_000

/** Nobody is asked and nobody is told: only rows are put back. What hosts have of it shows up as orphans. */
const nobody: AgentsPort = {
  converge: async () => [],
  gone: async () => false,
  remind: async () => undefined,
  command: async () => ({}),
  status: () => undefined,
  alive: () => false,
}

export async function settle(ports: SettlePorts): Promise<Settled> {
  const { store, now, backup } = ports
  const failedJobs = await failJobs(ports)
  const { graph } = store
  const ops: Op[] = []
  const drop = (t: string, is: (row: Readonly<Row>) => boolean = () => true) => {
    for (const [k, row] of graph.rows(t)) if (is(row)) ops.push({ o: 'del', t, k })
  }
  drop('desired', (row) => row['tombstone'] === true)
  // Both may have been used or revoked since.
  drop('agentToken')
  drop('session')
  const agents = [...graph.rows('agent')].map(([k]) => k)
  for (const k of agents) ops.push({ o: 'put', t: 'reunion', k, v: { agentUuid: k, backupAt: backup.at, since: now() } })
  const facts = [{ noun: 'managementNode', uuid: backup.node, event: 'restored', data: { seq: backup.seq, at: backup.at } }]
  for (let at = 0; at < ops.length; at += OPS_A_COMMIT)
    await store.commit({ ops: ops.slice(at, at + OPS_A_COMMIT) }, { actor: 'system' })
  await store.commit({ ops: [], facts }, { actor: 'system' })
  return { failedJobs, agents: agents.length }
}

/** Undoes in the graph what jobs had begun there, and ends them. */
async function failJobs({ store, now, newId, backup }: SettlePorts): Promise<number> {
  const state = new State(store)
  const { graph } = store
  const secrets = { put: async () => newId(), shred: async () => undefined }
  const none = async () => undefined
  const calls = { accept: none, retry: none, known: () => undefined, ended: none }
  const world: World = { graph, now, newId, random: () => 0, agents: nobody, secrets, jobs: calls, consoleSecret: () => '' }
  const runner = createRunner({
    workflows: ({ workflow, steps }) => {
      const known = actions.get(workflow)?.workflow
      return known && asRecorded(known, steps)
    },
    world,
    journal: new LogJournal({ state, now, begun: () => undefined }),
    clock: { now },
    sleep: async () => undefined,
  })
  const jobs = ['processing', 'undoing', 'stuck'].flatMap((s) => [...graph.by('job', 'state', s)])
  for (const job of jobs) {
    const was = graph.get('job', job)!
    const cause = was['error'] ? { cause: was['error'] } : {}
    const made = new Date(backup.at).toISOString()
    const error = {
      ...toErrorBody(
        new SkerryError('restored', `${was['api']} was under way when the backup of ${made} was made`, {
          job,
          step: was['step'],
        }),
      ),
      ...cause,
    } as ErrorBody as unknown as Row
    await state.commit({ ops: [{ o: 'set', t: 'job', k: job, v: { state: 'undoing', error } }] }, { actor: 'system', job })
    await runner.run(job)
    if (graph.get('job', job)!['state'] !== 'failed') await end(state, job, { error, at: now() })
  }
  return jobs.length
}

/** A job whose steps this version doesn't know, or that could not be undone, ends too: nobody may take it up again. */
async function end(state: State, job: string, { error, at }: { error: Row; at: number }): Promise<void> {
  const steps = [...state.graph.by('jobStep', 'jobUuid', job)].map((k): Op => ({ o: 'del', t: 'jobStep', k }))
  const v = { state: 'failed', error, finishedAt: at, lastOpDate: at }
  await state.commit({ ops: [{ o: 'set', t: 'job', k: job, v }, ...steps] }, { actor: 'system', job })
}
