/** Jobs of the scheduler on a whole site: what triggers start, over HTTP and in its history. */
import type { Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

let s: SmallSite
let w: SmallWorld
let vm: string
beforeAll(async () => {
  s = await startSmallSite()
  w = await makeSmallWorld(s)
  const params = { name: 'web', instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] }
  vm = await s.client.uuid('CreateVmInstance', params)
})
afterAll(() => s?.stop())

const call = (api: string, params: Row = {}) => s.client.call(api, params)
const graph = () => s.controller.state.graph
const job = (type: string, targetResourceUuid: string, more: Row = {}) =>
  s.client.uuid('CreateSchedulerJob', { name: type, type, targetResourceUuid, ...more })
const trigger = (params: Row) => s.client.uuid('CreateSchedulerTrigger', { name: 'trigger', schedulerType: 'simple', ...params })
const join = (schedulerJobUuid: string, schedulerTriggerUuid: string, more: Row = {}) =>
  call('AddSchedulerJobToSchedulerTrigger', { schedulerJobUuid, schedulerTriggerUuid, ...more })
const historyOf = async (uuid: string) => {
  const { body } = await s.client.send({ method: 'GET', path: `/scheduler/job/history?q=schedulerJobUuid=${uuid}` })
  return (body?.['inventories'] ?? []) as Row[]
}
/** A run begins within a second, and its end is seen within another. */
const soon = { timeout: 30_000, interval: 20 }

describe('scheduler jobs', () => {
  it('are started by their trigger, as often as it says', async () => {
    const stop = await job('stopVm', vm, { parameters: { type: 'cold' } })
    const once = await trigger({ schedulerInterval: 1, repeatCount: 1, startTime: Math.ceil(Date.now() / 1000) + 2 })
    expect(await join(stop, once)).toMatchObject({ inventory: { schedulerJobUuid: stop, schedulerTriggerUuid: once } })
    await vi.waitFor(async () => expect(await historyOf(stop)).toMatchObject([{ state: 'Succeeded', success: true }]), soon)
    expect(graph().get('vmInstance', vm)).toMatchObject({ state: 'Stopped' })
    const { body } = await s.client.send({ method: 'GET', path: `/scheduler/triggers?q=uuid=${once}` })
    expect(body?.['inventories']).toMatchObject([{ jobsUuid: [stop], repeatCount: 1 }])
    expect(graph().get('schedulerTrigger', once)).toMatchObject({ next: null, fired: 1 })
    expect(await call('GetAvailableTriggers')).toMatchObject({ inventories: [] })
  })

  it('run at once when they are asked to, and tell what refused them', async () => {
    const stop = await job('stopVm', vm)
    await call('UpdateSchedulerJob', { uuid: stop, parameters: { type: 'cold' } })
    expect(graph().get('schedulerJob', stop)).toMatchObject({ jobData: '{"type":"cold"}' })
    await call('UpdateSchedulerJob', { uuid: stop, description: 'what it does stays' })
    expect(graph().get('schedulerJob', stop)).toMatchObject({ jobData: '{"type":"cold"}' })
    await expect(call('UpdateSchedulerJob', { uuid: stop, parameters: { type: 'warm' } })).rejects.toThrow(/grace or cold/)
    const yearly = await trigger({ schedulerType: 'cron', cron: '0 0 2 1 1 ?' })
    const lone = (await call('GetNoTriggerSchedulerJobs')) as { inventories: Row[] }
    expect(lone.inventories.map((row) => row['uuid'])).toContain(stop)
    await call('StartVmInstance', { uuid: vm })
    await join(stop, yearly, { triggerNow: true })
    await vi.waitFor(async () => expect(await historyOf(stop)).toMatchObject([{ state: 'Succeeded' }]), soon)
    await call('DestroyVmInstance', { uuid: vm })
    await call('RunSchedulerTrigger', { uuid: yearly })
    await vi.waitFor(
      async () => expect((await historyOf(stop)).map((run) => run['state']).sort()).toEqual(['Failed', 'Succeeded']),
      soon,
    )
    const failed = (await historyOf(stop)).find((run) => run['state'] === 'Failed')
    expect(failed?.['resultDump']).toContain('Destroyed')
    await call('ExpungeVmInstance', { uuid: vm })
    expect(graph().get('schedulerJob', stop)).toBeUndefined()
    expect(graph().get('schedulerTrigger', yearly)).toMatchObject({ jobsUuid: [] })
  })

  it('are started together in groups of their kind, by a trigger of the group', async () => {
    const params = { instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] }
    const vms = await Promise.all(['one', 'two'].map((name) => s.client.uuid('CreateVmInstance', { name, ...params })))
    const jobs = await Promise.all(vms.map((uuid) => job('stopVm', uuid)))
    const group = await s.client.uuid('CreateSchedulerJobGroup', { name: 'all', type: 'stopVm', parameters: { type: 'cold' } })
    const named = { schedulerJobGroupUuid: group, schedulerJobUuids: jobs }
    const { inventories } = (await call('AddSchedulerJobsToSchedulerJobGroup', named)) as { inventories: Row[] }
    expect(inventories.map((ref) => ref['schedulerJobUuid'])).toEqual(jobs)
    await expect(call('AddSchedulerJobsToSchedulerJobGroup', named)).rejects.toThrow(/already in this group/)
    const reboot = await job('rebootVm', vms[0]!)
    await expect(call('AddSchedulerJobsToSchedulerJobGroup', { ...named, schedulerJobUuids: [reboot] })).rejects.toThrow(
      /rebootVm/,
    )
    const yearly = await trigger({ schedulerType: 'cron', cron: '0 0 2 1 1 ?' })
    const ends = { schedulerJobGroupUuid: group, schedulerTriggerUuid: yearly }
    expect(await call('AddSchedulerJobGroupToSchedulerTrigger', { ...ends, triggerNow: true })).toMatchObject({ inventory: ends })
    for (const uuid of jobs)
      await vi.waitFor(async () => expect(await historyOf(uuid)).toMatchObject([{ state: 'Succeeded' }]), soon)
    expect(vms.map((uuid) => graph().get('vmInstance', uuid)?.['state'])).toEqual(['Stopped', 'Stopped'])
    const lone = (await call('GetNoTriggerSchedulerJobs')) as { inventories: Row[] }
    expect(lone.inventories.map((row) => row['uuid'])).toEqual(expect.not.arrayContaining(jobs))
    for (const api of ['DestroyVmInstance', 'ExpungeVmInstance']) await call(api, { uuid: vms[0]! })
    expect(graph().get('schedulerJobGroup', group)).toMatchObject({ jobsUuid: [jobs[1]], triggersUuid: [yearly] })
    await call('DeleteSchedulerJobGroup', { uuid: group })
    expect(graph().get('schedulerJob', jobs[1]!)).toMatchObject({ schedulerJobGroupUuids: [] })
    expect(graph().get('schedulerTrigger', yearly)).toMatchObject({ jobGroupsUuid: [] })
  })

  it('let go of a trigger that is deleted, and of one that they are taken from', async () => {
    const [one, other] = [await trigger({ schedulerInterval: 3600 }), await trigger({ schedulerInterval: 3600 })]
    const params = { name: 'other', instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] }
    const start = await job('startVm', await s.client.uuid('CreateVmInstance', params))
    for (const t of [one, other]) await join(start, t)
    await call('DeleteSchedulerTrigger', { uuid: one })
    expect(graph().get('schedulerJob', start)).toMatchObject({ triggersUuid: [other] })
    await call('RemoveSchedulerJobFromSchedulerTrigger', { schedulerJobUuid: start, schedulerTriggerUuid: other })
    expect(graph().get('schedulerJob', start)).toMatchObject({ triggersUuid: [] })
    await join(start, other)
    await call('DeleteSchedulerJob', { uuid: start })
    expect(graph().get('schedulerTrigger', other)).toMatchObject({ jobsUuid: [] })
  })

  it('are refused where they could never run, and change nothing then', async () => {
    const before = s.state()
    await expect(job('stopVm', w.image)).rejects.toThrow(/SYS.1003/)
    await expect(job('backupVm', vm)).rejects.toThrow(/type/)
    await expect(job('rebootVm', vm, { parameters: { type: 'cold' } })).rejects.toThrow(/SYS.100/)
    await expect(trigger({})).rejects.toThrow(/schedulerInterval/)
    await expect(trigger({ schedulerType: 'cron', cron: '0 0 25 * * ?' })).rejects.toThrow(/cron/)
    await expect(trigger({ schedulerInterval: 0 })).rejects.toThrow(/schedulerInterval/)
    expect(s.state()).toBe(before)
    expect(s.errors).toEqual([])
  })
})
