/** Why a VM is as it is: an order that moves it clears that, and an order that fails leaves it. Of every action of the contract. */
import { apis, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { FOR_MAINTENANCE } from '../src/workflows/host.state.ts'
import { call, done, ready } from './engine-calls.ts'
import { u, vmParams } from './world.ts'

const SETTLED = ['Running', 'Stopped', 'Paused', 'Crashed', 'NoState', 'Unknown', 'Destroyed']
/** Calls that move a VM between its states and need nothing but the VM. */
const moving = apis.flatMap(({ api, resource }) =>
  resource.name === 'vmInstance' && api.allowed && /^vm\.(?!expunge)/.test(api.workflow ?? '') && api.path.includes('{uuid}')
    ? [{ name: api.api, allowed: api.allowed.filter((state) => SETTLED.includes(state)) }]
    : [],
)
const pairs = moving.flatMap(({ name, allowed }) => allowed.map((state) => [name, state] as const))

/** A VM in this state, which has come to it for a reason. */
async function because(state: string, stateCause: string) {
  const { w, engine } = await ready()
  const job = await done(engine, call('CreateVmInstance', vmParams))
  const uuid = (job.result!['inventory'] as Row)['uuid'] as string
  if (state === 'Stopped') await done(engine, call('StopVmInstance', { uuid }, { bodyHash: 'before' }))
  if (state === 'Destroyed') await done(engine, call('DestroyVmInstance', { uuid }, { bodyHash: 'before' }))
  const paused = state === 'Paused' ? { paused: true, pauseOrder: 1 } : {}
  await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: uuid, v: { state, stateCause, ...paused } }] })
  return { w, engine, uuid, vm: () => w.state.graph.get('vmInstance', uuid)! }
}

it('is asked of all of them here', () => {
  expect(moving.map(({ name }) => name).sort()).toEqual([
    'DestroyVmInstance',
    'PauseVmInstance',
    'RebootVmInstance',
    'RecoverVmInstance',
    'ResumeVmInstance',
    'StartVmInstance',
    'StopVmInstance',
  ])
})

describe('why a VM is as it is', () => {
  it.each(pairs)('is not told any more after %s of one that was %s', async (name, state) => {
    const { engine, uuid, vm } = await because(state, 'why')
    expect((await done(engine, call(name, { uuid }))).state).toBe('done')
    // One that runs has nothing to be started, and is left alone.
    expect(vm()['stateCause']).toBe(name === 'StartVmInstance' && state === 'Running' ? 'why' : null)
  })

  it.each(pairs)('is told as before when %s of one that was %s fails', async (name, state) => {
    const { w, engine, uuid, vm } = await because(state, 'why')
    const before = [vm()['state'], vm()['stateCause']]
    w.agents.converge = w.agents.command = async () => {
      throw new SkerryError('agent-unreachable', 'the agent does not answer')
    }
    const job = await done(engine, call(name, { uuid }))
    const nothingToDo = ['StartVmInstance Running', 'StopVmInstance Stopped'].includes(`${name} ${state}`)
    expect(job.state).toBe(nothingToDo ? 'done' : 'failed')
    if (!nothingToDo) expect([vm()['state'], vm()['stateCause']]).toEqual(before)
  })

  it('is no maintenance any more for one that was destroyed and brought back', async () => {
    const { w, engine, uuid, vm } = await because('Stopped', FOR_MAINTENANCE)
    await done(engine, call('DestroyVmInstance', { uuid }))
    await done(engine, call('RecoverVmInstance', { uuid }))
    const starts: Row[] = []
    w.world.jobs.accept = async ({ params }) => void starts.push(params)
    await done(engine, call('ChangeHostState', { uuid: u.host, stateEvent: 'enable' }))
    expect([vm()['state'], starts]).toEqual(['Stopped', []])
  })
})
