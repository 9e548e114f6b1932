/** Tags given at creation: they are there with their resource, and never without it. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { LogJournal } from '../src/engine/journal.ts'
import { call, done, ready } from './engine-calls.ts'
import { u, vmParams } from './world.ts'

const userTags = ['a', 'b']

describe('tags', () => {
  it('go with the resource that they are on, and with all that goes along', async () => {
    const { w, engine } = await ready()
    const { graph } = w.state
    const zone = (await done(engine, call('CreateZone', { name: 'z', userTags }))).result!['inventory'] as Row
    const inZone = { name: 'c', zoneUuid: zone['uuid'], hypervisorType: 'KVM', userTags }
    await done(engine, call('CreateCluster', inZone))
    const kept = (await done(engine, call('CreateDiskOffering', { name: 'd', diskSize: 1, userTags }))).result![
      'inventory'
    ] as Row
    expect(graph.count('tag')).toBe(6)
    expect((await done(engine, call('DeleteZone', { uuid: zone['uuid'] }))).state).toBe('done')
    expect([...graph.rows('tag')].map(([, tag]) => tag['resourceUuid'])).toEqual([kept['uuid'], kept['uuid']])
  })

  it('are taken back with a creation that fails before its row was there', async () => {
    const { w, engine } = await ready({ cpu: 1 })
    const { graph } = w.state
    const one = (name: string) => done(engine, call('CreateVmInstance', { ...vmParams, name, userTags }))
    const ends = await Promise.all([one('first'), one('second')])
    expect(ends.map(({ state }) => state).sort()).toEqual(['done', 'failed'])
    expect([...graph.rows('tag')].map(([, tag]) => graph.get('vmInstance', tag['resourceUuid'] as string)?.['state'])).toEqual([
      'Running',
      'Running',
    ])
  })

  it('are taken back with a creation whose row never came to be, and stay where only a later call failed', async () => {
    const { w } = await ready()
    const journal = new LogJournal({ state: w.state, now: w.world.now, begun: () => undefined })
    const tag = (k: string, resourceUuid: string): Op => ({ o: 'put', t: 'tag', k, v: { uuid: k, resourceUuid, tag: 'a' } })
    const job = (k: string, resourceUuid: string): Op => ({
      ...{ o: 'put', t: 'job', k },
      v: { uuid: k, resourceUuid, resourceType: 'zone', accountUuid: 'admin', state: 'undoing' },
    })
    const ops = [tag('t1', 'nothing'), tag('t2', u.zone), job('j1', 'nothing'), job('j2', u.zone)]
    await w.state.commit({ ops }, { actor: 'system' })
    const error = { code: 'internal', message: 'no', retry: 'bug' } as const
    for (const ended of ['j1', 'j2']) await journal.failed(ended, error)
    expect([...w.state.graph.rows('tag')].map(([k]) => k)).toEqual(['t2'])
  })

  it('are taken back with a creation that is undone', async () => {
    const { w, engine } = await ready()
    const { command, converge } = w.agents
    w.agents.command = async (...a: Parameters<typeof command>) => {
      if (a[1].verb === 'download') throw new SkerryError('image-unreachable', 'the source answered 404')
      return command.apply(w.agents, a)
    }
    w.agents.converge = async () => {
      throw new SkerryError('hypervisor-failed', 'the host says no')
    }
    const image = { name: 'i', url: 'http://127.0.0.1/x', backupStorageUuids: [u.bs], userTags }
    expect((await done(engine, call('AddImage', image))).state).toBe('failed')
    expect((await done(engine, call('CreateVmInstance', { ...vmParams, userTags }))).state).toBe('failed')
    w.agents.converge = converge
    expect(w.state.graph.count('tag')).toBe(0)
  })

  it('are never on a resource twice, however many jobs ask at once', async () => {
    const { w, engine } = await ready()
    const tags = { resourceType: 'ZoneVO', resourceUuid: u.zone, tags: ['host::reservedCpu::1'] }
    const ends = await Promise.all(
      ['a', 'b', 'c', 'd'].map((bodyHash) => done(engine, call('CreateSystemTags', tags, { bodyHash }))),
    )
    expect(ends.map(({ state }) => state).sort()).toEqual(['done', 'failed', 'failed', 'failed'])
    expect(w.state.graph.count('tag')).toBe(1)
  })
})
