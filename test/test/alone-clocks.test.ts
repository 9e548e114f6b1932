/** Wall clocks that jump by a year, forth and back, the controller's and the host's each by itself: nothing depends on them. */
import type { Row } from '@skerry/contract'
import { fakeDisk } from '@skerry/controller/in-process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SimTime } from '../harness/sim-time.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const YEAR = 365 * 86_400_000
const MINUTE = 60_000

let time: SimTime
let site: SmallSite
let world: SmallWorld
let vm: string
beforeAll(async () => {
  time = new SimTime()
  site = await startSmallSite({ time, disk: fakeDisk() })
  world = await makeSmallWorld(site)
  vm = await make('jumps')
})
afterAll(async () => {
  await site?.stop()
  time.stop()
  expect(site.errors).toEqual([])
})

const make = (name: string) =>
  site.client.uuid('CreateVmInstance', {
    ...{ name, imageUuid: world.image, l3NetworkUuids: [world.l3], instanceOfferingUuid: world.offering },
  })
const row = (uuid = vm) => site.controller.state.graph.get('vmInstance', uuid) as Row
const vmIs = (state: string) => time.until(`a VM that is ${state}`, MINUTE, () => row()['state'] === state)

async function differences(): Promise<unknown> {
  const audit = await fetch(`${site.url}/v1/audit/hosts`, { headers: { Authorization: `Bearer ${site.client.session}` } })
  return ((await audit.json()) as Row)['differences']
}

/** Who moves, and by how many years; each ends where it began. */
const jumps: [who: string, controller: number, host: number][] = [
  ['the controller goes a year ahead', 1, 0],
  ['the host follows', 0, 1],
  ['the controller comes back', -1, 0],
  ['both fall behind, each its own way', -1, -2],
  ['both leap, crossing each other', 2, 0],
  ['both are right again', -1, 1],
]

test.each(jumps)('%s: nobody seems away, and what guests do and are told to do is seen', async (_, controller, host) => {
  await time.sleep(6_000) // statuses of the time before
  const noted: string[] = []
  const off = site.store.onCommit((commit) => {
    for (const op of commit.ops) if (op.t !== 'session') noted.push(`${op.t} ${op.k}`)
  })
  site.advance(controller * YEAR)
  site.machine.advance(host * YEAR)
  await time.sleep(20_000)
  off()
  expect(noted).toEqual([])
  await site.client.login() // sessions end by the date, and only they do

  await site.client.call('StopVmInstance', { uuid: vm })
  expect(row()['state']).toBe('Stopped')
  await site.client.call('StartVmInstance', { uuid: vm })
  expect(row()['state']).toBe('Running')
  site.machine.libvirt.guestPowersOff(vm)
  await vmIs('Stopped')
  expect(row()['stateCause']).toBe('guest')
  await site.client.call('StartVmInstance', { uuid: vm })
  expect(await differences()).toEqual([])
})

test.each([1, -1])('a job that waits for its agent while the clocks jump by %d year goes on to its end', async (years) => {
  await site.machine.end('kvm')
  const stopping = site.client.exchange('StopVmInstance', { uuid: vm })
  await time.until('the job', MINUTE, () => row()['state'] === 'Stopping')
  site.advance(years * YEAR)
  site.machine.advance(years * YEAR)
  await site.machine.begin('kvm')
  await vmIs('Stopped')
  await stopping.catch(() => undefined) // its session is over
  await site.client.login()
  const jobs = [...site.controller.state.graph.rows('job')].map(([, job]) => job as Row)
  expect(jobs.filter((job) => job['api'] === 'StopVmInstance' && job['state'] !== 'done')).toEqual([])
  await site.client.call('StartVmInstance', { uuid: vm })
})

test.each([1, -1])('a start that keeps failing while the host jumps by %d year is tried again in its time', async (years) => {
  await site.client.call('StopVmInstance', { uuid: vm })
  const ends = site.machine.libvirt.failOn('domainCreate')
  const { last } = await site.client.exchange('StartVmInstance', { uuid: vm })
  expect(last.status).not.toBe(200)
  site.machine.advance(years * YEAR)
  ends()
  await site.client.call('StartVmInstance', { uuid: vm })
  expect(row()['state']).toBe('Running')
  await time.sleep(MINUTE)
  expect(await differences()).toEqual([])
})

test('a destroyed VM is not expunged because the clock jumped: it can be recovered', async () => {
  const other = await make('destroyed')
  await site.client.call('DestroyVmInstance', { uuid: other })
  site.advance(YEAR)
  await time.sleep(3 * MINUTE)
  expect(row(other)['state']).toBe('Destroyed')
  await site.client.login()
  await site.client.call('RecoverVmInstance', { uuid: other })
  expect(row(other)['state']).toBe('Stopped')
  site.advance(-YEAR)
})
