/** What a host tells of a VM while a job about something else has the VM's queue counts when that job has ended. */
import type { Row } from '@skerry/contract'
import { subjects } from '@skerry/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const CEILING_MS = 30_000
let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

/** The storage agent gets no documents until it is let go; `held` resolves when one waits. */
function holdStorage(): { held: Promise<void>; release(): void } {
  const agent = site.machine.agents.storage
  const sync = subjects.do('storage', agent, 'agent', agent, 'sync')
  const request = site.bus.request.bind(site.bus)
  let release: () => void = () => undefined
  const open = new Promise<void>((resolve) => (release = resolve))
  const held = new Promise<void>((resolve) => {
    site.bus.request = async (subject, data, opts) => {
      if (subject === sync) {
        resolve()
        await open
      }
      return request(subject, data, opts)
    }
  })
  return { held, release }
}

it('a guest that is paused by hand while a volume is brought to it is shown as Paused', { timeout: 2 * CEILING_MS }, async () => {
  const { client, machine, controller } = site
  const vm = await client.uuid('CreateVmInstance', {
    ...{ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
  })
  const volume = await client.uuid('CreateDataVolume', { name: 'data', diskOfferingUuid: world.diskOffering })
  const paused = new Promise<void>((resolve) => {
    const listener = site.broker.connect({})
    listener.subscribe(subjects.statusOfAll, ({ data }) => {
      const { uuid, observed } = data as { uuid: string; observed: Row }
      if (uuid === vm && observed['power'] === 'Paused') resolve()
    })
  })
  const storage = holdStorage()
  const attached = client.call('AttachDataVolumeToVm', { volumeUuid: volume, vmInstanceUuid: vm })
  await storage.held
  await machine.libvirt.call('domainSuspend', { uuid: vm }, { timeoutMs: CEILING_MS })
  await paused
  storage.release()
  await attached
  const state = () => controller.state.graph.get('vmInstance', vm)?.['state']
  await expect.poll(state, { timeout: CEILING_MS }).toBe('Paused')
})
