/**
 * A whole machine whose clock is wrong: a board without a battery boots in 1970, somebody sets the clock to another year. Real
 * processes, a real kernel, TLS and credentials as `up` makes them.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Job } from '@skerry/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/site.ts'
import { labRuns, SLOW_MS, STATE } from './lab-site.ts'
import { type MachineSite, machineSite } from './machine-site.ts'

const MINUTES_20 = 1_200_000
const YEAR_MS = 365 * 24 * 3_600_000
const limit = { timeoutMs: SLOW_MS }
/** Takes long enough that the clock jumps in its middle. */
const LARGE_MIB = 64

/** What the controller says when it notices. */
const JUMPED = 'the wall clock jumped'

let site: MachineSite
let zone: string
let store: string
let number = 0

beforeAll(async () => {
  site = await machineSite()
  await site.boot()
  await site.start('nats-server', 'controller')
  await site.client.login('admin', 'password')
  await site.tokens()
  await site.start('agent-kvm', 'agent-storage', 'agent-vrouter')
  await site.agentsConnected()
  zone = (await site.call('CreateZone', { name: 'zone' }))['uuid'] as string
  const access = { hostname: '127.0.0.1', username: 'root', password: 'unused' }
  store = (await site.call('AddImageStoreBackupStorage', { name: 'images', url: `${STATE}/images`, ...access }))['uuid'] as string
  await site.call('AttachBackupStorageToZone', { backupStorageUuid: store, zoneUuid: zone })
  for (const [name, mib] of [
    ['small', 1],
    ['large', LARGE_MIB],
  ] as const) {
    const path = `${STATE}/${name}.qcow2`
    await site.lab.must(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'preallocation=full', path, `${mib}M`], limit)
  }
}, MINUTES_20)
afterAll(() => site?.stop())

function imageParams(name: 'small' | 'large') {
  number += 1
  return {
    name: `${name} ${number}`,
    url: `file://${STATE}/${name}.qcow2`,
    backupStorageUuids: [store],
    format: 'qcow2' as const,
  }
}

const addImage = async () => (await site.call('AddImage', imageParams('small')))['uuid'] as string

/** What only the true time may decide to throw away. */
async function deletedImage(): Promise<string> {
  const uuid = await addImage()
  await site.call('DeleteImage', { uuid })
  return uuid
}

const setClock = (to: Date) => site.lab.must(['date', '-u', '-s', to.toISOString().slice(0, 19)], limit)
const clockThere = async () => Number((await site.lab.must(['date', '+%s'], limit)).trim()) * 1000

/** The agents are there, reach NATS anew, take documents and commands; somebody logs in. */
async function allWorks(): Promise<void> {
  await expect(site.client.login('admin', 'password')).resolves.toMatchObject({ uuid: expect.any(String) })
  await site.agentsConnected()
  await site.end('nats-server')
  await until('lost agents', SLOW_MS, async () => {
    const { inventories } = await site.client.query('agent', { q: ['status=Disconnected'] })
    return inventories.length > 0
  })
  await site.start('nats-server')
  await site.agentsConnected()
  await addImage()
  await site.call('CreateZone', { name: `zone ${number}` })
}

/** Jumps in the middle of a job, and looks that nobody is dropped, nothing fails, and nothing is thrown away for its age. */
async function jump(toMs: number): Promise<void> {
  const deleted = await deletedImage()
  const seen = (await told()).length
  const { job } = (await site.client.call('AddImage', imageParams('large'))) as { job: Job }
  await until('a job under way', SLOW_MS, async () => (await site.client.job(job.uuid)).step !== null)
  await setClock(new Date(toMs))
  await site.client.login('admin', 'password')
  expect(await site.client.waitJob(job.uuid)).toMatchObject({ state: 'done' })
  const lost: Row[] = []
  await until('the jump to be noticed', SLOW_MS, async () => {
    lost.push(...(await site.client.query('agent', { q: ['status!=Connected'] })).inventories)
    return (await told()).slice(seen).includes(JUMPED)
  })
  expect(lost).toEqual([])
  // housekeeping has run: it is what notices the jump
  expect(await site.client.get('image', deleted)).toMatchObject({ status: 'Deleted' })
  await site.call('RecoverImage', { imageUuid: deleted })
  await allWorks()
}

const told = () => site.process('controller').stdout()

describe.skipIf(!labRuns('wrong clocks'))('a machine whose clock is wrong', () => {
  test('boots in 1970: services come up, and go on when the clock is set right', { timeout: MINUTES_20 }, async () => {
    const deleted = await deletedImage()
    const zones = (await site.client.query('zone')).inventories.length
    await site.off()
    await site.boot(new Date(0))
    expect(await clockThere()).toBeLessThan(YEAR_MS)
    await site.start('nats-server', 'controller', 'agent-kvm', 'agent-storage', 'agent-vrouter')
    // The log knows a later time, so nothing is deleted by what this clock says.
    expect(await told()).toContain(JUMPED)
    await allWorks()
    const seen = (await told()).length
    await setClock(new Date())
    await until('the jump to be noticed', SLOW_MS, async () => (await told()).slice(seen).includes(JUMPED))
    // A session of 1970 is long over; everything else is there, also what was deleted before.
    await expect(site.client.query('zone')).rejects.toBeInstanceOf(SkerryError)
    await site.client.login('admin', 'password')
    await site.agentsConnected()
    expect((await site.client.query('zone')).inventories.length).toBe(zones + 1)
    expect(await site.client.get('image', deleted)).toMatchObject({ status: 'Deleted' })
  })

  test('jumps a year ahead while everything runs', { timeout: MINUTES_20 }, () => jump(Date.now() + YEAR_MS))

  test('jumps two years back while everything runs', { timeout: MINUTES_20 }, () => jump(Date.now() - YEAR_MS))
})
