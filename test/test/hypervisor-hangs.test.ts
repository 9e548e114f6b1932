/** A hypervisor that does not answer: calls end at the deadline that their caller gave, and say where they waited. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { failing, hurried } from '../harness/hurried.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const SECONDS = 2
let site: SmallSite
let world: SmallWorld
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
})
afterAll(() => site?.stop())

it('a reboot and a stop fail as deadline-exceeded with agent, host and step while it hangs, and work when it is back', async () => {
  const params: Row = { name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] }
  const [asked, stopped] = [
    await site.client.uuid('CreateVmInstance', params),
    await site.client.uuid('CreateVmInstance', params),
  ]
  const client = await hurried(site.url, SECONDS)
  const release = site.machine.libvirt.hang('listDomains')
  const errors = await Promise.all([
    failing(client.call('RebootVmInstance', { uuid: asked }, { wait: true })),
    failing(client.call('StopVmInstance', { uuid: stopped, type: 'cold' }, { wait: true })),
  ])
  release()
  for (const [n, step] of ['reboot', 'power-off'].entries()) {
    expect(errors[n]).toMatchObject({ code: 'deadline-exceeded' })
    const { details } = errors[n]!
    expect(details).toMatchObject({ agentUuid: site.machine.agents.kvm, hostUuid: world.host, host: 'host', step })
    expect(details['agent']).toBeTruthy()
  }
  await client.call('StopVmInstance', { uuid: stopped, type: 'cold' }, { wait: true })
  await client.call('RebootVmInstance', { uuid: asked }, { wait: true })
})
