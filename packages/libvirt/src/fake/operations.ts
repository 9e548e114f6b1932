/** Each operation of the port on the fake's domains. */

import { parseDomain } from '../domain-parse.ts'
import { libvirtCodes } from '../failure-data.ts'
import type { Calls, DomainRow, Operation } from '../port.ts'
import type { FakeDomain, FakeDomains } from './domains.ts'
import { FakeFailure } from './failure.ts'
import { metadataIn } from './metadata.ts'

interface FakeWorld {
  domains: FakeDomains
  hostname: string
  guestsObeyAcpi: boolean
  now(): number
}

type Handlers = { [K in Operation]: (args: Calls[K]['args']) => Calls[K]['result'] }

const VIR_ERR_INVALID_ARG = 8
const NS_PER_MS = 1e6

function row(domain: FakeDomain, metadataUri: string | undefined): DomainRow {
  const { uuid, name, state, reason, live } = domain
  const mark = metadataUri === undefined ? {} : { metadata: metadataIn(currentXml(domain), metadataUri) }
  return { uuid, name, id: live?.id ?? null, state, reason, ...mark }
}

const currentXml = (domain: FakeDomain, inactive = false): string =>
  (inactive ? (domain.xml ?? domain.live?.xml) : (domain.live?.xml ?? domain.xml)) ?? ''

function device(domain: FakeDomain, has: boolean, name: string): void {
  if (!domain.live)
    throw new FakeFailure(libvirtCodes.operationInvalid, 'Requested operation is not valid: domain is not running')
  if (!has) throw new FakeFailure(VIR_ERR_INVALID_ARG, `invalid argument: invalid path: ${name}`)
}

function info({ domains, now }: FakeWorld): Handlers['domainInfo'] {
  return ({ uuid }) => {
    const domain = domains.get(uuid)
    const { memoryBytes, cpuCount } = parseDomain(currentXml(domain))
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
        parseDomain(currentXml(domain)).disks.some((d) => d.target === disk),
        disk,
      )
      return { readRequests: 0, readBytes: 0, writeRequests: 0, writeBytes: 0 }
    },
    domainInterfaceStats: ({ uuid, device: name }) => {
      const domain = domains.get(uuid)
      device(
        domain,
        parseDomain(currentXml(domain)).nics.some((n) => n.tap === name || n.mac === name),
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
  const { domains, hostname } = world
  return {
    hostInfo: () => ({
      hostname,
      driver: 'FAKE',
      libvirtVersion: '9.0.0',
      hypervisorVersion: '7.2.0',
      capabilitiesXml: '<capabilities/>',
    }),
    listDomains: ({ metadataUri }) => domains.all().map((domain) => row(domain, metadataUri)),
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
    domainGetMetadata: ({ uuid, uri, affect }) => metadataIn(currentXml(domains.get(uuid), affect === 'config'), uri),
    domainSetMetadata: ({ uuid, uri, prefix, xml, affect }) => {
      domains.setMetadata(domains.get(uuid), { uri, prefix, xml }, affect ?? 'current')
      return null
    },
  }
}
