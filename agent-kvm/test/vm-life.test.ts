import { bridgeName, inventoryReply } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { converge } from '@skerry/reconcile'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bench, bridge, endWell, runningVm, STATE, until } from './bench.ts'
import { doc, gen, id, l2, tomb, vmSpec } from './documents.ts'

const br = bridgeName(l2)
const vm = id('1')
const stopped = { state: 'Stopped', cause: 'api', mode: 'grace', graceMs: 60_000 } as const
const off = (cause: string) => ({ condition: 'Ready', observed: { power: 'Stopped', cause, pid: null } })

let b: Bench
beforeEach(async () => {
  b = await bench()
})
afterEach(() => endWell(b))

const starts = () => b.libvirt.calls.filter((c) => c.op === 'domainCreate').length

describe('a VM', () => {
  test('is defined and started on its bridge, and then nothing is left to do', async () => {
    const { ledger, modules } = await runningVm(b)
    expect(b.domain(vm)).toMatchObject({ state: 'running', persistent: true, name: `skerry-${vm}` })
    expect(b.statuses.map((s) => s.condition)).not.toContain('Failed')
    expect(parseDomain(b.domain(vm)!.xml).mark).toMatchObject({ uuid: vm, generation: '1.1' })
    expect(await b.host.bridge.list()).toMatchObject([{ name: br, uuid: l2, up: true }])
    expect(await b.host.ip.at().sysctl.read(`net/ipv6/conf/${br}/disable_ipv6`)).toBe('1')
    for (const module of modules) {
      const others = modules.filter((m) => m !== module)
      expect(await converge(module, ledger, { bootId: await b.host.facts.bootId(), nowMs: 0, others })).toEqual({
        first: [],
        second: [],
      })
    }
  })

  test.each([
    ['powers itself off', 'guest', () => b.libvirt.guestPowersOff(vm)],
    ['crashes', 'crash', () => b.libvirt.guestCrashes(vm)],
    ['is destroyed by hand', 'destroyed', () => b.libvirt.call('domainDestroy', { uuid: vm }, { timeoutMs: 1_000 })],
  ])(
    'that %s is told at once as Stopped and stays off, over restarts of the agent, until it is started by order',
    async (_, cause, act) => {
      const { agent } = await runningVm(b)
      const began = performance.now()
      await act()
      await until(() => expect(b.last(vm)).toMatchObject(off(cause)))
      expect(performance.now() - began, 'by an event: the next pass is 30 s after the last').toBeLessThan(20_000)
      await agent.reconciler.pass()
      await agent.stop()
      const again = await b.start()
      await again.agent.reconciler.pass()
      expect(b.last(vm)).toMatchObject(off(cause))
      expect(starts()).toBe(1)
      await b.sync(doc('vm', vm, 7, vmSpec('1', { placementEpoch: 2 })))
      await until(() =>
        expect(b.last(vm)).toMatchObject({ generation: gen(7), condition: 'Ready', observed: { power: 'Running' } }),
      )
      expect(starts()).toBe(2)
    },
  )

  test('that obeys is stopped by asking, and told with the cause of the order', async () => {
    await runningVm(b)
    await b.sync(doc('vm', vm, 2, vmSpec('1', { power: stopped })))
    await until(() => expect(b.last(vm)).toMatchObject(off('api')))
    expect(b.libvirt.calls.some((c) => c.op === 'domainDestroy')).toBe(false)
  })

  test('is stopped cold without being asked, within the pass', async () => {
    await runningVm(b)
    await b.sync(doc('vm', vm, 2, vmSpec('1', { power: { ...stopped, mode: 'cold' } })))
    // its grace time is longer than that waits
    await until(() => expect(b.last(vm)).toMatchObject(off('api')))
    expect(b.libvirt.calls.some((c) => c.op === 'domainShutdown')).toBe(false)
  })

  test('that does not obey is Working for its grace time, then cut', async () => {
    await b.stop()
    b = await bench({ guestsObeyAcpi: false })
    await runningVm(b)
    const began = performance.now()
    await b.sync(doc('vm', vm, 2, vmSpec('1', { power: { ...stopped, graceMs: 300 } })))
    await until(() => expect(b.last(vm)).toMatchObject({ generation: gen(2), ...off('api') }))
    expect(performance.now() - began).toBeGreaterThan(295)
    expect(b.statuses).toContainEqual(
      expect.objectContaining({
        ...{ uuid: vm, generation: gen(2), condition: 'Working' },
        observed: expect.objectContaining({ power: 'Running' }),
      }),
    )
    expect(b.libvirt.calls.filter((c) => c.op === 'domainShutdown')).toHaveLength(1)
    expect(b.statuses.map((s) => s.condition)).not.toContain('Failed')
  })

  test('that is being asked is cut at the same moment although the agent was restarted meanwhile', async () => {
    await b.stop()
    b = await bench({ guestsObeyAcpi: false })
    const { agent } = await runningVm(b)
    await b.sync(doc('vm', vm, 2, vmSpec('1', { power: { ...stopped, graceMs: 1_500 } })))
    await until(() => expect(b.libvirt.calls.some((c) => c.op === 'domainShutdown')).toBe(true))
    const asked = performance.now()
    await until(() => expect(performance.now() - asked).toBeGreaterThan(1_000))
    await agent.stop()
    await b.start()
    const again = performance.now()
    await until(() => expect(b.last(vm)).toMatchObject({ generation: gen(2), ...off('api') }))
    expect(performance.now() - again, 'its grace time began anew').toBeLessThan(1_500)
    expect(b.libvirt.calls.filter((c) => c.op === 'domainShutdown')).toHaveLength(1)
  })

  test('that ran when its host went down is started by the agent alone after the boot; one that was off is not', async () => {
    const { agent } = await runningVm(b)
    await b.sync(doc('vm', id('2'), 2, vmSpec('2')))
    await until(() => expect(b.last(id('2'))?.condition).toBe('Ready'))
    b.libvirt.guestPowersOff(id('2'))
    await until(() => expect(b.last(id('2'))).toMatchObject(off('guest')))
    await agent.stop()
    b.libvirt.hostReboots()
    b.host.reboot()
    b.statuses.length = 0
    await b.start()
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running' } }))
    await until(() => expect(b.last(id('2'))).toMatchObject(off('guest')))
    expect(b.domain(id('2'))?.state).toBe('shutoff')
    expect(await b.host.bridge.list()).toMatchObject([{ name: br, up: true }])
  })

  test('is removed by its tombstone with its sockets, and its disks stay', async () => {
    await runningVm(b)
    expect(b.host.disk.folders.has(`${STATE}/vms/${vm}`)).toBe(true)
    await b.sync(tomb('vm', vm, 2), tomb('bridge', l2, 2))
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Gone' }))
    await until(() => expect(b.last(l2)).toMatchObject({ condition: 'Gone' }))
    expect(b.libvirt.inventory()).toEqual([])
    expect(b.host.disk.folders.has(`${STATE}/vms/${vm}`)).toBe(false)
    expect(b.host.disk.files.has('/var/lib/pool/1.raw')).toBe(true)
    expect(inventoryReply.parse(await b.ask('inventory', null)).items).toEqual([])
  })

  test('that a wiped agent does not know is told as Orphaned and left alone; its document adopts it without a restart', async () => {
    const { agent } = await runningVm(b)
    await agent.stop()
    b.host.disk.remove(`${STATE}/ledger`)
    b.statuses.length = 0
    await b.start()
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Orphaned', observed: { power: 'Running' } }))
    await b.sync(bridge(), doc('vm', vm, 1, vmSpec('1')))
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running', cause: 'api' } }))
    expect(starts()).toBe(1)
  })

  test('without its disk is Failed with the path, and started when the disk is back', async () => {
    b.host.disk.remove('/var/lib/pool/1.raw')
    const { agent } = await b.start()
    await b.sync(bridge(), doc('vm', vm, 1, vmSpec('1')))
    await until(() =>
      expect(b.last(vm)).toMatchObject({
        condition: 'Failed',
        error: { code: 'volume-lost', details: { paths: ['/var/lib/pool/1.raw'] } },
      }),
    )
    expect(b.libvirt.inventory()).toEqual([])
    b.host.disk.put('/var/lib/pool/1.raw', new Uint8Array(512))
    await agent.reconciler.pass()
    expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running' } })
  })

  test('with another definition keeps running; the new one is there for its next start', async () => {
    await runningVm(b)
    await b.sync(doc('vm', vm, 2, vmSpec('1', { cpuNum: 2 })))
    await until(() =>
      expect(b.last(vm)).toMatchObject({
        generation: gen(2),
        condition: 'Ready',
        observed: { power: 'Running', pendingChange: true },
      }),
    )
    const next = parseDomain(await b.libvirt.call('domainXml', { uuid: vm, inactive: true }, { timeoutMs: 1_000 }))
    expect(next).toMatchObject({ cpuCount: 2, mark: { generation: '1.2' } })
    expect(parseDomain(b.domain(vm)!.xml).cpuCount).toBe(1)
    expect(b.libvirt.calls.filter((c) => c.op === 'domainDefineXml')).toHaveLength(2)
  })

  test('that fails to start is Failed with the words of libvirt, tried again, and then Ready', async () => {
    b.libvirt.failOn('domainCreate', `skerry-${vm}`, { times: 1, failure: { message: 'no bridge' } })
    await b.start()
    await b.sync(bridge(), doc('vm', vm, 1, vmSpec('1')))
    await until(() =>
      expect(b.last(vm)).toMatchObject({
        condition: 'Failed',
        error: { code: 'hypervisor-failed', details: { message: 'no bridge' } },
      }),
    )
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running' } }))
  })
})
