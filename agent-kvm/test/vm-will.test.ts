/** What guests do by themselves and people by hand, on the whole agent: told truthfully, left as it is, undone only by order. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bench, endWell, STATE, until } from './bench.ts'
import { doc, gen, id, vmSpec } from './documents.ts'

const vm = id('1')
const within = { timeoutMs: 20_000 }
const stopped = { state: 'Stopped', cause: 'api', mode: 'grace', graceMs: 60_000 } as const
const ready = (power: string, cause: string) => ({ condition: 'Ready', observed: { power, cause } })

let b: Bench
let seq: number
beforeEach(async () => {
  b = await bench()
  seq = 0
})
afterEach(() => endWell(b))

const want = (over: Partial<Parameters<typeof vmSpec>[1]> = {}) =>
  b.sync(doc('vm', vm, ++seq, vmSpec('1', { nics: [], ...over })))
const tells = (power: string, cause: string) =>
  until(() => expect(b.last(vm)).toMatchObject({ ...ready(power, cause), generation: gen(seq) }))
const count = (op: string) => b.libvirt.calls.filter((c) => c.op === op).length
const byHand = (op: 'domainCreate' | 'domainDestroy' | 'domainSuspend' | 'domainResume' | 'domainUndefine' | 'domainReset') =>
  b.libvirt.call(op, { uuid: vm }, within)
async function running() {
  const started = await b.start()
  await want()
  await tells('Running', 'api')
  return started
}
async function off() {
  const started = await running()
  await want({ power: stopped })
  await tells('Stopped', 'api')
  return started
}

describe('a VM that was started by hand', () => {
  test('is told so and neither asked nor cut, over restarts of the agent; the next order stops it', async () => {
    const { agent } = await off()
    const before = count('domainShutdown')
    await byHand('domainCreate')
    await tells('Running', 'by-hand')
    await agent.reconciler.pass()
    await agent.stop()
    await b.start()
    await tells('Running', 'by-hand')
    expect(b.domain(vm)?.state).toBe('running')
    expect([count('domainShutdown'), count('domainDestroy')]).toEqual([before, 0])
    // The controller agrees, and later orders the next stop.
    await want({ power: { ...stopped, state: 'Running', cause: 'by-hand' } })
    await tells('Running', 'by-hand')
    await want({ power: stopped })
    await tells('Stopped', 'api')
  })

  test('may be one that was never started here: what its sockets need is there', async () => {
    await b.start()
    await want({ power: stopped })
    await tells('Stopped', 'api')
    expect(b.host.disk.folders.has(`${STATE}/vms/${vm}`)).toBe(true)
    await byHand('domainCreate')
    await tells('Running', 'by-hand')
  })

  test('while the agent was dead is let be too, and powers itself off with its own cause', async () => {
    const { agent } = await off()
    await agent.stop()
    await byHand('domainCreate')
    await b.start()
    await tells('Running', 'by-hand')
    b.libvirt.guestPowersOff(vm)
    await tells('Stopped', 'guest')
  })
})

describe('a cut that was ordered', () => {
  test('is made although the agent ended between its memory and the cut', async () => {
    const { agent } = await running()
    const release = b.libvirt.failOn('domainDestroy')
    await want({ power: { ...stopped, mode: 'cold' } })
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Failed', generation: gen(seq) }))
    await agent.stop()
    release()
    await b.start()
    await tells('Stopped', 'api')
    expect(b.domain(vm)?.state).toBe('shutoff')
  })
})

describe('a start that was ordered', () => {
  test('whose end the agent did not live to see is no start by hand: an order to stop it stops it', async () => {
    const { agent } = await off()
    const release = b.libvirt.failOn('domainCreate')
    await want({ placementEpoch: 2 })
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Failed', generation: gen(seq) }))
    expect(b.last(vm)?.observed).toMatchObject({ power: 'Stopped', cause: 'start-pending' })
    await agent.stop()
    release()
    await byHand('domainCreate') // as if qemu had come up when the agent died
    b.libvirt.disconnect()
    await b.start()
    await want({ placementEpoch: 2, power: stopped })
    b.libvirt.reconnect()
    await tells('Stopped', 'api')
    b.faults.length = 0 // it said that it could not look
  })
})

describe('a guest that panics', () => {
  test('is told as Crashed and kept; a new placement cuts what is left and starts it', async () => {
    const { agent } = await running()
    b.libvirt.guestPanics(vm)
    await tells('Crashed', 'panicked')
    await agent.stop()
    await b.start()
    await want({ name: 'renamed' })
    await tells('Crashed', 'panicked')
    expect(count('domainCreate')).toBe(1)
    await want({ placementEpoch: 2 })
    await tells('Running', 'api')
    expect([count('domainDestroy'), count('domainCreate')]).toEqual([1, 2])
  })

  test('is cut by an order to stop without being asked', async () => {
    await running()
    b.libvirt.guestPanics(vm)
    await tells('Crashed', 'panicked')
    await want({ power: stopped })
    await tells('Stopped', 'api')
    expect(count('domainShutdown')).toBe(0)
  })

  test('does not run again after a boot of its host', async () => {
    const { agent } = await running()
    b.libvirt.guestPanics(vm)
    await tells('Crashed', 'panicked')
    await agent.stop()
    b.libvirt.hostReboots()
    b.host.reboot()
    await b.start()
    await tells('Stopped', 'panicked')
    expect(count('domainCreate')).toBe(1)
  })

  test('is rebooted by a reset, at once, and runs', async () => {
    await running()
    b.libvirt.guestPanics(vm)
    await tells('Crashed', 'panicked')
    expect(await b.command('vm', vm, 'reboot', { graceMs: 60_000 })).toEqual({ how: 'reset' })
    await tells('Running', 'api')
    expect(count('domainReboot')).toBe(0)
  })
})

describe('a VM that is', () => {
  test('suspended and resumed by hand is Paused, then Running, and left alone', async () => {
    const { agent } = await running()
    await byHand('domainSuspend')
    await tells('Paused', 'by-hand')
    await agent.reconciler.pass()
    expect(b.domain(vm)?.state).toBe('paused')
    await byHand('domainResume')
    await tells('Running', 'api')
    expect(count('domainResume')).toBe(1)
  })

  test('undefined while it runs has its definition again at once, and runs on', async () => {
    const { agent } = await running()
    await byHand('domainUndefine')
    await until(() => expect(b.domain(vm)).toMatchObject({ state: 'running', persistent: true }))
    await agent.reconciler.pass()
    expect([count('domainDefineXml'), count('domainCreate')]).toEqual([2, 1])
    b.libvirt.guestPowersOff(vm)
    await tells('Stopped', 'guest')
  })

  test('undefined and cut while the agent was dead is defined again, stays off, and its end is of unknown cause', async () => {
    const { agent } = await running()
    await agent.stop()
    await byHand('domainUndefine')
    await byHand('domainDestroy')
    expect(b.domain(vm)).toBeUndefined()
    await b.start()
    await tells('Stopped', 'unknown')
    expect(b.domain(vm)).toMatchObject({ state: 'shutoff', persistent: true })
  })

  test('undefined while it is off is defined again, and why it is off stays known', async () => {
    await off()
    await byHand('domainUndefine')
    await until(() => expect(b.domain(vm)).toMatchObject({ state: 'shutoff', persistent: true }))
    await tells('Stopped', 'api')
  })
})
