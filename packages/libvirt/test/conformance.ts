/** What every implementation of the port does. Each test uses a domain of its own, so that the tests may share a connection. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  dashedUuid,
  type Libvirt,
  type LifecycleEvent,
  markMetadata,
  markNamespace,
  parseDomain,
  parseMark,
} from '../src/index.ts'
import { element, writeXml } from '../src/xml/document.ts'
import { gather } from './gather.ts'
import { marksBoth } from './marks.ts'

export interface Subject {
  open(): Libvirt
  /** The domain type that this hypervisor takes. */
  type: string
}

const within = { timeoutMs: 10_000 }
const missing = 'f'.repeat(32)

function definition(type: string, uuid: string, name: string, mark?: Record<string, string>): string {
  const metadata = mark && element('metadata', {}, [element('skerry:vm', { 'xmlns:skerry': markNamespace, ...mark })])
  return writeXml(
    element('domain', { type }, [
      element('name', {}, name),
      element('uuid', {}, dashedUuid(uuid)),
      metadata,
      element('memory', { unit: 'MiB' }, 64),
      element('vcpu', {}, 2),
      element('os', {}, [element('type', {}, 'hvm')]),
    ]),
  )
}

export function conformance(title: string, { open, type }: Subject): void {
  describe(`libvirt port: ${title}`, () => {
    let libvirt: Libvirt
    const events = gather<LifecycleEvent>()
    const fresh = () => {
      const uuid = randomUUID().replaceAll('-', '')
      return { uuid, name: `conf-${uuid.slice(0, 8)}` }
    }
    const define = async (mark?: Record<string, string>) => {
      const domain = fresh()
      await libvirt.call('domainDefineXml', { xml: definition(type, domain.uuid, domain.name, mark) }, within)
      return domain
    }
    const row = async (uuid: string, args: { metadataUri?: string } = {}) =>
      (await libvirt.call('listDomains', args, within)).find((d) => d.uuid === uuid)
    const event = (uuid: string, name: string, detail: string) =>
      events.until((e) => e.domainUuid === uuid && e.event === name && e.detail === detail)

    beforeAll(() => {
      libvirt = open()
      libvirt.onLifecycle((e) => events.add(e))
    })
    afterAll(() => libvirt.close())

    it('tells about its host', async () => {
      const info = await libvirt.call('hostInfo', {}, within)
      expect(info.libvirtVersion).toMatch(/^\d+\.\d+\.\d+$/)
      expect(info.hypervisorVersion).toMatch(/^\d+\.\d+\.\d+$/)
      expect(info.hostname).not.toBe('')
      expect(info.capabilitiesXml).toContain('<capabilities')
    })

    it('answers a definition with uuid and name, lists the domain as shut off and tells that it was defined', async () => {
      const domain = fresh()
      const defined = await libvirt.call('domainDefineXml', { xml: definition(type, domain.uuid, domain.name) }, within)
      expect(defined).toEqual(domain)
      expect(await row(domain.uuid)).toMatchObject({ ...domain, id: null, state: 'shutoff' })
      expect(await event(domain.uuid, 'defined', 'added')).toMatchObject({ name: domain.name, at: expect.any(Number) })
    })

    it('lists only domains of the uuids or names that it is asked for', async () => {
      const [a, b] = [await define(), await define(), await define()] as const
      const only = { uuids: [a.uuid], names: [b.name] }
      const found = (await libvirt.call('listDomains', { only }, within)).map(({ uuid }) => uuid)
      expect(found.sort()).toEqual([a.uuid, b.uuid].sort())
    })

    it('takes a second definition of the same domain as an update', async () => {
      const domain = await define()
      await libvirt.call('domainDefineXml', { xml: definition(type, domain.uuid, domain.name) }, within)
      await event(domain.uuid, 'defined', 'updated')
    })

    it('refuses a name that another domain has', async () => {
      const domain = await define()
      const other = definition(type, fresh().uuid, domain.name)
      await expect(libvirt.call('domainDefineXml', { xml: other }, within)).rejects.toMatchObject({
        code: 'hypervisor-failed',
        details: { libvirtCode: 9, message: expect.stringContaining('already exists') },
      })
    })

    it('starts a domain: it runs, has an id, and the start is told', async () => {
      const domain = await define()
      const { id } = await libvirt.call('domainCreate', { uuid: domain.uuid }, within)
      expect(await row(domain.uuid)).toMatchObject({ id, state: 'running', reason: 'booted' })
      expect(await libvirt.call('domainGetState', { uuid: domain.uuid }, within)).toEqual({ state: 'running', reason: 'booted' })
      await event(domain.uuid, 'started', 'booted')
    })

    it('refuses to start what runs', async () => {
      const domain = await define()
      await libvirt.call('domainCreate', { uuid: domain.uuid }, within)
      await expect(libvirt.call('domainCreate', { uuid: domain.uuid }, within)).rejects.toMatchObject({
        code: 'hypervisor-failed',
        details: { domainUuid: domain.uuid, message: expect.stringContaining('already running') },
      })
    })

    it('says of a domain that was undefined while it runs that it has no definition, until it has one again', async () => {
      const { uuid, name } = await define()
      await libvirt.call('domainCreate', { uuid }, within)
      expect(await row(uuid)).toMatchObject({ persistent: true })
      await libvirt.call('domainUndefine', { uuid }, within)
      expect(await row(uuid)).toMatchObject({ persistent: false, state: 'running' })
      await libvirt.call('domainDefineXml', { xml: definition(type, uuid, name) }, within)
      expect(await row(uuid)).toMatchObject({ persistent: true, state: 'running' })
    })

    it('suspends and resumes', async () => {
      const { uuid } = await define()
      await libvirt.call('domainCreate', { uuid }, within)
      await libvirt.call('domainSuspend', { uuid }, within)
      expect(await libvirt.call('domainGetState', { uuid }, within)).toEqual({ state: 'paused', reason: 'user' })
      await libvirt.call('domainResume', { uuid }, within)
      expect(await libvirt.call('domainGetState', { uuid }, within)).toEqual({ state: 'running', reason: 'unpaused' })
      await event(uuid, 'suspended', 'paused')
      await event(uuid, 'resumed', 'unpaused')
    })

    it('keeps a domain running through reboot and reset', async () => {
      const { uuid } = await define()
      await libvirt.call('domainCreate', { uuid }, within)
      await libvirt.call('domainReboot', { uuid, via: 'default' }, within)
      await libvirt.call('domainReset', { uuid }, within)
      expect(await libvirt.call('domainGetState', { uuid }, within)).toMatchObject({ state: 'running' })
    })

    it('tells a shut down guest from one whose power was cut', async () => {
      const [soft, hard] = [await define(), await define()]
      for (const { uuid } of [soft, hard]) await libvirt.call('domainCreate', { uuid }, within)
      await libvirt.call('domainShutdown', { uuid: soft.uuid, via: 'default' }, within)
      await libvirt.call('domainDestroy', { uuid: hard.uuid }, within)
      await event(soft.uuid, 'stopped', 'shutdown')
      await event(hard.uuid, 'stopped', 'destroyed')
      expect(await libvirt.call('domainGetState', { uuid: soft.uuid }, within)).toEqual({ state: 'shutoff', reason: 'shutdown' })
      expect(await libvirt.call('domainGetState', { uuid: hard.uuid }, within)).toEqual({ state: 'shutoff', reason: 'destroyed' })
    })

    it('refuses power verbs on what does not run', async () => {
      const { uuid } = await define()
      const verbs = [
        libvirt.call('domainDestroy', { uuid }, within),
        libvirt.call('domainShutdown', { uuid, via: 'default' }, within),
        libvirt.call('domainReboot', { uuid, via: 'default' }, within),
        libvirt.call('domainSuspend', { uuid }, within),
        libvirt.call('domainResume', { uuid }, within),
      ]
      for (const verb of await Promise.allSettled(verbs)) {
        expect(verb).toMatchObject({ status: 'rejected', reason: { code: 'hypervisor-failed' } })
      }
    })

    it('forgets an undefined domain and says not-found afterwards', async () => {
      const { uuid } = await define()
      await libvirt.call('domainUndefine', { uuid }, within)
      expect(await row(uuid)).toBeUndefined()
      await event(uuid, 'undefined', 'removed')
      await expect(libvirt.call('domainUndefine', { uuid }, within)).rejects.toMatchObject({ code: 'not-found' })
    })

    it('lets a domain run that is undefined meanwhile, until it stops', async () => {
      const { uuid } = await define()
      await libvirt.call('domainCreate', { uuid }, within)
      await libvirt.call('domainUndefine', { uuid }, within)
      expect(await row(uuid)).toMatchObject({ state: 'running' })
      await libvirt.call('domainDestroy', { uuid }, within)
      expect(await row(uuid)).toBeUndefined()
    })

    it('says not-found with the uuid for a domain that does not exist', async () => {
      for (const op of ['domainXml', 'domainCreate', 'domainDestroy', 'domainGetState', 'domainInfo', 'domainReset'] as const) {
        await expect(libvirt.call(op, { uuid: missing }, within)).rejects.toMatchObject({
          code: 'not-found',
          details: { domainUuid: missing, libvirtCode: 42 },
        })
      }
    })

    it('reports the failure of each of many calls that fail at the same time as its own', async () => {
      const unfinished = (n: number) => `<domain type='${type}'><name>n${n}</name`
      const nameless = `<domain type='${type}'><memory>1024</memory></domain>`
      const call = (n: number) => {
        if (n % 3 === 0) return libvirt.call('domainDefineXml', { xml: unfinished(n) }, within)
        if (n % 3 === 1) return libvirt.call('domainDefineXml', { xml: nameless }, within)
        return libvirt.call('domainGetState', { uuid: missing }, within)
      }
      const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, n) => call(n)))
      const expected = [
        { code: 'hypervisor-failed', details: { libvirtCode: 35, message: expect.stringContaining('domain_definition') } },
        { code: 'hypervisor-failed', details: { libvirtCode: 21, message: 'missing name information' } },
        { code: 'not-found', details: { libvirtCode: 42 } },
      ]
      outcomes.forEach((outcome, n) => {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expected[n % 3] })
      })
    })

    it('gives back the XML with name, uuid, memory and CPUs', async () => {
      const domain = await define()
      const parsed = parseDomain(await libvirt.call('domainXml', { uuid: domain.uuid, inactive: true }, within))
      expect(parsed).toMatchObject({ ...domain, memoryBytes: 64 * 1024 * 1024, cpuCount: 2 })
    })

    it('measures memory, CPUs and CPU time', async () => {
      const { uuid } = await define()
      const bytes = 64 * 1024 * 1024
      expect(await libvirt.call('domainInfo', { uuid }, within)).toMatchObject({
        state: 'shutoff',
        maxMemoryBytes: bytes,
        cpuCount: 2,
      })
      await libvirt.call('domainCreate', { uuid }, within)
      const info = await libvirt.call('domainInfo', { uuid }, within)
      expect(info).toMatchObject({ state: 'running', memoryBytes: bytes, cpuTimeNs: expect.any(Number) })
    })

    it('finds our mark in a definition, and null where there is none', async () => {
      const mark = { uuid: '1'.repeat(32), generation: '1.42', hash: 'h<"&' }
      const [marked, plain] = [await define(mark), await define()]
      const read = async (uuid: string) =>
        parseMark(await libvirt.call('domainGetMetadata', { uuid, uri: markNamespace }, within))
      expect(await read(marked.uuid)).toEqual(mark)
      expect(await read(plain.uuid)).toBeNull()
      expect(parseMark((await row(marked.uuid, { metadataUri: markNamespace }))?.metadata)).toEqual(mark)
      expect((await row(plain.uuid, { metadataUri: markNamespace }))?.metadata).toBeNull()
      expect(await row(marked.uuid)).not.toHaveProperty('metadata')
    })

    it('sets, replaces and removes a metadata element, which then stands in the XML', async () => {
      const { uuid } = await define()
      const set = async (generation: string) => {
        const mark = { uuid, generation, hash: 'x' }
        await libvirt.call('domainSetMetadata', { uuid, ...markMetadata(mark) }, within)
        return mark
      }
      await set('1.1')
      const mark = await set('1.2')
      expect(parseDomain(await libvirt.call('domainXml', { uuid }, within)).mark).toEqual(mark)
      await marksBoth(libvirt, mark)
    })

    it('runs many calls at once and answers each with its own result', async () => {
      const domains = await Promise.all(Array.from({ length: 30 }, () => define()))
      const xmls = await Promise.all(domains.map(({ uuid }) => libvirt.call('domainXml', { uuid }, within)))
      expect(xmls.map((xml) => parseDomain(xml).name)).toEqual(domains.map((d) => d.name))
    })

    it('no longer calls a handler that was taken off', async () => {
      const heard = gather<LifecycleEvent>()
      const off = libvirt.onLifecycle((e) => heard.add(e))
      const { uuid: first } = await define()
      await heard.until((e) => e.domainUuid === first)
      off()
      const { uuid: second } = await define()
      await event(second, 'defined', 'added')
      expect(heard.all.some((e) => e.domainUuid === second)).toBe(false)
    })

    it('lets a handler that throws silence no other', async () => {
      const heard = gather<LifecycleEvent>()
      const offs = [
        libvirt.onLifecycle(() => {
          throw new Error('a defect in a handler')
        }),
        libvirt.onLifecycle((e) => heard.add(e)),
      ]
      const { uuid } = await define()
      await heard.until((e) => e.domainUuid === uuid)
      for (const off of offs) off()
    })

    it('fails calls at once after it was closed', async () => {
      const own = open()
      await own.call('listDomains', {}, within)
      await own.close()
      await expect(own.call('listDomains', {}, within)).rejects.toMatchObject({ code: 'hypervisor-failed' })
    })
  })
}
