/** Cases of want/have/changes: `src/<noun>/cases/*.json`. The file's name says what must hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { type ErrorBody, routerPort, routerUplink, vrouterDesired } from '@skerry/contract'
import { describe, expect, test } from 'vitest'
import type { LeaseHave, PlacedLine } from '../src/leases/have.ts'
import { dhcpName } from '../src/leases/hosts-file.ts'
import * as leases from '../src/leases/plan.ts'
import { problemsOf } from '../src/leases/problems.ts'
import { prefixLength } from '../src/routers/cidr.ts'
import type { End, HostView, RouterHave } from '../src/routers/have.ts'
import { addressesOf, lansOf, sourcesOf } from '../src/routers/lans.ts'
import { faultOf, planRouters, report as reportRouter } from '../src/routers/plan.ts'
import { confDigest, confOf, routerDir } from '../src/routers/service.ts'
import { routerSpec } from './world.ts'

const STATE = '/var/lib/skerry/agent-vrouter'
const generation = { incarnation: 1, seq: 1 }

interface Case<Spec, Have> {
  /** Router specs are given as what differs from `routerSpec()` of test/world.ts. */
  want: { uuid: string; spec: Partial<Spec> }[]
  have: Have[]
  buried?: string[]
  buriedRouters?: string[]
  /** Leases: the routers of this agent. */
  routers?: string[]
  /** Routers: what differs from a host on which all is well. */
  host?: Partial<HostView>
  changes: unknown[]
  reports?: Record<string, { condition: string; code?: string }>
}

function load<Spec, Have>(noun: string): [string, Case<Spec, Have>][] {
  const folder = new URL(`../src/${noun}/cases/`, import.meta.url)
  return readdirSync(folder).map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(new URL(file, folder), 'utf8'))])
}
const tombstones = (uuids: readonly string[] = []) => uuids.map((uuid) => ({ uuid, generation, spec: undefined, facts: {} }))

/** A router that is exactly as its document says. */
function asWanted(uuid: string, spec: vrouterDesired.RouterSpec, host: HostView): RouterHave {
  const end = (addresses: string[]): End => ({
    up: true,
    mtu: spec.mtu ?? 1500,
    alias: `skerry:${uuid}`,
    master: null,
    addresses,
  })
  const { uplink } = spec
  const lans = spec.networks ? lansOf(uuid, spec) : []
  const conf = confOf(spec, routerDir(STATE, uuid), host.nameServers)
  return {
    uuid,
    netns: true,
    unseen: null,
    port: spec.networks ? null : { ...end([]), master: spec.bridge },
    ports: Object.fromEntries(lans.map((lan) => [lan.port, { ...end([]), mtu: lan.mtu ?? 1500, master: lan.bridge }])),
    uplink: uplink ? end([`${uplink.hostIp}/${uplink.prefixLen}`]) : null,
    inside: {
      loUp: true,
      lan: spec.networks
        ? null
        : end([...spec.cidrs, ...(spec.v6 ?? [])].map(({ cidr, gateway }) => `${gateway}/${prefixLength(cidr)}`)),
      lans: Object.fromEntries(lans.map((lan) => [lan.name, { ...end(addressesOf(lan)), mtu: lan.mtu ?? 1500 }])),
      up: uplink ? end([`${uplink.routerIp}/${uplink.prefixLen}`]) : null,
      defaultVia: uplink?.hostIp ?? null,
      forwarding: true,
      forwarding6: spec.v6 !== undefined,
      rpFilter: '1',
      rules: 'ok',
      sources: sourcesOf(lansOf(uuid, spec)),
    },
    folder: true,
    vips: false,
    service: { pid: 700, strays: [], conf, hosts: 'h', served: { conf: confDigest(conf), hosts: 'h' }, staleLeases: [] },
    host,
  }
}

/** Nothing of it is there. */
function absent(uuid: string, host: HostView): RouterHave {
  const service = { pid: null, strays: [], conf: null, hosts: 'h', served: { conf: '', hosts: '' }, staleLeases: [] }
  return { uuid, netns: false, unseen: null, inside: null, port: null, uplink: null, folder: false, vips: false, service, host }
}

const merge = (base: unknown, patch: unknown): unknown => {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch) || base === null || typeof base !== 'object')
    return patch
  const merged: Record<string, unknown> = { ...(base as Record<string, unknown>) }
  for (const [key, value] of Object.entries(patch)) merged[key] = merge(merged[key], value)
  return merged
}

/** `except`: what differs from a router as wanted, or as `was`; `"absent"`: nothing is there. */
type GivenRouter = { uuid: string; was?: Partial<vrouterDesired.RouterSpec>; except?: 'absent' | Record<string, unknown> }

describe('routers', () => {
  test.each(load<vrouterDesired.RouterSpec, GivenRouter>('routers'))('%s', (_name, given) => {
    const want = given.want.map(({ uuid, spec }) => ({
      uuid,
      generation,
      facts: {},
      spec: vrouterDesired.router.spec.parse(routerSpec('skbr0', spec)),
    }))
    const specOf = (h: GivenRouter) =>
      h.was ? routerSpec('skbr0', h.was) : (want.find((w) => w.uuid === h.uuid)?.spec ?? routerSpec('skbr0'))
    const uplinks = given.have
      .filter((h) => h.except !== 'absent')
      .flatMap((h) => {
        const { uplink } = specOf(h)
        return uplink ? [{ ifname: routerUplink(h.uuid), ip: uplink.routerIp }] : []
      })
    const host: HostView = {
      forwarding: '1',
      forwardDrop: false,
      rules: 'ok',
      uplinks,
      bridges: ['skbr0', 'skbr1'],
      nameServers: ['192.0.2.53'],
      ...given.host,
    }
    const have = given.have.map((h) =>
      h.except === 'absent' ? absent(h.uuid, host) : (merge(asWanted(h.uuid, specOf(h), host), h.except ?? {}) as RouterHave),
    )
    const buried = new Map(tombstones(given.buried).map((t) => [t.uuid, t]))
    const changes = planRouters(STATE)(want, have, { buried }).map((change) => {
      const spec = want.find((w) => w.uuid === change.uuid)?.spec
      const wanted = spec && confOf(spec, routerDir(STATE, change.uuid), host.nameServers)
      return change.op === 'service.write' && change.conf === wanted ? { ...change, conf: 'as wanted' } : change
    })
    expect(changes).toEqual(given.changes)
    for (const [uuid, expected] of Object.entries(given.reports ?? {})) {
      const { condition, error } = reportRouter(
        want.find((w) => w.uuid === uuid),
        have.find((h) => h.uuid === uuid),
      )
      expect({ condition, code: error?.code }).toEqual({ code: undefined, ...expected })
    }
  })

  test('that are as wanted plan nothing, whatever they are', () => {
    const host: HostView = { forwarding: '1', forwardDrop: true, rules: 'ok', uplinks: [], bridges: ['skbr0'], nameServers: [] }
    const six = { v6: [{ cidr: 'fd00:10::/64', gateway: 'fd00:10::1', mode: 'SLAAC' as const }], dns6: ['fd00:9::9'] }
    for (const change of [{}, six, { mtu: 1400 }, { uplink: null }, { services: { dhcp: false, dns: true, snat: false } }]) {
      const spec = routerSpec('skbr0', change)
      const want = [{ uuid: 'a'.repeat(32), generation, facts: {}, spec }]
      const uplinks = spec.uplink ? [{ ifname: routerUplink('a'.repeat(32)), ip: spec.uplink.routerIp }] : []
      expect(planRouters(STATE)(want, [asWanted('a'.repeat(32), spec, { ...host, uplinks })], { buried: new Map() })).toEqual([])
    }
  })

  test('an interface of this name with another mark is a fault', () => {
    const uuid = 'a'.repeat(32)
    const host: HostView = { forwarding: '1', forwardDrop: false, rules: 'ok', uplinks: [], bridges: [], nameServers: [] }
    const have = merge(absent(uuid, host), {
      port: { up: true, mtu: 1500, alias: 'mine', master: null, addresses: [] },
    }) as RouterHave
    const fault = faultOf({ uuid, generation, facts: {}, spec: routerSpec('skbr0') }, have)
    expect(fault).toMatchObject({ code: 'in-use', details: { interface: routerPort(uuid) } } satisfies Partial<ErrorBody>)
  })
})

/** A line, by the spec that it was made from. */
type GivenLine = vrouterDesired.LeaseSpec & { uuid: string; leased?: boolean }

describe('leases', () => {
  test.each(load<vrouterDesired.LeaseSpec, GivenLine>('leases'))('%s', (_name, given) => {
    const want = given.want.map(({ uuid, spec }) => ({
      uuid,
      generation,
      facts: {},
      spec: vrouterDesired.lease.spec.parse(spec),
    }))
    const v6 = [{ cidr: 'fd00:10::/64', gateway: 'fd00:10::1', mode: 'Stateful-DHCP' as const }]
    const spec = routerSpec('skbr0', { v6 })
    const routers = (given.routers ?? []).map((uuid) => ({ uuid, generation, facts: {}, spec }))
    const lines = given.have.map(
      ({ uuid, routerUuid, mac, ip, hostname }): PlacedLine => ({
        uuid,
        router: routerUuid,
        mac,
        ip,
        dhcpName: dhcpName(hostname),
        dnsName: hostname,
      }),
    )
    const buried = tombstones(given.buried)
    const context = {
      wantedOf: (noun: string) => (noun === 'lease' ? want : routers),
      buriedOf: (noun: string) => (noun === 'lease' ? buried : tombstones(given.buriedRouters)),
      buried: new Map(buried.map((t) => [t.uuid, t])),
    }
    const problems = problemsOf(context, lines)
    const uuids = [...new Set([...want, ...given.have].map((x) => x.uuid))]
    const have = uuids.map(
      (uuid): LeaseHave => ({
        uuid,
        lines: lines.filter((l) => l.uuid === uuid),
        leased: false,
        expiresAt: null,
        problem: problems.get(uuid) ?? null,
      }),
    )
    expect(leases.plan(want, have, context)).toEqual(given.changes)
    for (const [uuid, expected] of Object.entries(given.reports ?? {})) {
      const { condition, error } = leases.report(
        want.find((w) => w.uuid === uuid),
        have.find((h) => h.uuid === uuid),
      )
      expect({ condition, code: error?.code }).toEqual({ code: undefined, ...expected })
    }
  })
})
