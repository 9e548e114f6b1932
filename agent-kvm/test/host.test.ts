import { setTimeout as sleep } from 'node:timers/promises'
import { bridgeName, inventoryReply, kvmCommands, planReply, tapName } from '@skerry/contract'
import { domainXml } from '@skerry/libvirt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bench, bridge, endWell, runningVm, until } from './bench.ts'
import { doc, gen, id, l2, tomb, vmSpec } from './documents.ts'

const br = bridgeName(l2)
const vm = id('1')
const off = (cause: string) => ({ condition: 'Ready', observed: { power: 'Stopped', cause, pid: null } })

let b: Bench
beforeEach(async () => {
  b = await bench()
})
afterEach(() => endWell(b))

describe('what is not ours', () => {
  const foreign = (name: string, uuid: string) =>
    domainXml({ uuid, name, type: 'qemu', cpuMode: 'none', cpuCount: 1, memoryBytes: 64 * 1024 * 1024, disks: [], nics: [] })
  const define = (xml: string) => b.libvirt.call('domainDefineXml', { xml }, { timeoutMs: 1_000 })

  test('is refused and untouched when it has the name or uuid of a VM', async () => {
    await define(foreign('mine', vm))
    await define(foreign(`skerry-${id('2')}`, id('9')))
    const before = JSON.stringify(b.libvirt.inventory())
    await b.start()
    await b.sync(bridge(), doc('vm', vm, 1, vmSpec('1')), doc('vm', id('2'), 1, vmSpec('2')))
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Refused', error: { code: 'in-use' } }))
    await until(() => expect(b.last(id('2'))).toMatchObject({ condition: 'Refused', error: { code: 'in-use' } }))
    await b.sync(tomb('vm', vm, 2), tomb('vm', id('2'), 2))
    await until(() => expect(b.last(vm)?.condition).toBe('Gone'))
    expect(JSON.stringify(b.libvirt.inventory())).toBe(before)
  })

  test('includes a copy of our domain that somebody made, mark and all', async () => {
    await runningVm(b)
    await define(
      b
        .domain(vm)!
        .xml.replace(`<name>skerry-${vm}</name>`, '<name>copy</name>')
        .replace(/<uuid>.*?<\/uuid>/, `<uuid>${id('9')}</uuid>`),
    )
    await b.sync(tomb('vm', vm, 2))
    await until(() => expect(b.last(vm)?.condition).toBe('Gone'))
    expect(b.libvirt.inventory().map((d) => d.name)).toEqual(['copy'])
    await until(() =>
      expect(b.last(id('9'))).toMatchObject({ condition: 'Orphaned', observed: { cause: 'outside', outside: { name: 'copy' } } }),
    )
  })

  test('is told as it is, also when it changes or goes, and nothing is ever done to it', async () => {
    const xml = (more: object) =>
      domainXml({
        ...{ uuid: id('9'), name: 'mine', type: 'qemu', cpuMode: 'none', cpuCount: 2, memoryBytes: 64 * 1024 * 1024, nics: [] },
        disks: [{ file: '/srv/mine.qcow2', format: 'qcow2', target: 'vda' }],
        ...more,
      })
    await define(xml({}))
    await runningVm(b)
    const outside = { name: 'mine', cpuNum: 2, memoryBytes: 64 * 1024 * 1024, paths: ['/srv/mine.qcow2'], macs: [] }
    const tells = (power: string, more: object = {}) =>
      until(() =>
        expect(b.last(id('9'))).toMatchObject({
          ...{ condition: 'Orphaned', generation: null, observed: { power, outside: { ...outside, ...more } } },
        }),
      )
    await tells('Stopped')
    const asked = () =>
      b.libvirt.calls.filter(({ op, args }) => op !== 'domainXml' && (args as { uuid?: string }).uuid === id('9'))
    expect(asked()).toEqual([])
    const byHand = (op: 'domainCreate' | 'domainDestroy' | 'domainUndefine') =>
      b.libvirt.call(op, { uuid: id('9') }, { timeoutMs: 1_000 })
    await byHand('domainCreate')
    await tells('Running')
    await byHand('domainDestroy')
    await define(xml({ cpuCount: 4 }))
    await tells('Stopped', { cpuNum: 4 })
    await byHand('domainUndefine')
    await until(() => expect(b.last(id('9'))?.condition).toBe('Gone'))
    expect(asked().map(({ op }) => op)).toEqual(['domainCreate', 'domainDestroy', 'domainUndefine'])
  })

  test('has names that break lines told on one', async () => {
    const named = {
      uuid: id('9'),
      name: 'one',
      type: 'qemu',
      cpuMode: 'none',
      cpuCount: 1,
      memoryBytes: 64 * 1024 * 1024,
      nics: [],
    }
    const xml = domainXml({ ...(named as object), disks: [{ file: '/srv/ab', format: 'raw', target: 'vda' }] } as never)
    await define(xml.replace('/srv/ab', '/srv/a&#10;b'))
    await b.start()
    await until(() => expect(b.last(id('9'))?.observed['outside']).toMatchObject({ paths: ['/srv/a?b'] }))
  })

  test('includes a bridge of the wanted name without our mark', async () => {
    await b.host.ip.at().links.add({ kind: 'bridge', name: br })
    await b.start()
    await b.sync(bridge())
    await until(() => expect(b.last(l2)).toMatchObject({ condition: 'Refused', error: { code: 'in-use' } }))
    await b.sync(tomb('bridge', l2, 2))
    await until(() => expect(b.last(l2)?.condition).toBe('Gone'))
    expect(await b.host.bridge.list()).toMatchObject([{ name: br, uuid: null }])
  })
})

describe('a bridge', () => {
  test('gets the NIC that its document names; one with addresses is refused, one that is not there is named with those that are', async () => {
    const { agent } = await b.start()
    await b.sync(bridge({ physicalInterface: 'eth0' }))
    await until(() =>
      expect(b.last(l2)).toMatchObject({
        condition: 'Refused',
        error: { code: 'in-use', details: { addresses: ['192.0.2.10/24'] } },
      }),
    )
    await b.sync({ ...bridge({ physicalInterface: 'eth7' }), generation: gen(2) })
    await until(() =>
      expect(b.last(l2)).toMatchObject({
        condition: 'Failed',
        error: { code: 'invalid-argument', details: { interfaces: ['eth0', 'eth1'] } },
      }),
    )
    expect(await b.host.bridge.list()).toEqual([])
    await b.sync({ ...bridge({ physicalInterface: 'eth1' }), generation: gen(3) })
    await until(() => expect(b.last(l2)).toMatchObject({ condition: 'Ready', observed: { uplink: 'eth1' } }))
    expect(await b.host.bridge.list()).toMatchObject([{ name: br, ports: ['eth1'] }])
    await agent.reconciler.pass()
    await b.sync(tomb('bridge', l2, 4))
    await until(() => expect(b.last(l2)?.condition).toBe('Gone'))
    expect(await b.host.ip.at().links.get('eth1')).toMatchObject({ master: null })
  })

  test('under a tombstone waits for a port that is not ours, and goes soon after it', async () => {
    await b.start()
    await b.sync(bridge())
    await until(() => expect(b.last(l2)?.condition).toBe('Ready'))
    await b.host.ip.at().links.add({ kind: 'veth', name: 'veth7', peer: { name: 'veth8' } })
    await b.host.bridge.addPort(br, 'veth7')
    await b.sync(tomb('bridge', l2, 2))
    await until(() => expect(b.last(l2)?.condition).toBe('Working'))
    await sleep(50)
    expect(await b.host.bridge.list()).toHaveLength(1)
    await b.host.ip.at().links.del('veth7')
    await until(() => expect(b.last(l2)?.condition).toBe('Gone'))
    expect(await b.host.bridge.list()).toEqual([])
  })
})

test('while libvirt is away statuses stay as they were told, and what happened meanwhile is told when it is back', async () => {
  const { agent } = await runningVm(b)
  b.libvirt.disconnect()
  const count = b.statuses.length
  await agent.reconciler.pass()
  expect(b.statuses).toHaveLength(count)
  expect(b.faults.splice(0)).toHaveLength(1)
  b.libvirt.reconnect()
  b.libvirt.guestPowersOff(vm)
  await until(() => expect(b.last(vm)).toMatchObject(off('guest')))
})

test('the inventory names domains, taps and bridges of ours with their owners, also those that nobody wants', async () => {
  await runningVm(b)
  await b.host.ip.at().links.add({ kind: 'veth', name: tapName(id('d1')), peer: { name: 'x1' } })
  await b.host.ip.at().links.add({ kind: 'veth', name: tapName(id('7')), peer: { name: 'x2' } })
  await b.host.ip.at().links.add({ kind: 'bridge', name: 'skbrplanted' })
  await b.host.ip.at().links.add({ kind: 'bridge', name: 'br0' })
  const { items } = inventoryReply.parse(await b.ask('inventory', null))
  const short = items.map(({ kind, id: name, owner }) => [kind, name, owner])
  expect(short).toEqual([
    ['domain', vm, vm],
    ['bridge', br, l2],
    ['tap', tapName(id('d1')), id('d1')],
    ['tap', tapName(id('7')), null],
    ['bridge', 'skbrplanted', null],
  ])
  expect(items[0]?.facts).toEqual({ power: 'Running', disks: ['/var/lib/pool/1.raw'], taps: [tapName(id('d1'))] })
})

test('a dry run shows the domain and the bridge that would be made, and makes none', async () => {
  await b.start()
  const { changes } = planReply.parse(await b.ask('plan', { documents: [bridge(), doc('vm', vm, 1, vmSpec('1'))], epoch: 1 }))
  expect(changes.map((c) => `${c.noun} ${c.change['op']}`)).toEqual([
    'bridge create',
    'bridge ipv6-off',
    'vm define',
    'vm start',
    'vm remember',
  ])
  expect(b.libvirt.inventory()).toEqual([])
})

test('facts of the host are as the contract says', async () => {
  await b.start()
  const output = kvmCommands.facts.output.parse(await b.command('host', id('8'), 'facts', {}))
  expect(output).toMatchObject({
    cpuNum: 8,
    cpuSockets: 1,
    totalMemory: 16 * 1024 ** 3,
    architecture: 'x86_64',
    libvirtVersion: '9.0.0',
    qemuVersion: '7.2.0',
    domainType: 'qemu',
    bootId: await b.host.facts.bootId(),
  })
})

describe('a reboot', () => {
  test('is told as acpi when the guest comes back by itself', async () => {
    await runningVm(b)
    const rebooting = b.command('vm', vm, 'reboot', { graceMs: 3_000 })
    expect(await rebooting).toEqual({ how: 'acpi' })
    expect(b.libvirt.calls.some((c) => c.op === 'domainReset')).toBe(false)
  })

  test('of a guest that does not react is a reset after its grace time; the same id does not reboot it again', async () => {
    await b.stop()
    b = await bench({ guestsObeyAcpi: false })
    await runningVm(b)
    const began = performance.now()
    expect(await b.command('vm', vm, 'reboot', { graceMs: 200 }, 'one')).toEqual({ how: 'reset' })
    expect(performance.now() - began).toBeGreaterThan(195)
    expect(await b.command('vm', vm, 'reboot', { graceMs: 200 }, 'one')).toEqual({ how: 'reset' })
    expect(b.libvirt.calls.filter((c) => c.op === 'domainReboot')).toHaveLength(1)
    expect(b.libvirt.calls.filter((c) => c.op === 'domainReset')).toHaveLength(1)
    expect(b.last(vm)).toMatchObject({ observed: { power: 'Running' } })
  })

  test('that an ending agent left is waited for, not asked again, when it is repeated', async () => {
    await b.stop()
    b = await bench({ guestsObeyAcpi: false })
    const { agent } = await runningVm(b)
    const cut = b.command('vm', vm, 'reboot', { graceMs: 1_500 }, 'two')
    cut.catch(() => undefined)
    await until(() => expect(b.libvirt.calls.some((c) => c.op === 'domainReboot')).toBe(true))
    await sleep(20)
    await agent.stop()
    await expect(cut).rejects.toMatchObject({ code: 'agent-unreachable' })
    await b.start()
    expect(await b.command('vm', vm, 'reboot', { graceMs: 1_500 }, 'two')).toEqual({ how: 'reset' })
    expect(b.libvirt.calls.filter((c) => c.op === 'domainReboot')).toHaveLength(1)
  })

  test('is refused for a VM that is off, or not here', async () => {
    await runningVm(b)
    b.libvirt.guestPowersOff(vm)
    await expect(b.command('vm', vm, 'reboot', { graceMs: 10 })).rejects.toMatchObject({ code: 'vm-illegal-state' })
    await expect(b.command('vm', id('9'), 'reboot', { graceMs: 10 })).rejects.toMatchObject({ code: 'not-found' })
  })
})
