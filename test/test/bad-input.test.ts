/** Bad input on the real engine: a clear error, nothing changed, nothing leaked, and the site as well as before. */
import type { Row } from '@skerry/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { OwnClient } from '../harness/own-client.ts'
import { MANAGEMENT_IP, type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { IMAGE_FILE, makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { type Answer, newUuid } from '../harness/zstack-client.ts'

const MIB = 1024 ** 2
let site: SmallSite
let own: OwnClient
let w: SmallWorld
let vm: string
let before: string

beforeAll(async () => {
  site = await startSmallSite()
  w = await makeSmallWorld(site)
  vm = await site.client.uuid('CreateVmInstance', { name: 'vm', ...vmOf() })
  own = new OwnClient(site.url, site.client.session)
})
afterAll(() => site.stop())
beforeEach(async () => {
  await site.settled()
  before = site.state()
})
/** Every test of this file is refused: so nothing may have changed. */
afterEach(async () => {
  await site.settled()
  expect(site.state()).toBe(before)
  expect(site.contradictions()).toEqual([])
  expect(site.errors).toEqual([])
  expect((await fetch(`${site.url}/healthz`)).status).toBe(200)
})

const vmOf = () => ({ imageUuid: w.image, l3NetworkUuids: [w.l3], instanceOfferingUuid: w.offering })
const image = () => ({ name: 'image', backupStorageUuids: [w.backupStorage], format: 'qcow2' })
const range = () => ({ name: 'range', l3NetworkUuid: w.l3 })
const nobody = newUuid()

/** The error at the bottom: what failed, not what failed because of it. */
function root(error: Row): Row {
  return error['cause'] ? root(error['cause'] as Row) : error
}

function expectNoLeak({ text }: Answer): void {
  expect(text).not.toMatch(/\n\s+at |\.ts:\d|node_modules|skerry-small-|root:x:0/)
  expect(text).not.toContain(process.cwd())
}

type Case = [what: string, api: string, params: () => Row, zstack: string, own: [status: number, code: string], says: RegExp]
const invalid: [number, string] = [400, 'invalid-argument']

const cases: Case[] = [
  [
    'an unknown zone',
    'CreateCluster',
    () => ({ name: 'c', zoneUuid: nobody, hypervisorType: 'KVM' }),
    'SYS.1003',
    [404, 'not-found'],
    /zone/,
  ],
  ['an unknown resource in the path', 'DeleteZone', () => ({ uuid: nobody }), 'SYS.1003', [404, 'not-found'], /zone/],
  ['a uuid of another kind of resource', 'StartVmInstance', () => ({ uuid: w.zone }), 'SYS.1003', [404, 'not-found'], /vm/],
  ['a list where text is due', 'CreateZone', () => ({ name: ['x'] }), 'SYS.1007', invalid, /name/],
  ['a missing parameter', 'CreateZone', () => ({}), 'SYS.1007', invalid, /name/],
  [
    'a value that is none of the choices',
    'ChangeZoneState',
    () => ({ uuid: w.zone, stateEvent: 'explode' }),
    'SYS.1007',
    invalid,
    /stateEvent/,
  ],
  [
    'a malformed CIDR',
    'AddIpRangeByNetworkCidr',
    () => ({ ...range(), networkCidr: '10.0.0.0/33' }),
    'SYS.1007',
    invalid,
    /networkCidr/,
  ],
  [
    'a CIDR that is too small',
    'AddIpRangeByNetworkCidr',
    () => ({ ...range(), networkCidr: '10.0.0.0/31' }),
    'SYS.1007',
    invalid,
    /10\.0\.0\.0\/31/,
  ],
  [
    'a range outside of its network',
    'AddIpRange',
    () => ({ ...range(), startIp: '10.0.0.10', endIp: '10.0.1.10', netmask: '255.255.255.0' }),
    'SYS.1007',
    invalid,
    /10\.0\.1\.10/,
  ],
  [
    'a range that ends before it starts',
    'AddIpRange',
    () => ({ ...range(), startIp: '10.0.0.20', endIp: '10.0.0.10', netmask: '255.255.255.0' }),
    'SYS.1007',
    invalid,
    /after its end/,
  ],
  [
    'a gateway outside of the network',
    'AddIpRange',
    () => ({ ...range(), startIp: '10.0.0.10', endIp: '10.0.0.20', netmask: '255.255.255.0', gateway: '10.0.9.1' }),
    'SYS.1007',
    invalid,
    /gateway/,
  ],
  [
    'a netmask with holes',
    'AddIpRange',
    () => ({ ...range(), startIp: '10.0.0.10', endIp: '10.0.0.20', netmask: '255.0.255.0' }),
    'SYS.1007',
    invalid,
    /netmask/,
  ],
  [
    'a range over another',
    'AddIpRange',
    () => ({ ...range(), startIp: '10.0.0.10', endIp: '10.0.0.20', netmask: '255.255.255.0' }),
    'SYS.1007',
    invalid,
    /overlaps/,
  ],
  [
    'a network of its own beside the present one',
    'AddIpRangeByNetworkCidr',
    () => ({ ...range(), networkCidr: '10.7.0.0/24' }),
    'SYS.1007',
    invalid,
    /one CIDR/,
  ],
  [
    'a state change that the state does not allow',
    'RecoverVmInstance',
    () => ({ uuid: vm }),
    'VM.1010',
    [409, 'vm-illegal-state'],
    /Running.*Destroyed/,
  ],
  [
    'a detachment of what is in use',
    'DetachPrimaryStorageFromCluster',
    () => ({ primaryStorageUuid: w.primaryStorage, clusterUuid: w.cluster }),
    'SYS.1006',
    [409, 'in-use'],
    /volume/,
  ],
  [
    'an attachment that is there',
    'AttachL2NetworkToCluster',
    () => ({ l2NetworkUuid: w.l2, clusterUuid: w.cluster }),
    'SYS.1005',
    [409, 'illegal-state'],
    /already/,
  ],
  [
    'a uuid that a resource of its kind has',
    'CreateZone',
    () => ({ name: 'z', resourceUuid: w.zone }),
    'SYS.1007',
    [409, 'duplicate-uuid'],
    /exists/,
  ],
  [
    'a uuid that a resource of another kind has',
    'CreateZone',
    () => ({ name: 'z', resourceUuid: vm }),
    'SYS.1007',
    [409, 'duplicate-uuid'],
    /exists/,
  ],
  [
    'a host that is added again',
    'AddKVMHost',
    () => ({ name: 'h', clusterUuid: w.cluster, managementIp: MANAGEMENT_IP, username: 'root', password: 'x' }),
    'SYS.1007',
    invalid,
    /192\.0\.2\.10/,
  ],
  [
    'a host without an agent',
    'AddKVMHost',
    () => ({ name: 'h', clusterUuid: w.cluster, managementIp: '192.0.2.99', username: 'root', password: 'x' }),
    'HOST.1003',
    [503, 'agent-absent'],
    /skerry-agent-kvm/,
  ],
  [
    'an image that is not at its source',
    'AddImage',
    () => ({ ...image(), url: 'file:///data/home/nothing.qcow2' }),
    'IMG.1000',
    [502, 'image-unreachable'],
    /nothing\.qcow2/,
  ],
  [
    'an image whose source says no',
    'AddImage',
    () => ({ ...image(), url: `${site.url}/nothing.qcow2` }),
    'IMG.1000',
    [502, 'image-unreachable'],
    /404/,
  ],
  [
    'an image with another checksum',
    'AddImage',
    () => ({ ...image(), url: `file://${IMAGE_FILE}`, checksum: `sha256:${'0'.repeat(64)}` }),
    'IMG.1001',
    [400, 'image-checksum'],
    /checksum/,
  ],
  [
    'an image out of a protected folder',
    'AddImage',
    () => ({ ...image(), url: 'file:///etc/shadow', format: 'raw' }),
    'IMG.1001',
    [400, 'image-refused'],
    /protected/,
  ],
  [
    'an image that is none',
    'AddImage',
    () => ({ ...image(), url: 'file:///data/home/text.qcow2' }),
    'IMG.1001',
    [400, 'image-refused'],
    /qcow2/,
  ],
  [
    'a VM with neither size nor offering',
    'CreateVmInstance',
    () => ({ name: 'v', imageUuid: w.image, l3NetworkUuids: [w.l3], cpuNum: 0, memorySize: 0 }),
    'SYS.1007',
    invalid,
    /cpuNum/,
  ],
  [
    'a VM larger than any host',
    'CreateVmInstance',
    () => ({ name: 'v', ...vmOf(), instanceOfferingUuid: undefined, cpuNum: 1_000, memorySize: 2 ** 50 }),
    'HOST_ALLOCATION.1000',
    [409, 'no-host'],
    /1000 CPUs/,
  ],
  [
    'a root disk smaller than its image',
    'CreateVmInstance',
    () => ({ name: 'v', ...vmOf(), rootDiskSize: MIB }),
    'SYS.1007',
    invalid,
    /smaller/,
  ],
]

describe('refused in both dialects', () => {
  beforeAll(() => site.machine.host.disk.put('/data/home/text.qcow2', Buffer.from('#!/bin/sh\n')))

  test.each(cases)('%s', async (_what, api, params, zstack, [status, code], says) => {
    const { first, last } = await site.client.exchange(api, params())
    expect([first.status, last.status]).toEqual([202, 503])
    expect(root(last.body!['error'] as Row)).toMatchObject({ code: zstack, opaque: { code } })
    expect(last.text).toMatch(says)
    expectNoLeak(last)
    const answer = await own.call(api, params())
    expect([answer.status, root(answer.body!)['code'], answer.type]).toEqual([status, code, 'application/problem+json'])
    expect(answer.text).toMatch(says)
    expectNoLeak(answer)
  })
})
