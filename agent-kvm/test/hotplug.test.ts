/** Plugging in and taking out as it is carried out: what was done before, or has become moot, is no failure; everything else is. */
import type { Host } from '@skerry/host'
import { domainXml, type FakeLibvirt, fakeLibvirt, parseDomain } from '@skerry/libvirt'
import { beforeEach, expect, test } from 'vitest'
import { applyVm } from '../src/vms/apply.ts'
import { domainOf } from '../src/vms/definition.ts'
import type { VmPorts } from '../src/vms/observe.ts'
import { uuid } from './cases.ts'
import { vmSpec } from './documents.ts'

const config = { domainType: 'qemu' as const, stateDir: '/var/lib/skerry/agent-kvm' }
const within = { timeoutMs: 20_000 }
const disk = { file: '/pool/e.qcow2', format: 'qcow2' as const, target: 'vdb', volumeUuid: 'e'.repeat(32) }

let libvirt: FakeLibvirt
let ports: VmPorts
beforeEach(async () => {
  libvirt = fakeLibvirt()
  // Nothing here touches the machine besides libvirt.
  const memory = { facts: () => ({}), setFacts: async () => undefined }
  ports = {
    libvirt,
    host: {} as Host,
    memory,
    config,
    desired: { entries: () => [] },
    monotonicMs: () => 0,
  } as unknown as VmPorts
  await libvirt.call('domainDefineXml', { xml: domainXml(domainOf(uuid, vmSpec('1'), config)) }, within)
  await libvirt.call('domainCreate', { uuid }, within)
})

const targets = async () => parseDomain(await libvirt.call('domainXml', { uuid }, within)).disks.map((d) => d.target)
const plug = () => applyVm(ports, { uuid, op: 'plug', disk })
const unplug = (again: boolean) => applyVm(ports, { uuid, op: 'unplug', disk, again })

test('a disk is plugged in once, however often it is done', async () => {
  await plug()
  await plug()
  expect(await targets()).toEqual(['vda', 'vdb'])
})

test('another disk in its slot is a failure', async () => {
  await plug()
  const other = { ...disk, file: '/pool/f.qcow2', volumeUuid: 'f'.repeat(32) }
  await expect(applyVm(ports, { uuid, op: 'plug', disk: other })).rejects.toMatchObject({ code: 'hypervisor-failed' })
  expect(await targets()).toEqual(['vda', 'vdb'])
})

test('a guest that was asked before may refuse to be asked again; one that was not may not', async () => {
  await plug()
  libvirt.guestsKeepDevices()
  await unplug(false)
  await unplug(true)
  await expect(unplug(false)).rejects.toMatchObject({ code: 'hypervisor-failed' })
  libvirt.failOn('domainDetachDevice', undefined, { failure: { libvirtCode: 38 } })
  await expect(unplug(true)).rejects.toMatchObject({ details: { libvirtCode: 38 } })
})

test('a disk that is gone, or whose guest is off, need not be taken out, and none is plugged into a guest that is off', async () => {
  await plug()
  await unplug(false)
  await unplug(false)
  expect(await targets()).toEqual(['vda'])
  await libvirt.call('domainDestroy', { uuid }, within)
  await unplug(false)
  await plug().catch(() => expect.fail('its definition has it'))
  expect(await targets()).toEqual(['vda'])
})
