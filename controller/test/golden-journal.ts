/**
 * A log that ends in the middle of jobs: one at each kind of state in which a controller can die. Written by the engine itself
 * over fixed ids and a fixed clock, so that it can be written again and compared.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Call } from '../src/engine/port.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { call, engineOf, sleep } from './engine-calls.ts'
import { seeded } from './store-world.ts'
import { id, makeWorld, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

export const LOG = '/log'
export const job = (name: string) => id(`job ${name}`)
export const vmOf = (name: string) => id(`vm ${name}`)

/** The jobs of the log: as they were left, and what each must come to when it is taken up. */
export const journal: readonly { name: string; left: string; end: string }[] = [
  { name: 'over', left: 'done', end: 'done' },
  { name: 'refused', left: 'failed', end: 'failed' },
  { name: 'stuck', left: 'stuck', end: 'stuck' },
  { name: 'undoing', left: 'undoing', end: 'failed' },
  { name: 'mid-step', left: 'processing', end: 'done' },
  { name: 'mid-transfer', left: 'processing', end: 'done' },
  { name: 'stopping', left: 'processing', end: 'done' },
  { name: 'queued', left: 'processing', end: 'done' },
]

/** What agents leave unanswered, and what they fail: nouns and verbs, `gone` for tombstones. */
interface Mood {
  held: Set<string>
  fails: Set<string>
}

function agentsIn({ held, fails }: Mood, agents: TestWorld['agents']): void {
  const { command, converge, gone } = agents
  const never = () => new Promise<never>(() => undefined)
  const of = (names: readonly string[], set: Set<string>) => names.some((name) => set.has(name.split('/')[0]!))
  agents.converge = async (names) => {
    if (of(names, fails)) throw new SkerryError('hypervisor-failed', 'the hypervisor said no')
    return of(names, held) ? never() : converge.call(agents, names)
  }
  agents.gone = async (names) => (held.has('gone') ? never() : gone.call(agents, names))
  agents.command = async (agentUuid, asked) => {
    if (fails.has(asked.verb)) throw new SkerryError('internal', `the agent failed at ${asked.verb}`)
    return held.has(asked.verb) ? never() : command.call(agents, agentUuid, asked)
  }
}

/** Runs jobs one after another, each until it is where it is to be left. Gives the disk with the log. */
export async function recordJournal(): Promise<FakeDisk> {
  const disk = fakeDisk()
  const w = await makeWorld({ disk, empty: true })
  w.world.random = seeded(1)
  await site(w)
  const engine = engineOf(w)
  const mood: Mood = { held: new Set(), fails: new Set() }
  agentsIn(mood, w.agents)
  const begin = async (name: string, api: string, params: Row, o: { state: string; step?: string; more?: Partial<Call> }) => {
    await engine.accept(call(api, params, { jobUuid: job(name), ...o.more }))
    await reached(w, name, o)
    mood.held.clear()
    mood.fails.clear()
  }
  const vm = (name: string) => ({ ...vmParams, name, resourceUuid: vmOf(name) })
  const image = (name: string) => ({ name, resourceUuid: id(name), url: `http://127.0.0.1/${name}`, backupStorageUuids: [u.bs] })

  const more = { idempotencyKey: 'once', webHook: 'http://127.0.0.1:1/hook' }
  const tags = { systemTags: ['hostname::over'], userTags: ['u'] }
  await begin('over', 'CreateVmInstance', { ...vm('over'), ...tags }, { state: 'done', more })
  mood.fails.add('download')
  await begin('refused', 'AddImage', image('refused'), { state: 'failed' })
  await w.state.store.snapshot()
  mood.fails.add('download').add('remove')
  await begin('stuck', 'AddImage', image('stuck'), { state: 'stuck' })
  mood.fails.add('vm')
  mood.held.add('gone')
  await begin('undoing', 'CreateVmInstance', vm('undoing'), { state: 'undoing', step: 'power-on' })
  mood.held.add('volume')
  await begin('mid-step', 'CreateVmInstance', vm('mid-step'), { state: 'processing', step: 'network-make-network' })
  mood.held.add('download')
  await begin('mid-transfer', 'AddImage', image('mid-transfer'), { state: 'processing', step: 'register' })
  mood.held.add('vm')
  await begin('stopping', 'StopVmInstance', { uuid: vmOf('over') }, { state: 'processing', step: 'stopping' })
  await begin('queued', 'UpdateVmInstance', { uuid: vmOf('over'), name: 'renamed' }, { state: 'processing' })
  return disk
}

/** The job is recorded as being there, and nothing more of it comes. */
async function reached(w: TestWorld, name: string, { state, step }: { state: string; step?: string }): Promise<void> {
  const at = () => {
    const row = w.state.graph.get('job', job(name))
    return row?.['state'] === state && (step === undefined || row['step'] === step)
  }
  for (let n = 0; !at(); n++) {
    const row = w.state.graph.get('job', job(name))
    if (n > 5_000) throw new Error(`job ${name} stays ${row?.['state']} at ${row?.['step']}: ${JSON.stringify(row?.['error'])}`)
    await sleep(1)
  }
  for (let seq = -1; seq !== w.state.graph.seq; await sleep(20)) seq = w.state.graph.seq
}
