/** Each operation of the port on the fake's domains. */

import { domainIn } from '../domain-parse.ts'
import { libvirtCodes } from '../failure-data.ts'
import type { Calls, DomainRow, Operation } from '../port.ts'
import type { FakeBlocks } from './blocks.ts'
import type { FakeDevices } from './devices.ts'
import type { FakeDomain, FakeDomains } from './domains.ts'
import { FakeFailure } from './failure.ts'
import { metadataIn } from './metadata.ts'

interface FakeWorld {
  domains: FakeDomains
  devices: FakeDevices
  blocks: FakeBlocks
  hostname: string
  guestsObeyAcpi: boolean
  now(): number
}

type Handlers = { [K in Operation]: (args: Calls[K]['args']) => Calls[K]['result'] }

const VIR_ERR_INVALID_ARG = 8
const NS_PER_MS = 1e6

/** What a domain's XML says for a namespace; asked for at every look, for every domain. */
const marks = new WeakMap<FakeDomain, { xml: string; uri: string; metadata: string | null }>()

function metadataOf(domains: FakeDomains, domain: FakeDomain, uri: string): string | null {
  const xml = currentXml(domain)
  const known = marks.get(domain)
  if (known?.xml === xml && known.uri === uri) return known.metadata
  const metadata = metadataIn(domains.readings.of(xml), uri)
  marks.set(domain, { xml, uri, metadata })
  return metadata
}

function row({ domains }: FakeWorld, domain: FakeDomain, metadataUri: string | undefined): DomainRow {
  const { uuid, name, state, reason, live } = domain
  const mark = metadataUri === undefined ? {} : { metadata: metadataOf(domains, domain, metadataUri) }
  return { uuid, name, id: live?.id ?? null, state, reason, persistent: domain.xml !== null, ...mark }
}

export const currentXml = (domain: FakeDomain, inactive = false): string =>
  (inactive ? (domain.xml ?? domain.live?.xml) : (domain.live?.xml ?? domain.xml)) ?? ''

function device(domain: FakeDomain, has: boolean, name: string): void {
  if (!domain.live)
    throw new FakeFailure(libvirtCodes.operationInvalid, 'Requested operation is not valid: domain is not running')
  if (!has) throw new FakeFailure(VIR_ERR_INVALID_ARG, `invalid argument: invalid path: ${name}`)
}

function info({ domains, now }: FakeWorld): Handlers['domainInfo'] {
  return ({ uuid }) => {
    const domain = domains.get(uuid)
    const { memoryBytes, cpuCount } = domainIn(domains.readings.of(currentXml(domain)))
    const cpuTimeNs = domain.live ? (now() - domain.live.startedAt) * NS_PER_MS : 0
    return { state: domain.state, maxMemoryBytes: memoryBytes, memoryBytes, cpuCount, cpuTimeNs }
  }
}

function stats({ domains }: FakeWorld): Pick<Handlers, 'domainBlockStats' | 'domainInterfaceStats'> {
  return {
    domainBlockStats: ({ uuid, disk }) => {
      const domain = domains.get(uuid)
      device(
        domain,
        domainIn(domains.readings.of(currentXml(domain))).disks.some((d) => d.target === disk),
        disk,
      )
      return { readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0 }
    },
    domainInterfaceStats: ({ uuid, device: name }) => {
      const domain = domains.get(uuid)
      device(
        domain,
        domainIn(domains.readings.of(currentXml(domain))).nics.some((n) => n.tap === name || n.mac === name),
        name,
      )
      return { rxBytes: 0, rxPackets: 0, rxErrors: 0, rxDrops: 0, txBytes: 0, txPackets: 0, txErrors: 0, txDrops: 0 }
    },
  }
}

function power({ domains, guestsObeyAcpi }: FakeWorld) {
  const active = (uuid: string): FakeDomain => {
    const domain = domains.get(uuid)
    domains.needActive(domain)
    return domain
  }
  return {
    domainCreate: ({ uuid, paused }) => ({ id: domains.create(domains.get(uuid), paused ?? false) }),
    domainShutdown: ({ uuid }) => {
      const domain = active(uuid)
      if (guestsObeyAcpi) domains.stop(domain, 'shutdown')
      return null
    },
    domainDestroy: ({ uuid }) => {
      domains.stop(domains.get(uuid), 'destroyed')
      return null
    },
    // A reboot and a reset leave the domain running: only an event shows them.
    domainReboot: ({ uuid }) => {
      const domain = active(uuid)
      if (guestsObeyAcpi) domains.reset(domain)
      return null
    },
    domainReset: ({ uuid }) => {
      domains.reset(active(uuid))
      return null
    },
    domainSuspend: ({ uuid }) => {
      domains.suspend(domains.get(uuid))
      return null
    },
    domainResume: ({ uuid }) => {
      domains.resume(domains.get(uuid))
      return null
    },
  } satisfies Partial<Handlers>
}

export function fakeOperations(world: FakeWorld): Handlers {
  const { domains, devices, blocks, hostname } = world
  return {
    hostInfo: () => ({
      hostname,
      driver: 'FAKE',
      libvirtVersion: '9.0.0',
      hypervisorVersion: '7.2.0',
      capabilitiesXml: '<capabilities/>',
    }),
    listDomains: ({ metadataUri, only }) => {
      const [uuids, names] = [new Set(only?.uuids), new Set(only?.names)]
      const asked = domains.all().filter(({ uuid, name }) => !only || uuids.has(uuid) || names.has(name))
      return asked.map((domain) => row(world, domain, metadataUri))
    },
    domainXml: ({ uuid, inactive }) => currentXml(domains.get(uuid), inactive),
    domainDefineXml: ({ xml }) => {
      const { uuid, name } = domains.define(xml)
      return { uuid, name }
    },
    domainUndefine: ({ uuid }) => {
      domains.undefine(domains.get(uuid))
      return null
    },
    domainGetState: ({ uuid }) => {
      const { state, reason } = domains.get(uuid)
      return { state, reason }
    },
    domainInfo: info(world),
    ...stats(world),
    ...power(world),
    domainAttachDevice: ({ uuid, xml, affect }) => {
      devices.attach(domains.get(uuid), xml, affect)
      return null
    },
    domainDetachDevice: ({ uuid, xml, affect }) => {
      devices.detach(domains.get(uuid), xml, affect)
      return null
    },
    domainChangeMedia: ({ uuid, xml, affect }) => {
      devices.changeMedia(domains.get(uuid), xml, affect)
      return null
    },
    ...blocks.handlers(),
    domainGetMetadata: ({ uuid, uri, affect }) =>
      metadataIn(domains.readings.of(currentXml(domains.get(uuid), affect === 'config')), uri),
    domainSetMetadata: ({ uuid, uri, prefix, xml, affect }) => {
      domains.setMetadata(domains.get(uuid), { uri, prefix, xml }, affect ?? 'current')
      return null
    },
  }
}
