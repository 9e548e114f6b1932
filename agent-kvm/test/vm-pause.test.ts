/** Pausing and going on by order, on the whole agent: once an order, told truthfully, and never against another hand. */
import { castSpec, documentCasts, type kvmDesired, type Row } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bench, endWell, until } from './bench.ts'
import { doc, gen, id, vmSpec } from './documents.ts'

const vm = id('1')
const within = { timeoutMs: 20_000 }
type Power = kvmDesired.VmSpec['power']
const runs = (paused: boolean, order: number): Power => ({
  state: 'Running',
  cause: 'api',
  mode: 'grace',
  graceMs: 60_000,
  pause: { paused, order },
})

let b: Bench
let seq: number
beforeEach(async () => {
  b = await bench()
  seq = 0
})
afterEach(() => endWell(b))

const want = (over: Partial<kvmDesired.VmSpec> = {}, incarnation = 1) => {
  const document = doc('vm', vm, ++seq, vmSpec('1', { nics: [], ...over }))
  return b.sync({ ...document, generation: gen(seq, incarnation) })
}
const tells = (power: string, cause: string, incarnation = 1) =>
  until(() =>
    expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power, cause }, generation: gen(seq, incarnation) }),
  )
const count = (op: string) => b.libvirt.calls.filter((c) => c.op === op).length
const byHand = (op: 'domainSuspend' | 'domainResume') => b.libvirt.call(op, { uuid: vm }, within)

async function paused() {
  const started = await b.start()
  await want()
  await tells('Running', 'api')
  await want({ power: runs(true, 1) })
  await tells('Paused', 'api')
  expect(b.domain(vm)?.state).toBe('paused')
  return started
}

describe('a VM that is paused by order', () => {
  test('stays so over a restart of the agent, is not paused twice, and goes on by the next order', async () => {
    const { agent } = await paused()
    await agent.stop()
    await b.start()
    await tells('Paused', 'api')
    expect(count('domainSuspend')).toBe(1)
    await want({ power: runs(false, 2) })
    await tells('Running', 'api')
    expect(b.domain(vm)?.state).toBe('running')
    expect([count('domainResume'), count('domainCreate')]).toEqual([1, 1])
  })

  test('is paused when the agent ended between the order and its memory of it', async () => {
    await paused()
    const release = b.libvirt.failOn('domainResume')
    await want({ power: runs(false, 2) })
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Failed', generation: gen(seq) }))
    release()
    await want({ power: runs(false, 2), name: 'renamed' })
    await tells('Running', 'api')
  })

  test('and that another hand lets go on, is let be; paused by that hand it is told so', async () => {
    const { agent } = await paused()
    await byHand('domainResume')
    await tells('Running', 'api')
    await want({ power: runs(true, 1), name: 'renamed' })
    await tells('Running', 'api')
    await agent.reconciler.pass()
    expect(count('domainSuspend')).toBe(1)
    await byHand('domainSuspend')
    await tells('Paused', 'by-hand')
  })

  test('is asked to end only when it can hear it', async () => {
    await paused()
    await want({ power: { ...runs(true, 1), state: 'Stopped' } })
    await tells('Stopped', 'api')
    const calls = b.libvirt.calls.map((c) => c.op).filter((op) => op === 'domainResume' || op === 'domainShutdown')
    expect(calls).toEqual(['domainResume', 'domainShutdown'])
  })

  test('did not run when its host went down, so it is not started after the boot; the next order to start it starts it', async () => {
    const { agent } = await paused()
    await agent.stop()
    b.libvirt.hostReboots()
    b.host.reboot()
    await b.start()
    await tells('Stopped', 'host')
    expect(count('domainCreate')).toBe(1)
    await want({ power: runs(false, 1), placementEpoch: 2 })
    await tells('Running', 'api')
  })
})

describe('a VM that another hand has paused', () => {
  test('goes on by order', async () => {
    await b.start()
    await want()
    await tells('Running', 'api')
    await byHand('domainSuspend')
    await tells('Paused', 'by-hand')
    await want({ power: runs(false, 1) })
    await tells('Running', 'api')
  })

  test('is let be by an order of before a restore of the controller, and goes on by the next', async () => {
    await paused()
    await want({ power: runs(false, 1) }, 2)
    await tells('Paused', 'by-hand', 2)
    expect(count('domainResume')).toBe(0)
    await want({ power: runs(false, 2) }, 2)
    await tells('Running', 'api', 2)
  })
})

test('an older agent is told of no pause, and is never told to let a guest run that is to be paused', () => {
  const lower = (power: Power) => castSpec(documentCasts['vm'], vmSpec('1', { power }) as unknown as Row, { from: 4, to: 3 })
  expect(lower(runs(true, 1))).toBeUndefined()
  const { pause: _, ...power } = runs(false, 2)
  expect(lower(runs(false, 2))).toEqual(vmSpec('1', { power }))
})
