import { describe, expect, it } from 'vitest'
import {
  diskXml,
  domainXml,
  fakeLibvirt,
  type LibvirtClock,
  type LibvirtState,
  type LifecycleEvent,
  parseDomain,
} from '../src/index.ts'
import { chainsDisks } from './chains.ts'
import { changesMedia, plugsDisks } from './disks.ts'
import { limitsDisks } from './limits.ts'
import { plugsNics } from './nics.ts'
import { full, minimal, vmUuid } from './specs.ts'

const within = { timeoutMs: 20_000 }
const uuid = vmUuid

async function withDomain(options: Parameters<typeof fakeLibvirt>[0] = {}) {
  const fake = fakeLibvirt(options)
  const events: LifecycleEvent[] = []
  fake.onLifecycle((e) => events.push(e))
  await fake.call('domainDefineXml', { xml: domainXml(minimal) }, within)
  return { fake, events, told: () => events.map((e) => `${e.event}:${e.detail}`) }
}

describe('the fake libvirt', () => {
  it('takes every domain that the builder makes', async () => {
    const fake = fakeLibvirt()
    expect(await fake.call('domainDefineXml', { xml: domainXml(full) }, within)).toEqual({ uuid, name: full.name })
  })

  it('refuses a disk without target, a bridge NIC without bridge, and XML without os, memory or uuid', async () => {
    const fake = fakeLibvirt()
    const good = domainXml({ ...full, name: 'x' })
    const breaks: [string, RegExp][] = [
      ['disk', /<target dev="vda" bus="virtio"\/>/],
      ['bridge', /<source bridge="br-eth0"\/>/],
      ['os', /<type arch.*<\/type>/],
      ['memory', /<memory unit.*<\/memory>/],
      ['uuid', /<uuid>.*<\/uuid>/],
    ]
    for (const [word, part] of breaks) {
      expect(good).toMatch(part)
      await expect(fake.call('domainDefineXml', { xml: good.replace(part, '') }, within)).rejects.toMatchObject({
        code: 'hypervisor-failed',
        details: { message: expect.stringContaining(word) },
      })
    }
    expect(fake.inventory()).toEqual([])
  })

  it('fails on demand: an operation, for one name, so many times, without effect', async () => {
    const { fake } = await withDomain()
    fake.failOn('domainCreate', minimal.name, { times: 1, failure: { libvirtCode: 38, message: 'no memory' } })
    fake.failOn('domainCreate', 'another')
    await expect(fake.call('domainCreate', { uuid }, within)).rejects.toMatchObject({
      details: { libvirtCode: 38, message: 'no memory' },
    })
    expect(fake.inventory()).toMatchObject([{ state: 'shutoff' }])
    await fake.call('domainCreate', { uuid }, within)
    expect(fake.inventory()).toMatchObject([{ state: 'running' }])
  })

  it('fails a definition by the name inside the XML, until the failure is lifted', async () => {
    const fake = fakeLibvirt()
    const lift = fake.failOn('domainDefineXml', minimal.name)
    await expect(fake.call('domainDefineXml', { xml: domainXml(minimal) }, within)).rejects.toMatchObject({
      code: 'hypervisor-failed',
    })
    lift()
    await fake.call('domainDefineXml', { xml: domainXml(minimal) }, within)
  })

  it('hangs on demand: overdue calls end at their deadline without effect, others go on, released ones take effect', async () => {
    const timers = new Map<number, () => void>()
    const clock: LibvirtClock = {
      wall: () => 1_000,
      after: (ms, run) => {
        timers.set(ms, run)
        return () => timers.delete(ms)
      },
    }
    const { fake, told } = await withDomain({ clock })
    const release = fake.hang('domainCreate')
    const overdue = fake.call('domainCreate', { uuid }, { timeoutMs: 100 })
    expect(await fake.call('listDomains', {}, within)).toHaveLength(1)
    timers.get(100)!()
    await expect(overdue).rejects.toMatchObject({ code: 'deadline-exceeded' })
    expect(fake.inventory()).toMatchObject([{ state: 'shutoff' }])
    const patient = fake.call('domainCreate', { uuid }, { timeoutMs: 200 })
    release()
    expect(await patient).toEqual({ id: 1 })
    expect(told()).toEqual(['defined:added', 'started:booted'])
    expect(timers.size).toBe(0)
  })

  it('tells a guest that ended by itself from one that crashed', async () => {
    const { fake, told } = await withDomain()
    await fake.call('domainCreate', { uuid }, within)
    fake.guestPowersOff(uuid)
    await fake.call('domainCreate', { uuid }, within)
    fake.guestCrashes(uuid)
    expect(told().slice(1)).toEqual(['started:booted', 'stopped:shutdown', 'started:booted', 'stopped:crashed'])
  })

  it('lets a guest run on that does not obey ACPI', async () => {
    const { fake } = await withDomain({ guestsObeyAcpi: false })
    await fake.call('domainCreate', { uuid }, within)
    await fake.call('domainShutdown', { uuid, via: 'acpi' }, within)
    expect(fake.inventory()).toMatchObject([{ state: 'running' }])
  })

  it('keeps definitions over a boot of the host, stops all guests, forgets transient ones and tells nobody', async () => {
    const { fake, events } = await withDomain()
    const other = { ...minimal, uuid: '2'.repeat(32), name: 'transient' }
    await fake.call('domainDefineXml', { xml: domainXml(other) }, within)
    for (const id of [uuid, other.uuid]) await fake.call('domainCreate', { uuid: id }, within)
    await fake.call('domainUndefine', { uuid: other.uuid }, within)
    const before = events.length
    fake.hostReboots()
    expect(fake.inventory()).toMatchObject([{ uuid, state: 'shutoff', persistent: true }])
    expect(events).toHaveLength(before)
  })

  it('fails every call while disconnected, tells the state, and tells no events', async () => {
    const { fake, events } = await withDomain()
    const states: LibvirtState[] = []
    fake.onState((s) => states.push(s))
    await fake.call('domainCreate', { uuid }, within)
    const before = events.length
    fake.disconnect()
    await expect(fake.call('listDomains', {}, within)).rejects.toMatchObject({ code: 'hypervisor-failed' })
    fake.guestPowersOff(uuid)
    fake.reconnect()
    expect(states).toEqual(['disconnected', 'connected'])
    expect(events).toHaveLength(before)
    expect(await fake.call('domainGetState', { uuid }, within)).toEqual({ state: 'shutoff', reason: 'shutdown' })
  })

  it('changes live and persistent metadata apart, as asked', async () => {
    const { fake } = await withDomain()
    await fake.call('domainCreate', { uuid }, within)
    const set = (n: string, affect: 'live' | 'config') =>
      fake.call('domainSetMetadata', { uuid, uri: 'urn:x', prefix: 'x', xml: `<n v="${n}"/>`, affect }, within)
    await set('1', 'live')
    await set('2', 'config')
    const get = (affect: 'live' | 'config') => fake.call('domainGetMetadata', { uuid, uri: 'urn:x', affect }, within)
    expect([await get('live'), await get('config')]).toEqual(['<n v="1"/>', '<n v="2"/>'])
  })

  it('gives counters for disks and NICs that the domain has, and refuses others', async () => {
    const fake = fakeLibvirt()
    await fake.call('domainDefineXml', { xml: domainXml(full) }, within)
    await fake.call('domainCreate', { uuid }, within)
    expect(await fake.call('domainBlockStats', { uuid, disk: 'vda' }, within)).toMatchObject({ readBytes: 0 })
    expect(await fake.call('domainInterfaceStats', { uuid, device: 'sk0123456789.0' }, within)).toMatchObject({ rxBytes: 0 })
    await expect(fake.call('domainBlockStats', { uuid, disk: 'vdz' }, within)).rejects.toMatchObject({
      code: 'hypervisor-failed',
    })
    await expect(fake.call('domainInterfaceStats', { uuid, device: 'tap9' }, within)).rejects.toMatchObject({
      code: 'hypervisor-failed',
    })
  })

  describe('disks of a running guest', () => {
    const root = { file: '/pool/root.qcow2', format: 'qcow2' as const, target: 'vda', bootOrder: 1 }
    const started = async () => {
      const fake = fakeLibvirt()
      const events: LifecycleEvent[] = []
      fake.onLifecycle((e) => events.push(e))
      await fake.call('domainDefineXml', { xml: domainXml({ ...minimal, disks: [root] }) }, within)
      await fake.call('domainCreate', { uuid }, within)
      const disks = async () => parseDomain(await fake.call('domainXml', { uuid }, within)).disks.map((d) => d.target)
      return { fake, disks, told: () => events.map((e) => `${e.event}:${e.detail}`) }
    }

    it('are plugged in and asked for as libvirt does it, and go when the guest lets go of them', async () => {
      const { fake, disks, told } = await started()
      const letGo = fake.guestsKeepDevices()
      const asked = await plugsDisks(fake, uuid, ['/pool/a.qcow2', '/pool/b.qcow2'])
      const xml = diskXml({ file: '/pool/a.qcow2', format: 'qcow2', target: asked })
      await expect(fake.call('domainDetachDevice', { uuid, xml, affect: 'live' }, within)).rejects.toMatchObject({
        details: { message: expect.stringContaining('already in the process of unplug') },
      })
      letGo()
      expect(await disks()).toEqual(['vda', 'vdc'])
      expect(told()).toContain(`deviceRemoved:${asked}`)
      await fake.call('domainDetachDevice', { uuid, xml: xml.replaceAll(asked, 'vdc'), affect: 'live' }, within)
      expect(await disks()).toEqual(['vda'])
    })

    it('may be CD drives, whose media are changed while it runs', async () => {
      const fake = fakeLibvirt()
      const drive = { target: 'sda', bus: 'scsi' as const, bootOrder: 2 }
      await fake.call('domainDefineXml', { xml: domainXml({ ...minimal, disks: [root], cdroms: [drive] }) }, within)
      await fake.call('domainCreate', { uuid }, within)
      await changesMedia(fake, uuid, { drive, files: ['/pool/one.iso', '/pool/two.iso'] })
      const xml = diskXml({ file: '/pool/a.qcow2', format: 'qcow2', target: 'vda' })
      await expect(fake.call('domainChangeMedia', { uuid, xml, affect: 'live' }, within)).rejects.toMatchObject({
        details: { libvirtCode: 84 },
      })
    })

    it('may be network cards, which go when the guest lets go of them', async () => {
      const { fake, told } = await started()
      const letGo = fake.guestsKeepDevices()
      const nic = { mac: 'fa:00:00:00:00:01', bridge: 'br0', tap: 'sktp1' }
      await plugsNics(fake, uuid, nic)
      letGo()
      expect([fake.domain(uuid).nics, told().at(-1)]).toEqual([[], `deviceRemoved:${nic.mac}`])
    })

    it('are held back as libvirtd does it', async () => {
      const { fake } = await started()
      await limitsDisks(fake, uuid, 'vda')
    })

    it('are none of a guest that is off', async () => {
      const { fake } = await withDomain()
      const xml = diskXml({ file: '/pool/a.qcow2', format: 'qcow2', target: 'vdb' })
      for (const op of ['domainAttachDevice', 'domainDetachDevice'] as const)
        await expect(fake.call(op, { uuid, xml, affect: 'live' }, within)).rejects.toMatchObject({ details: { libvirtCode: 55 } })
    })
  })

  it("does with the files of a running guest's disk what the real one does", async () => {
    const files = new Map<string, { below: string | null; sizeBytes: number }>()
    const images = {
      exists: (path: string) => files.has(path),
      below: (path: string) => files.get(path)?.below ?? null,
      put: (path: string, below: string | null) => void files.set(path, { sizeBytes: 1024, ...files.get(path), below }),
      resize: (path: string, sizeBytes: number) => void files.set(path, { below: null, ...files.get(path), sizeBytes }),
    }
    const { fake } = await withDomain({ images })
    await fake.call('domainCreate', { uuid }, within)
    const put = async (path: string, below: string | null) => images.put(path, below)
    const below = async (path: string) => images.below(path)
    await chainsDisks(
      fake,
      { uuid, target: 'vdb' },
      { make: put, below, sizeOf: async (path) => files.get(path)!.sizeBytes, dir: '/pool' },
    )
  })
})
