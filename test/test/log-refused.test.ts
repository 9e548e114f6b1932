/** A log that cannot be written: nothing is accepted that would be lost, reads go on, and the next start finds all that was told. */

import type { Row } from '@skerry/contract'
import { fakeDisk, openStore, tables } from '@skerry/controller/in-process'
import { afterEach, describe, expect, it } from 'vitest'
import { fullDisk } from '../harness/full-disk.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
import { newUuid } from '../harness/zstack-client.ts'

let site: SmallSite | undefined
afterEach(() => site?.stop())

interface Answered {
  status: number
  body: Row
}

async function own(path: string, o: { method?: string; params?: Row; headers?: Record<string, string> } = {}): Promise<Answered> {
  const answer = await fetch(`${site!.url}/v1${path}`, {
    method: o.method ?? 'GET',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${site!.client.session}`, ...o.headers },
    ...(o.params ? { body: JSON.stringify({ params: o.params }) } : {}),
  })
  return { status: answer.status, body: (await answer.json()) as Row }
}

describe('a failed fsync', () => {
  it('of a change that documents follow from is refused once, and is no failure that nobody hears', async () => {
    const disk = fakeDisk()
    site = await startSmallSite({ disk })
    const world = await makeSmallWorld(site)
    const vm = { instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] }
    const uuid = await site.client.uuid('CreateVmInstance', { name: 'vm', ...vm })
    await site.settled()
    const unheard: unknown[] = []
    const hear = (error: unknown) => void unheard.push(error)
    process.on('unhandledRejection', hear)
    try {
      disk.failSync = 'EIO'
      const off = { ops: [{ o: 'set' as const, t: 'vmInstance', k: uuid, v: { power: 'Stopped' } }] }
      await expect(site.controller.state.commit(off, { actor: 'system' })).rejects.toMatchObject({ code: 'store-stopped' })
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(unheard).toEqual([])
    } finally {
      process.off('unhandledRejection', hear)
    }
  })

  it('stops all writing with the disk’s error, tells nothing as done that may be lost, and loses nothing that was told', async () => {
    const disk = fakeDisk()
    site = await startSmallSite({ disk })
    const { client, store } = site
    const kept = await client.uuid('CreateZone', { name: 'kept' })
    const job = newUuid()
    disk.failSync = 'EIO'
    const headers = { 'X-Job-UUID': job }
    const first = await own('/zones?wait=5s', { method: 'POST', params: { name: 'lost' }, headers })
    disk.failSync = undefined
    expect(first).toMatchObject({
      status: 503,
      body: { code: 'store-stopped', details: { errno: 'EIO', path: expect.stringContaining('/site/log/log-') } },
    })
    // The same call again, after the disk has come back: its first fate is unknown until the next start.
    expect(await own('/zones?wait=5s', { method: 'POST', params: { name: 'lost' }, headers })).toMatchObject({ status: 503 })
    expect((await own(`/jobs/${job}`)).body, 'its fate is unknown').toMatchObject({ job: { state: 'processing' } })
    expect(await own(`/jobs/${job}?wait=1s`)).toMatchObject({ status: 503, body: { code: 'store-stopped' } })
    expect(await own('/zones?wait=5s', { method: 'POST', params: { name: 'other' } })).toMatchObject({ status: 503 })
    const { last } = await client.exchange('CreateZone', { name: 'other' })
    expect([last.status, (last.body!['error'] as Row)['code']]).toEqual([503, 'SYS.1016'])

    expect((await fetch(`${site.url}/readyz`)).status).toBe(503)
    expect((await fetch(`${site.url}/healthz`)).status).toBe(200)
    const before = client.session
    await client.login()
    expect(client.session, 'a new session, though it cannot be recorded').not.toBe(before)
    expect(JSON.stringify((await own(`/zones/${kept}`)).body)).toContain('kept')
    await client.call('LogOut', { sessionUuid: client.session })
    expect((await own(`/zones/${kept}`)).status).toBe(401)
    client.session = before

    const told = store.durableSeq
    await site.stop()
    site = undefined
    // Power fails too: the disk has only what it had said to have.
    const ports = { clock: Date.now, newId: newUuid, limits: { reserveBytes: 0 } }
    const again = await openStore({ dir: '/site/log', disk: disk.crash(() => 0), tables, ...ports })
    expect(again.recovery.corrupt).toBeUndefined()
    expect(again.graph.seq).toBeGreaterThanOrEqual(told)
    expect(again.graph.get('zone', kept)).toMatchObject({ name: 'kept' })
    await again.close()
  })
})

describe('a job that is under way when the log stops', () => {
  it('lets nobody wait for it in vain, and says that it goes on at the next start', async () => {
    const disk = fakeDisk()
    site = await startSmallSite({ disk })
    const { offering, image, l3 } = await makeSmallWorld(site)
    const params = { name: 'halted', instanceOfferingUuid: offering, imageUuid: image, l3NetworkUuids: [l3] }
    const { status, body } = await own('/vm-instances', { method: 'POST', params })
    expect(status).toBe(202)
    const { uuid } = body['job'] as { uuid: string }
    const waiting = own(`/jobs/${uuid}?wait=10m`)
    disk.failSync = 'EIO'
    for (const answer of [await waiting, await own(`/jobs/${uuid}?wait=10m`)])
      expect(answer).toMatchObject({
        status: 503,
        body: {
          code: 'store-stopped',
          detail: expect.stringContaining('started again, and goes on then'),
          details: { job: uuid },
        },
      })
    expect(await own(`/jobs/${uuid}`)).toMatchObject({ status: 200, body: { job: { state: 'processing' } } })
  })
})

describe('a full disk', () => {
  it('refuses new work, lets what runs end or be undone, and needs nobody when there is room again', async () => {
    const disk = fakeDisk()
    site = await startSmallSite({ disk })
    const used = () => disk.files().reduce((sum, file) => sum + disk.content(file)!.length, 0)
    await fullDisk(site, await makeSmallWorld(site), {
      fill: async () => void (disk.capacity = used()),
      free: async () => void (disk.capacity = Number.POSITIVE_INFINITY),
    })
  })
})
