/** An agent after its controller moved: other servers, the same identity; and what it says of the documents it holds. */
import { fakeHost } from '@skerry/host'
import { beforeEach, describe, expect, it } from 'vitest'
import { heldDocuments } from '../src/held.ts'
import { enrol, loadIdentity, openLedger, pointAgent, specHash } from '../src/index.ts'

const dir = '/var/lib/skerry/agent-kvm'
const uuid = 'a'.repeat(32)
const host = () => fakeHost({ nowMs: () => 0 })
let files: ReturnType<typeof host>['files']
beforeEach(async () => {
  files = host().files
  const granted = { uuid, jwt: 'jwt', servers: ['tls://192.0.2.1:4222'], ca: 'old ca' }
  await enrol({
    ...{ controllerUrl: 'http://192.0.2.1:8080', token: 'x'.repeat(20), kind: 'kvm', machineId: 'b'.repeat(32) },
    ...{ managementIp: '192.0.2.9', stateDir: dir, files },
    fetch: async () => ({ status: 200, text: async () => JSON.stringify(granted) }),
  })
})

describe('pointing an agent', () => {
  it('changes where it connects, and nothing of who it is', async () => {
    const before = (await loadIdentity(files, dir, 'kvm'))!
    const servers = ['tls://192.0.2.2:4222', 'tls://[2001:db8::2]:4222']
    expect(await pointAgent(files, dir, { servers })).toEqual({ kind: 'kvm', uuid, before: ['tls://192.0.2.1:4222'] })
    expect(await loadIdentity(files, dir, 'kvm')).toEqual({ ...before, servers })
    await pointAgent(files, dir, { servers, ca: 'new ca' })
    expect((await loadIdentity(files, dir, 'kvm'))?.ca).toBe('new ca')
  })

  it('refuses what is no address, and a folder without an agent; then nothing has changed', async () => {
    const before = await loadIdentity(files, dir, 'kvm')
    for (const server of ['192.0.2.2', 'http://192.0.2.2', 'tls://a b', ''])
      await expect(pointAgent(files, dir, { servers: [server] })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(pointAgent(files, dir, { servers: [] })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(pointAgent(files, '/elsewhere', { servers: ['tls://a:1'] })).rejects.toMatchObject({ code: 'not-found' })
    expect(await loadIdentity(files, dir, 'kvm')).toEqual(before)
  })
})

describe('the documents that an agent holds', () => {
  const id = (n: number) => n.toString(16).padStart(32, '0')
  const document = (n: number, spec: Record<string, unknown> = { n }) => ({
    ...{ noun: 'vm', uuid: id(n), schema: 1, generation: { incarnation: 1, seq: n }, hash: specHash(spec), job: null, spec },
  })
  const all = (count: number) => ({ resources: Array.from({ length: count }, (_, i) => ({ noun: 'vm', uuid: id(i + 1) })) })

  it('are given in the order asked; what is unknown or under a tombstone is left out', async () => {
    const ledger = await openLedger({ dir: '/ledger', files, clock: { now: () => 0 } })
    await ledger.accept([document(1), document(2), document(3)], 0)
    await ledger.accept([{ noun: 'vm', uuid: id(2), generation: { incarnation: 1, seq: 9 }, job: null, tombstone: true }], 0)
    expect(heldDocuments(all(4), ledger).documents).toEqual([document(1), document(3)])
    expect(() => heldDocuments({ resources: [{ noun: 'vm', uuid: '../x' }] }, ledger)).toThrow(/does not fit/)
  })

  it('stop where a message is full, after one at least', async () => {
    const ledger = await openLedger({ dir: '/ledger', files, clock: { now: () => 0 } })
    const big = (n: number) => document(n, { n, text: 'x'.repeat(250_000) })
    await ledger.accept([big(1), big(2), big(3)], 0)
    expect(heldDocuments(all(3), ledger).documents.map((d) => d.uuid)).toEqual([id(1), id(2)])
    expect(heldDocuments({ resources: all(3).resources.slice(2) }, ledger).documents).toHaveLength(1)
  })
})
