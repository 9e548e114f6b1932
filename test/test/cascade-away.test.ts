/** A deletion by cascade while the host is away: refused and given back, or enforced and cleaned up when the host returns. */
import type { Row } from '@skerry/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { type MovableSite, startMovableSite } from '../harness/movable-site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { ZStackClient } from '../harness/zstack-client.ts'

const SILENCE_MS = 20_000
let site: MovableSite
let world: SmallWorld

beforeEach(async () => {
  site = await startMovableSite()
  const machine = await site.addMachine(MANAGEMENT_IP)
  const client = new ZStackClient(site.now().url)
  await client.login()
  world = await makeSmallWorld({ client, machine })
  const networks = { imageUuid: world.image, l3NetworkUuids: [world.l3] }
  await site.call('CreateVmInstance', { name: 'web', instanceOfferingUuid: world.offering, ...networks })
  for (const kind of AGENT_KINDS) await machine.end(kind)
  site.pass(SILENCE_MS)
  await site.until('a silent host', () => site.rows('host')[0]?.['status'] === 'Disconnected')
})
afterEach(() => site.stop())

async function waiting(): Promise<Row[]> {
  const { inventories } = await site.now().client.call('QueryGCJob', { q: ['status!=Done'] } as never)
  return inventories as Row[]
}

test('it goes when it is enforced, and the host removes what it has when it comes back', async () => {
  await site.call('DeleteZone', { uuid: world.zone, deleteMode: 'Enforcing' })
  const left = ['zone', 'cluster', 'host', 'vmInstance', 'volume', 'usedIp']
  expect(left.map((table) => site.rows(table).length)).toEqual(left.map(() => 0))
  const machine = site.machines[0]!
  expect(machine.libvirt.inventory(), 'nobody told the host yet').toHaveLength(1)
  const jobs = await site.until('GC jobs of the guest and its disk', async () => {
    const found = await waiting()
    return ['vm', 'volume'].every((noun) => found.some((job) => job['runnerClass'] === `remove-${noun}`)) && found
  })
  expect(new Set(jobs.map((job) => job['status']))).toEqual(new Set(['Idle']))
  await expect(site.call('TriggerGCJob', { uuid: jobs[0]!['uuid'] })).rejects.toMatchObject({ code: 'agent-unreachable' })
  for (const kind of AGENT_KINDS) await machine.begin(kind)
  await site.until('tombstones carried out', () => !site.rows('desired').some((row) => row['tombstone']))
  await site.until('GC jobs done', async () => (await waiting()).length === 0 && site.rows('gcJob').length >= jobs.length)
  await expect(site.call('TriggerGCJob', { uuid: jobs[0]!['uuid'] })).rejects.toMatchObject({ code: 'illegal-state' })
  expect(machine.libvirt.inventory()).toEqual([])
  expect([...machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/primary'))).toEqual([])
  expect(site.contradictions()).toEqual([])
})

test('a removal that is given up leaves what the host has, and shows it as an orphan', async () => {
  await site.call('DeleteZone', { uuid: world.zone, deleteMode: 'Enforcing' })
  const jobs = await site.until('a GC job of the guest', async () => {
    const found = await waiting()
    return found.some((job) => job['runnerClass'] === 'remove-vm') && found
  })
  for (const { uuid } of jobs) await site.call('DeleteGCJob', { uuid })
  expect(await waiting()).toEqual([])
  const machine = site.machines[0]!
  for (const kind of AGENT_KINDS) await machine.begin(kind)
  await site.until('an orphaned guest', () => site.rows('orphan').some((row) => row['noun'] === 'vm'))
  expect(machine.libvirt.inventory()).toHaveLength(1)
  expect(site.rows('gcJob')).toEqual([])
})
