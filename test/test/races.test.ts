/** Many at once for the last of something, over HTTP: exactly the limit succeeds, and the books are right. */
import type { Row } from '@skerry/contract'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import type { Answer } from '../harness/zstack-client.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const WRITERS = 20
const CPUS = 4

let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite({ host: { machine: { cpuCount: CPUS, memoryBytes: 64 * GIB } } })
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

const hostRow = () => site.controller.state.graph.get('host', world.host)!
const free = (field: string) => hostRow()[field] as number

/** A network of so many addresses, on the cluster's bridge. */
async function network(addresses: number): Promise<string> {
  const l3 = await site.client.uuid('CreateL3Network', { name: 'narrow', l2NetworkUuid: world.l2 })
  const ends = { startIp: '10.9.0.10', endIp: `10.9.0.${9 + addresses}`, netmask: '255.255.255.0' }
  await site.client.call('AddIpRange', { name: 'narrow', l3NetworkUuid: l3, ...ends })
  return l3
}

const base = () => ({ imageUuid: world.image, l3NetworkUuids: [world.l3], cpuNum: 1, memorySize: 16 * MIB })

/** Asks for so many VMs at once. */
const ask = (count: number, params: Row): Promise<Answer[]> =>
  Promise.all(
    Array.from(
      { length: count },
      async (_, i) => (await site.client.exchange('CreateVmInstance', { name: `r${i}`, ...base(), ...params })).last,
    ),
  )

/** uuids of the VMs that were made, and the codes of the errors. */
function sorted(answers: readonly Answer[]): { made: string[]; codes: string[] } {
  const made = answers.filter((a) => a.status === 200).map((a) => (a.body!['inventory'] as Row)['uuid'] as string)
  const codes = answers.filter((a) => a.status !== 200).map((a) => codeOf(a.body!['error'] as Row))
  return { made, codes: [...new Set(codes)] }
}

/** The code at the bottom of the chain of causes. */
const codeOf = (error: Row): string => (error['cause'] ? codeOf(error['cause'] as Row) : (error['code'] as string))

afterEach(async () => {
  const { graph } = site.controller.state
  const uuids = [...graph.rows('vmInstance')].map(([uuid]) => uuid)
  for (const api of ['DestroyVmInstance', 'ExpungeVmInstance'])
    await Promise.all(uuids.map((uuid) => site.client.call(api, { uuid })))
})

/** Nothing more is taken than what the successful ones hold. */
async function expectCleanBooks(made: readonly string[]): Promise<void> {
  const { graph } = site.controller.state
  expect(site.contradictions()).toEqual([])
  expect(graph.count('vmInstance')).toBe(made.length)
  expect(graph.count('volume')).toBe(made.length)
  const audit = await fetch(`${site.url}/v1/audit/hosts`, { headers: { Authorization: `Bearer ${site.client.session}` } })
  expect(((await audit.json()) as Row)['differences']).toEqual([])
}

describe.each([2, WRITERS])('%i writers', (writers) => {
  test('for the last address: one gets it', async () => {
    const l3 = await network(1)
    const { made, codes } = sorted(await ask(writers, { l3NetworkUuids: [l3] }))
    expect([made.length, codes]).toEqual([1, ['L3.1000']])
    await expectCleanBooks(made)
  })

  test('for the last gigabyte of memory: one gets it', async () => {
    // 1 GiB stays with the host itself.
    const half = free('availableMemoryCapacity') - 2 * GIB
    const blocker = await site.client.uuid('CreateVmInstance', { name: 'big', ...base(), memorySize: half })
    const { made, codes } = sorted(await ask(writers, { memorySize: GIB }))
    expect([made.length, codes]).toEqual([1, ['HOST_ALLOCATION.1000']])
    await expectCleanBooks([...made, blocker])
  })

  test('for the last CPU: one gets it', async () => {
    const blocker = await site.client.uuid('CreateVmInstance', {
      name: 'wide',
      ...base(),
      cpuNum: free('availableCpuCapacity') - 1,
    })
    const { made, codes } = sorted(await ask(writers, { cpuNum: 1 }))
    expect([made.length, codes]).toEqual([1, ['HOST_ALLOCATION.1000']])
    await expectCleanBooks([...made, blocker])
  })

  test('for the last gigabyte of disk: one gets it', async () => {
    const part = site.controller.state.graph.get('localStorageHost', `${world.primaryStorage}:${world.host}`)!
    const leftover = (part['availableCapacity'] as number) - 2 * GIB
    const blocker = await site.client.uuid('CreateVmInstance', { name: 'deep', ...base(), rootDiskSize: leftover })
    const { made, codes } = sorted(await ask(writers, { rootDiskSize: GIB }))
    expect([made.length, codes]).toEqual([1, ['HOST_ALLOCATION.1000']])
    await expectCleanBooks([...made, blocker])
  })
})

test('twenty writers for seven addresses: seven get one each, all different', async () => {
  const l3 = await network(7)
  const { made, codes } = sorted(await ask(WRITERS, { l3NetworkUuids: [l3] }))
  expect([made.length, codes]).toEqual([7, ['L3.1000']])
  const { graph } = site.controller.state
  expect(new Set([...graph.rows('vmNic')].map(([, nic]) => nic['ip'])).size).toBe(7)
  await expectCleanBooks(made)
})

test('twenty creations with one uuid: one VM', async () => {
  const resourceUuid = 'c'.repeat(32)
  const { made, codes } = sorted(await ask(WRITERS, { resourceUuid }))
  expect([made, codes]).toEqual([[resourceUuid], ['SYS.1007']])
  await expectCleanBooks(made)
})

test('afterwards everything is free again', async () => {
  await expectCleanBooks([])
  expect(free('availableCpuCapacity')).toBe(hostRow()['totalCpuCapacity'])
  expect(free('availableMemoryCapacity')).toBe(hostRow()['totalMemoryCapacity'])
})
