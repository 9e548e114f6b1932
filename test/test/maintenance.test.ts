/** Host maintenance on real agents over a machine in memory: guests are off while it lasts, and run again when it ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MovableSite, startMovableSite } from '../harness/movable-site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { ZStackClient } from '../harness/zstack-client.ts'

let site: MovableSite
let world: SmallWorld

beforeEach(async () => {
  site = await startMovableSite()
  const machine = await site.addMachine(MANAGEMENT_IP)
  const client = new ZStackClient(site.now().url)
  await client.login()
  world = await makeSmallWorld({ client, machine })
})
afterEach(() => site.stop())

const create = (name: string) =>
  site.call('CreateVmInstance', {
    ...{ name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
  })
const vmNamed = (name: string) => site.rows('vmInstance').find((vm) => vm['name'] === name)!

describe('a host in maintenance', () => {
  it('has no guests; enabled again, it runs those that ran, at the addresses that they had', async () => {
    await create('runs')
    const off = await create('off')
    await site.call('StopVmInstance', { uuid: off['uuid'] })
    const addresses = site.rows('vmNic').map((nic) => nic['ip'])
    const kept = await site.call('ChangeHostState', { uuid: world.host, stateEvent: 'maintain' })
    expect(kept).toMatchObject({ state: 'Maintenance' })
    expect(site.rows('vmInstance').map((vm) => vm['state'])).toEqual(['Stopped', 'Stopped'])
    await expect(site.call('StartVmInstance', { uuid: off['uuid'] })).rejects.toMatchObject({ code: 'no-host' })
    expect(site.contradictions()).toEqual([])

    await site.call('ChangeHostState', { uuid: world.host, stateEvent: 'enable' })
    await site.until('what ran to run again', () => vmNamed('runs')['state'] === 'Running')
    expect(vmNamed('runs')['stateCause'] ?? null).toBeNull()
    expect(vmNamed('off')['state']).toBe('Stopped')
    expect(site.rows('vmNic').map((nic) => nic['ip'])).toEqual(addresses)
    expect(site.contradictions()).toEqual([])
  })
})
