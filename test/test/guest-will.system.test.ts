/**
 * Guests that end, panic or reboot by their own will, and people with virsh: what each ends as, with the site's controller running,
 * with controller and NATS gone, and over boots of the host.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { oldBootId, powerCut, startHypervisor } from '../harness/dead-host.ts'
import { type Demo, makeDemo, removeDemo } from '../harness/demo.ts'
import { type Program, startSite, type TestSite, until } from '../harness/site.ts'
import { booted, boots, domain, inside, type Move, moves, ownDomain, virsh } from '../harness/will.ts'

const LONG_MS = 180_000
/** Several looks of an agent at its host: time enough to do what must not be done. */
const SETTLE_MS = 5_000
const NAMES = ['off', 'panic', 'asked', 'again', 'cut', 'held', 'idle'] as const
type Name = (typeof NAMES)[number]

let site: TestSite
let demo: Demo
let ear: Awaited<ReturnType<typeof moves>>
let own: Awaited<ReturnType<typeof ownDomain>>
const vms = {} as Record<Name, string>

beforeAll(async () => {
  site = await startSite()
  demo = await makeDemo(site, { services: [] })
  own = await ownDomain(site)
  ear = await moves(site)
  const params = (name: Name): Row => ({ name, ...demo.vmParams, ...(name === 'idle' ? { strategy: 'CreateStopped' } : {}) })
  const make = async (name: Name) => void (vms[name] = (await site.call('CreateVmInstance', params(name)))['uuid'] as string)
  await Promise.all(NAMES.map(make))
})
afterAll(async () => {
  try {
    await ear?.end()
    await own?.remove()
    if (demo) await removeDemo(site, demo)
  } finally {
    await site?.stop()
    await oldBootId()
  }
})

const vm = (name: Name) => site.client.get('vm', vms[name])
const stateOf = async (name: Name) => {
  const { state, stateCause } = await vm(name)
  return { state, cause: stateCause ?? null }
}
const becomes = (name: Name, state: string, cause: string | null) =>
  until(`${name} ${state} (${cause})`, LONG_MS, async () => {
    const is = await stateOf(name)
    if (is.state !== state || is.cause !== cause) throw new Error(`it is ${JSON.stringify(is)}`)
    return true
  })
const domstate = (name: Name) => virsh(site, 'domstate', domain(vms[name]))
const hostSees = (name: Name, state: string) =>
  until(`a domain of ${name} that is ${state}`, LONG_MS, async () => (await domstate(name)) === state)
/** By hand; again and again, because a guest that boots doesn't see its power button. */
const shutDown = (name: Name) =>
  until(`the end of ${name}`, LONG_MS, async () => {
    if ((await domstate(name)) === 'shut off') return true
    await virsh(site, 'shutdown', domain(vms[name]))
    await sleep(2_000)
    return false
  })
const persistent = async (name: Name) => /Persistent:\s+yes/.test(await virsh(site, 'dominfo', domain(vms[name])))
const pidOf = async (name: Name) => (await site.libvirtd.qemuPids())[domain(vms[name])]
const start = (name: Name) => site.call('StartVmInstance', { uuid: vms[name] })
const clean = () =>
  until('an audit without differences', LONG_MS, async () => {
    const { differences } = await site.client.auditHosts()
    if (differences.length > 0) throw new Error(JSON.stringify(differences, null, 1))
    return true
  })
async function again(...programs: Program[]): Promise<void> {
  for (const program of programs) await site.kill(program)
  for (const program of programs) await site.start(program)
}

/** What happens to each VM, as guest or by hand; all at once. Returns when the host shows it. */
const happenings: Record<Name, () => Promise<unknown>> = {
  async off() {
    await inside(site, vms.off, 'poweroff -f')
    await hostSees('off', 'shut off')
  },
  async panic() {
    await inside(site, vms.panic, 'echo c >/proc/sysrq-trigger')
    await hostSees('panic', 'crashed')
  },
  async asked() {
    await shutDown('asked')
  },
  async again() {
    const [pid, times] = [await pidOf('again'), await boots(site, vms.again)]
    await inside(site, vms.again, 'reboot -f')
    await booted(site, vms.again, times + 1)
    expect(await pidOf('again')).toBe(pid)
    expect(await domstate('again')).toBe('running')
    process.kill(pid as number, 'SIGKILL')
    await hostSees('again', 'shut off')
  },
  async cut() {
    await virsh(site, 'destroy', domain(vms.cut))
    await hostSees('cut', 'shut off')
  },
  async held() {
    const pid = await pidOf('held')
    await virsh(site, 'undefine', domain(vms.held))
    await until('a definition of a domain that lost it', LONG_MS, () => persistent('held'))
    await virsh(site, 'suspend', domain(vms.held))
    await sleep(SETTLE_MS)
    expect(await domstate('held')).toBe('paused')
    expect(await pidOf('held')).toBe(pid)
  },
  async idle() {
    await virsh(site, 'undefine', domain(vms.idle))
    await until('a definition of a domain that lost it', LONG_MS, () => persistent('idle'))
    await virsh(site, 'start', domain(vms.idle))
    await sleep(SETTLE_MS)
    expect(await domstate('idle')).toBe('running')
  },
}
const happened: Record<Name, Move> = {
  off: { from: 'Running', to: 'Stopped', cause: 'guest' },
  panic: { from: 'Running', to: 'Crashed', cause: 'panicked' },
  asked: { from: 'Running', to: 'Stopped', cause: 'guest' },
  again: { from: 'Running', to: 'Stopped', cause: 'crash' },
  cut: { from: 'Running', to: 'Stopped', cause: 'destroyed' },
  held: { from: 'Running', to: 'Paused', cause: 'by-hand' },
  idle: { from: 'Stopped', to: 'Running', cause: 'by-hand' },
}

/** Each is told by the API and by exactly one event, and nothing differs between graph and host. */
async function told(): Promise<void> {
  for (const name of NAMES) await becomes(name, happened[name].to, happened[name].cause)
  await clean()
  for (const name of NAMES) expect({ name, moves: ear.of(vms[name]) }).toEqual({ name, moves: [happened[name]] })
}

async function everythingRuns(): Promise<void> {
  const times = {} as Record<Name, number>
  for (const name of NAMES) times[name] = await boots(site, vms[name])
  const off = NAMES.filter((name) => name !== 'idle' && name !== 'held')
  await Promise.all(off.map(start))
  if ((await stateOf('held')).state === 'Paused') await virsh(site, 'resume', domain(vms.held))
  await becomes('held', 'Running', null)
  await Promise.all((['off', 'panic', 'asked', 'again'] as const).map((name) => booted(site, vms[name], times[name] + 1)))
  await ear.forget()
}

describe('with its controller', () => {
  let mine: Row
  it('a site tells what guests did by themselves and people by hand: state, cause, one event each', async () => {
    mine = await own.look()
    await Promise.all((['off', 'panic', 'asked', 'again'] as const).map((name) => booted(site, vms[name], 1)))
    expect(ear.of(vms.off)).toEqual([])
    await Promise.all(NAMES.map((name) => happenings[name]()))
    await told()
  })

  it('leaves it so, over restarts of agent and controller and renewed documents, and touches nobody else', async () => {
    await again('agent-kvm', 'controller')
    for (const name of NAMES) await site.call('UpdateVmInstance', { uuid: vms[name], name: `${name}2` })
    await sleep(SETTLE_MS)
    await told()
    expect(await own.look()).toEqual(mine)
  })

  it('starts, reboots and stops what was so by order', async () => {
    const [pid, times] = [await pidOf('panic'), await boots(site, vms.panic)]
    await site.call('RebootVmInstance', { uuid: vms.panic })
    await booted(site, vms.panic, times + 1)
    expect(await pidOf('panic')).toBe(pid)
    await becomes('panic', 'Running', null)
    await inside(site, vms.panic, 'echo c >/proc/sysrq-trigger')
    await becomes('panic', 'Crashed', 'panicked')
    await site.call('StopVmInstance', { uuid: vms.idle, type: 'cold' })
    await sleep(SETTLE_MS)
    expect(await stateOf('idle')).toEqual({ state: 'Stopped', cause: null })
    await everythingRuns()
    await clean()
  })
})

describe('without controller and NATS', () => {
  it('guests and people do the same, and it is told once when both are back, whatever became of the agent', async () => {
    const mine = await own.look()
    await site.kill('controller')
    await site.nats.kill()
    await Promise.all(NAMES.map((name) => happenings[name]()))
    await again('agent-kvm')
    await sleep(SETTLE_MS)
    const seen = await Promise.all(NAMES.map(domstate))
    expect(seen).toEqual(['shut off', 'crashed', 'shut off', 'shut off', 'shut off', 'paused', 'running'])
    await site.nats.restart()
    await site.start('controller')
    await told()
    expect(await own.look()).toEqual(mine)
  })
})

describe('a boot of the host', () => {
  it('starts what ran, cut off or shut down in order, and leaves off what was off, before any controller is there', async () => {
    const times = await boots(site, vms.asked)
    await Promise.all([start('off'), start('asked')])
    await booted(site, vms.asked, times + 1)
    await ear.forget()
    const mine = await virsh(site, 'dumpxml', '--inactive', 'my-own')
    // As libvirt-guests does it: units are stopped in the reverse order of their start, so the agent goes first.
    await site.services['agent-kvm'].end('SIGTERM')
    await shutDown('asked')
    await powerCut(site)
    await startHypervisor(site)
    for (const program of ['agent-kvm', 'agent-storage', 'agent-vrouter'] as const) await site.start(program)
    for (const name of ['off', 'asked', 'held', 'idle'] as const) await hostSees(name, 'running')
    await sleep(SETTLE_MS)
    for (const name of ['panic', 'again', 'cut'] as const) expect(await domstate(name), name).toBe('shut off')
    expect(await virsh(site, 'dumpxml', '--inactive', 'my-own')).toBe(mine)
    expect(await virsh(site, 'domstate', 'my-own')).toBe('shut off')
  })

  it('is told when the controller is back: what runs, and why the rest does not', async () => {
    await site.nats.restart()
    await site.start('controller')
    for (const name of ['off', 'asked', 'held'] as const) await becomes(name, 'Running', null)
    await becomes('idle', 'Running', 'by-hand')
    await becomes('panic', 'Stopped', 'panicked')
    await becomes('again', 'Stopped', 'crash')
    await becomes('cut', 'Stopped', 'destroyed')
    await clean()
    const { inventories } = await site.client.query('orphan')
    expect(inventories).toMatchObject([{ name: 'my-own', outside: true, observed: { power: 'Stopped' } }])
    const gone = NAMES.map((name) => [name, ear.of(vms[name])] as const).filter(([, all]) => all.length > 0)
    expect(Object.fromEntries(gone)).toEqual({
      panic: [{ from: 'Crashed', to: 'Stopped', cause: 'panicked' }],
      held: [{ from: 'Paused', to: 'Running', cause: null }],
    })
  })
})
