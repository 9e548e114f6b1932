/** A VM that somebody made without us becomes ours, whole or not at all; nothing on its host is asked to touch the guest. */
import { OWNER, type Row, tapName, volumePath } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { documentOf } from '../src/agents/documents.ts'
import { compareAddresses, compareCounters, compareHost } from '../src/audit/compare.ts'
import { expectedOn } from '../src/audit/expect.ts'
import { actions } from '../src/workflows/index.ts'
import { ran } from './before.ts'
import { DISK, MAC, outsideOrphan as orphan, outsideUuid, outsideVm, tellOutside } from './outside-world.ts'
import { expectProven } from './proves.ts'
import { base, GIB, id, input, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

let w: TestWorld
const adopt = (params: Row = {}) => ran(w, 'orphan.adopt', input(orphan, 'orphan', params))
const check = (params: Row = {}) => {
  try {
    actions.get('orphan.adopt')!.check!({ graph: w.state.graph, params, uuid: orphan, table: 'orphan' })
  } catch (error) {
    return error as { message: string; code: string; details: Row }
  }
  return undefined
}
const contradictions = () => [...compareCounters(w.state.graph), ...compareAddresses(w.state.graph)]
const free = () => w.state.graph.get('host', u.host)!['availableMemoryCapacity']
const vm = () => w.state.graph.get('vmInstance', outsideUuid)!
const only = (table: string) => [...w.state.graph.rows(table)].map(([, row]) => row)

beforeEach(async () => {
  w = await makeWorld()
  await site(w)
})

describe('a VM that was made without Skerry', () => {
  it('can be adopted: its rows say what it is, its agents get documents of it, and what it uses is counted once', async () => {
    await tellOutside(w, 'Running')
    const used = free()
    expect(w.state.graph.get('orphan', orphan)).toMatchObject({
      adoptable: true,
      machine: { cpuNum: 2, disks: [{ path: DISK }] },
    })
    expect(check({ ips: ['10.0.0.9'] })).toBeUndefined()
    await adopt({ ips: ['10.0.0.9'] })
    expect(vm()).toMatchObject({
      ...{ name: 'mine', state: 'Running', power: 'Running', cpuNum: 2, memorySize: 2 * GIB, placementEpoch: 1 },
      ...{ hostUuid: u.host, clusterUuid: u.cluster, zoneUuid: u.zone, defaultL3NetworkUuid: u.l3 },
    })
    const [volume] = only('volume')
    const path = volumePath('/ps', volume!['uuid'] as string, 'qcow2')
    expect(volume).toMatchObject({ type: 'Root', status: 'Ready', installPath: path, size: GIB, primaryStorageUuid: u.ps })
    expect(vm()['rootVolumeUuid']).toBe(volume!['uuid'])
    const [nic] = only('vmNic')
    expect(nic).toMatchObject({ mac: MAC, ip: '10.0.0.9', l3NetworkUuid: u.l3 })
    expect(documentOf(w.state.graph, `${u.kvm}/vm/${outsideUuid}`)).toMatchObject({
      spec: {
        disks: [{ path, target: 'vda', boot: true, format: 'qcow2' }],
        nics: [{ mac: MAC, tap: tapName(nic!['uuid'] as string) }],
        power: { state: 'Running', cause: 'adopted' },
      },
    })
    expect(w.state.graph.get('l3Network', u.l3)).toMatchObject({ routerAgentUuid: u.vrouter, routerUplink: expect.any(Number) })
    expect(documentOf(w.state.graph, `${u.vrouter}/lease/${nic!['uuid']}`)).toMatchObject({ spec: { mac: MAC, ip: '10.0.0.9' } })
    expect(documentOf(w.state.graph, `${u.storage}/volume/${volume!['uuid']}`)).toMatchObject({ spec: { birth: 'exists', path } })
    expect([free(), only('orphan'), contradictions()]).toEqual([used, [], []])
    expect([...w.agents.hosts].filter(([key]) => key.startsWith('mine/'))).toEqual([
      [`mine/${volume!['uuid']}`, 'link'],
      [`mine/${outsideUuid}`, 'adopt'],
    ])
  })

  it('is not compared in its disks and taps by an audit as long as it runs with those that it had', async () => {
    await tellOutside(w, 'Running')
    await adopt()
    const facts = { power: 'Running', disks: [DISK], taps: ['vnet0'] }
    const audited = (more: object) => {
      const observed = [{ kind: 'domain', id: outsideUuid, owner: outsideUuid, facts: { ...facts, ...more } }]
      const found = compareHost({ host: 'h', expected: expectedOn(w.state.graph, u.kvm), observed, knownMacs: new Set() })
      return found.filter(({ kind }) => kind !== 'bridge').map(({ kind, expected }) => `${kind}: ${expected}`)
    }
    expect(audited({ adopted: true })).toEqual([])
    expect(audited({ adopted: true, power: 'Stopped' })).toEqual(['domain: power Running'])
    expect(audited({})).toEqual([expect.stringContaining('domain: disks /ps/volumes/'), 'tap: present'])
  })

  it('that is off stays off, takes nothing of its host, and gets a free address where none is given', async () => {
    await tellOutside(w, 'Stopped')
    await adopt()
    expect(vm()).toMatchObject({ state: 'Stopped', power: 'Stopped', hostUuid: null, lastHostUuid: u.host })
    expect(only('vmNic')[0]).toMatchObject({ ip: '10.0.0.2' })
    expect(contradictions()).toEqual([])
  })

  it('becomes that account’s which is named, within its quotas', async () => {
    const alice = id('alice')
    const quota = (value: number) => ({
      o: 'put' as const,
      t: 'quota',
      k: id('q'),
      v: { ...base(id('q'), 'vm.num'), identityUuid: alice, identityType: 'AccountVO', value },
    })
    await w.commit({ ops: [{ o: 'put', t: 'account', k: alice, v: { ...base(alice, 'alice'), type: 'Normal' } }, quota(0)] })
    await tellOutside(w, 'Running')
    expect(check({ accountUuid: alice })).toMatchObject({ code: 'quota-exceeded', details: { name: 'vm.num', limit: 0 } })
    expect(check({ accountUuid: id('nobody') })).toMatchObject({ code: 'not-found' })
    await w.commit({ ops: [quota(1)] })
    await adopt({ accountUuid: alice })
    expect([vm()[OWNER], only('volume')[0]![OWNER]]).toEqual([alice, alice])
  })

  it('names all that hinders at once, and nothing is changed then', async () => {
    const machine = { ...outsideVm, nics: [{ mac: MAC, bridge: 'br0' }], hindrances: ['it boots by UEFI, and ours boot by BIOS'] }
    const path = '/srv/mine.qcow2'
    await tellOutside(w, 'Crashed', { ...machine, disks: [{ target: 'vda', path, format: 'qcow2', sizeBytes: GIB }] })
    expect(w.state.graph.get('orphan', orphan)).toMatchObject({ adoptable: false })
    const { seq } = w.state.graph
    const refused = check()
    expect(refused).toMatchObject({ code: 'illegal-state' })
    expect(refused!.details['hindrances']).toEqual([
      'it boots by UEFI, and ours boot by BIOS',
      'it is Crashed, neither running nor off',
      `its disk ${path} is in no primary storage of its host (virsh blockcopy mine vda <folder of one>/<file> --pivot brings it there while it runs)`,
      `its card ${MAC} is on bridge br0, which no L3 network has here`,
    ])
    await expect(adopt()).rejects.toThrow('it boots by UEFI')
    expect([w.state.graph.get('orphan', orphan), w.agents.hosts.size > 0]).toMatchObject([{ outside: true }, true])
    expect([...w.agents.hosts.keys()].filter((key) => key.startsWith('mine/'))).toEqual([])
    expect(only('vmInstance')).toEqual([])
    expect(w.state.graph.seq).toBeGreaterThanOrEqual(seq)
  })

  const hindered: [string, Row, Partial<typeof outsideVm>, string][] = [
    ['an address of another network', { ips: ['10.9.9.9'] }, {}, 'which no L3 network with the address 10.9.9.9 has here'],
    ['too many addresses', { ips: ['10.0.0.8', '10.0.0.9'] }, {}, 'it has 1 cards, and 2 addresses are given'],
    ['a file of a volume', {}, { disks: [{ ...outsideVm.disks![0]!, path: '/ps/volumes/x.qcow2' }] }, 'is among the volumes'],
    ['a strange path', {}, { disks: [{ ...outsideVm.disks![0]!, path: '/ps/../x' }] }, 'has special characters'],
    ['two cards in a network', {}, { nics: [outsideVm.nics![0]!, outsideVm.nics![0]!] }, 'it has two cards in network l3'],
  ]
  it.each(hindered)('is refused for %s', async (_what, params, is, why) => {
    await tellOutside(w, 'Running', is)
    expect(check(params)?.message).toContain(why)
  })

  it('is refused for an address or a MAC address that is in use, and for a uuid that a VM has', async () => {
    const dates = { createDate: 0, lastOpDate: 0 }
    await w.commit({
      ops: [{ o: 'put', t: 'usedMac', k: MAC, v: { uuid: id('nic'), name: MAC, vmNicUuid: id('nic'), ...dates } }],
    })
    await tellOutside(w, 'Running')
    expect(check()?.message).toContain(`MAC address ${MAC} is in use`)
    const address = { ip: '10.0.0.9', l3NetworkUuid: u.l3, ipRangeUuid: u.range, vmNicUuid: id('nic'), usedFor: null }
    await w.commit({
      ops: [
        { o: 'put', t: 'usedIp', k: `${u.l3}:10.0.0.9`, v: { ...base(id('ip'), '10.0.0.9'), ...address } },
        { o: 'del', t: 'usedMac', k: MAC },
      ],
    })
    expect(check({ ips: ['10.0.0.9'] })?.message).toContain('10.0.0.9 in network l3 is in use')
    await tellOutside(w, null)
    await tellOutside(w, 'Running')
    const twin = { ...base(outsideUuid, 'twin'), state: 'Stopped', hostUuid: null }
    await w.commit({ ops: [{ o: 'put', t: 'vmInstance', k: outsideUuid, v: twin }] })
    expect(check()?.message).toContain('there is a VM instance with its uuid')
  })

  it('is refused where the storage has promised the room to others', async () => {
    const part = { o: 'set' as const, t: 'localStorageHost', k: `${u.ps}:${u.host}`, v: { availableCapacity: GIB / 2 } }
    await w.commit({ ops: [part] })
    await tellOutside(w, 'Running')
    expect(check()).toMatchObject({ code: 'no-primary-storage' })
  })

  it('that changes while it is adopted is left as it is: names and mark are taken away again', async () => {
    await tellOutside(w, 'Running')
    const { command } = w.agents
    w.agents.command = async (agentUuid, asked) => {
      if (asked.verb === 'adopt') await tellOutside(w, 'Running', { cpuNum: 2, macs: [], nics: [] })
      return command.call(w.agents, agentUuid, asked)
    }
    await expect(adopt()).rejects.toThrow('is not any more what it was when its adoption began')
    expect([...w.agents.hosts.keys()].filter((key) => key.startsWith('mine/'))).toEqual([])
    expect([only('vmInstance'), only('volume')]).toEqual([[], []])
    expect(w.state.graph.get('orphan', orphan)).toMatchObject({ outside: true })
  })

  it('is adopted whole or not at all: failed, repeated, undone and killed at every step', () =>
    expectProven('orphan.adopt', async (world) => {
      await site(world)
      await tellOutside(world, 'Running')
      return input(orphan, 'orphan')
    }))
})

it('an orphan of ours takes no other account and no other address', async () => {
  await tellOutside(w, 'Running')
  await w.commit({ ops: [{ o: 'set', t: 'orphan', k: orphan, v: { outside: false, spec: {} } }] })
  expect(check({ ips: ['10.0.0.9'] })).toMatchObject({ code: 'invalid-argument' })
})
