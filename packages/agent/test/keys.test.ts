/** Another key for an agent that works: what is on its disk at every moment, and what it answers. */
import { type MemoryBus, memoryBroker } from '@skerry/bus'
import { type RekeyReply, SkerryError } from '@skerry/contract'
import { fakeHost } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { AgentKeys, enrol, type Identity, loadIdentity, type PostJson } from '../src/index.ts'
import { id } from './bench.ts'

const STATE = '/var/lib/agent'
const GRANT = { uuid: id(5), jwt: 'first.jwt', servers: ['tls://192.0.2.1:4222'], ca: 'OLD' }

async function enrolled() {
  const host = fakeHost()
  const fetch: PostJson = async () => ({ status: 200, text: async () => JSON.stringify(GRANT) })
  const about = {
    controllerUrl: 'http://192.0.2.1:8080',
    token: 'one-time-token-0123456789',
    machineId: id(1),
    managementIp: '192.0.2.10',
  }
  const place = { stateDir: STATE, files: host.files, kind: 'kvm' as const }
  const identity = await enrol({ ...about, ...place, fetch })
  const broker = memoryBroker()
  const connected: Identity[] = []
  const refusal: { error?: SkerryError } = {}
  const connect = async (as: Identity): Promise<MemoryBus> => {
    if (refusal.error) throw refusal.error
    connected.push(as)
    return broker.connect({})
  }
  const report = (error: unknown) => {
    throw error
  }
  const start = async (as: Identity) => new AgentKeys({ ...place, identity: as, connect, report }, broker.connect({}))
  const onDisk = () => loadIdentity(host.files, STATE, 'kvm') as Promise<Identity>
  return {
    host,
    identity,
    keys: await start(identity),
    start,
    connected,
    refusal,
    onDisk,
    text: () => host.files.read(`${STATE}/identity.json`),
  }
}
const grantFor = (publicKey: string) => ({ publicKey, jwt: 'second.jwt', servers: ['tls://192.0.2.2:4222'], ca: 'NEW' })

describe('another key', () => {
  test('is made once a rotation, kept beside the old one, and its secret half is told to nobody', async () => {
    const { keys, identity, onDisk, host, text, start } = await enrolled()
    const first = await keys.rekey({ rotation: id(7), grant: null })
    expect(first).toEqual({ publicKey: identity.publicKey, next: expect.stringMatching(/^U[A-Z2-7]{55}$/), retiring: false })
    expect(await keys.rekey({ rotation: id(7), grant: null })).toEqual(first)
    expect(await onDisk()).toEqual(identity)
    expect(JSON.stringify(first)).not.toMatch(/SU[A-Z2-7]{56}/)
    expect((await text())!.match(/SU[A-Z2-7]{56}/g)).toHaveLength(2)
    expect(host.disk.files.get(`${STATE}/identity.json`)?.mode).toBe(0o600)
    // a restart changes nothing: the same key is offered
    expect(await (await start(await onDisk())).rekey({ rotation: id(7), grant: null })).toEqual(first)
    expect((await keys.rekey({ rotation: id(8), grant: null })).next).not.toBe(first.next)
  })

  test('counts when the server has let the agent in with it: it is connected first, then on the disk, then used', async () => {
    const { keys, identity, onDisk, connected } = await enrolled()
    const { next } = (await keys.rekey({ rotation: id(7), grant: null })) as RekeyReply & { next: string }
    const reply = await keys.rekey({ rotation: id(7), grant: grantFor(next) })
    expect(reply).toMatchObject({ publicKey: next, next: null })
    expect(connected).toMatchObject([{ publicKey: next, jwt: 'second.jwt', servers: ['tls://192.0.2.2:4222'], ca: 'NEW' }])
    const now = await onDisk()
    expect(now).toMatchObject({
      publicKey: next,
      jwt: 'second.jwt',
      ca: 'NEW',
      uuid: identity.uuid,
      sealPublicKey: identity.sealPublicKey,
    })
    expect(now.seed).not.toBe(identity.seed)
    await expect
      .poll(() => keys.rekey({ rotation: id(7), grant: null }))
      .toEqual({ publicKey: next, next: null, retiring: false })
    await keys.bus.close()
  })

  test('that the server refuses leaves everything as it was', async () => {
    const { keys, identity, onDisk, refusal } = await enrolled()
    const { next } = (await keys.rekey({ rotation: id(7), grant: null })) as RekeyReply & { next: string }
    refusal.error = new SkerryError('permission-denied', 'NATS refused our credentials')
    await expect(keys.rekey({ rotation: id(7), grant: grantFor(next) })).rejects.toBe(refusal.error)
    expect(await onDisk()).toEqual(identity)
    expect(await keys.rekey({ rotation: id(7), grant: null })).toMatchObject({ publicKey: identity.publicKey, next })
    delete refusal.error
    expect(await keys.rekey({ rotation: id(7), grant: grantFor(next) })).toMatchObject({ publicKey: next })
    await keys.bus.close()
  })

  test('that can’t be written down is not used', async () => {
    const { keys, identity, onDisk, host } = await enrolled()
    const { next } = (await keys.rekey({ rotation: id(7), grant: null })) as RekeyReply & { next: string }
    const { write } = host.files
    host.files.write = async () => {
      throw new SkerryError('disk-full')
    }
    await expect(keys.rekey({ rotation: id(7), grant: grantFor(next) })).rejects.toMatchObject({ code: 'disk-full' })
    host.files.write = write
    expect(await onDisk()).toEqual(identity)
    expect(await keys.rekey({ rotation: id(7), grant: null })).toMatchObject({ publicKey: identity.publicKey, next })
  })

  test('that was granted for another than the one offered is not taken', async () => {
    const { keys, identity, connected } = await enrolled()
    const stranger = `U${'A'.repeat(55)}`
    expect((await keys.rekey({ rotation: id(7), grant: grantFor(stranger) })).publicKey).toBe(identity.publicKey)
    expect(connected).toEqual([])
    await expect(keys.rekey({ rotation: 'x', grant: null })).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})
