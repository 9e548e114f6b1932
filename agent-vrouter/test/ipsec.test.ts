/** Tunnels over a fake host: the law of the module, what a change touches, what is said of the peer, and what goes. */
import { routerNetns } from '@skerry/contract'
import { converge } from '@skerry/reconcile'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ipsecVerbs } from '../src/commands/ipsec.ts'
import { charonDir, keyPath } from '../src/ipsec/records.ts'
import { childrenOf, connectionName, elementsOf, IPSEC_TABLE, type Spec } from '../src/ipsec/rules.ts'
import { causeIn, stateOf } from '../src/ipsec/state.ts'
import { AT, bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { ipsecSpec, newUuid, routerSpec } from './world.ts'

let site: FakeSite
let router: string
let at: Pick<Spec, 'routerUuid' | 'l3NetworkUuid'>
let keys = 0
const dir = () => charonDir(STATE, router)
const look = () => site.host.charon.at(dir()).look()
const observed = (uuid: string) => site.statusOf(uuid)?.observed
const elements = (name: string) =>
  site.host.nft.at(routerNetns(router)).elements({ family: IPSEC_TABLE.family, table: IPSEC_TABLE.name, name, kind: 'set' })
const verb = (name: string, uuid: string) =>
  ipsecVerbs({ host: site.host, stateDir: STATE, keeper: site.ipsec.keeper })
    .find((one) => one.verb === name)!
    .run({ uuid, input: {} } as never)

function put(uuid: string, change: Partial<Spec> = {}, key = 'right'): Spec {
  const spec = ipsecSpec(at, { keyUuid: `${++keys}`.padStart(32, '0'), ...change })
  site.ipsec.keys.set(uuid, { keyUuid: spec.keyUuid, key })
  site.desired.put('ipsec', uuid, spec)
  return spec
}
/** Passes, as each signal of the agent is one. */
const isNow = (uuid: string, state: string, cause: unknown = null) =>
  vi.waitFor(async () => {
    await site.pass()
    expect(observed(uuid)).toMatchObject({ status: state, cause })
  })

beforeEach(async () => {
  site = await fakeSite()
  router = newUuid()
  at = { routerUuid: router, l3NetworkUuid: newUuid() }
  site.desired.put('router', router, routerSpec(bridge))
  site.host.charons.peers.set('192.0.2.77', { key: 'right' })
})
afterEach(() => site.ipsec.keeper.stop())

describe('a tunnel', () => {
  test('converges in one round, and is only read when it is as wanted', async () => {
    await site.pass()
    const uuid = newUuid()
    put(uuid)
    const modules = site.modules as readonly (typeof site.modules)[number][]
    const { first, second } = await converge(modules.at(-1)!, site.desired, { ...AT, others: modules.slice(0, -1) })
    expect(first.map(({ op }) => op)).toEqual(['record.write', 'rule.add', 'table.make', 'charon.start', 'connection.load'])
    expect(second).toEqual([])
    await isNow(uuid, 'Connected')
    const writes = site.watchWrites()
    await site.pass()
    expect(writes.filter((op) => !op.endsWith('.look'))).toEqual([])
    expect(await elements('peers')).toEqual([{ concat: ['198.51.100.30', '192.0.2.77'] }])
    expect(await elements('outward')).toHaveLength(2)
    expect((await site.items()).filter(({ kind }) => ['charon', 'ipsec'].includes(kind))).toMatchObject([
      { kind: 'charon', id: router, owner: router, facts: { esp: 'user-space' } },
      { kind: 'ipsec', id: `${router}/198.51.100.30-192.0.2.77`, owner: uuid },
    ])
  })

  test('changes without touching another one, and asks only for a key that it has not', async () => {
    const [one, two] = [newUuid(), newUuid()]
    site.host.charons.peers.set('192.0.2.78', { key: 'right' })
    put(one)
    const spec = put(two, { peerAddress: '192.0.2.78', peerId: '192.0.2.78', peerCidrs: ['10.40.0.0/24'] })
    await isNow(one, 'Connected')
    await isNow(two, 'Connected')
    const before = (await look()).tunnels.find(({ connection }) => connection.startsWith(one))
    site.desired.put('ipsec', two, { ...spec, lifeSeconds: 600 })
    await isNow(two, 'Connected')
    const after = await look()
    expect(after.tunnels.find(({ connection }) => connection.startsWith(one))).toEqual(before)
    expect(after.connections.sort()).toEqual(
      [connectionName(one, (await specOf(one))!), connectionName(two, { ...spec, lifeSeconds: 600 })].sort(),
    )
    expect(site.ipsec.asked()).toBe(2)
    expect(await site.host.files.read(keyPath({ stateDir: STATE, router, uuid: one }))).not.toContain('right')
  })

  test('says why it is down, and is begun again until the peer is there', async () => {
    const uuid = newUuid()
    put(uuid, {}, 'wrong')
    await isNow(uuid, 'Disconnected', expect.stringMatching(/keys or the ids .*AUTHENTICATION_FAILED/))
    put(uuid)
    await isNow(uuid, 'Connected')
    site.host.charons.peers.delete('192.0.2.77')
    site.host.charons.drop('192.0.2.77', 'giving up after 4 retransmits')
    await isNow(uuid, 'Disconnected', expect.stringMatching(/^the peer does not answer/))
    site.host.charons.peers.set('192.0.2.77', { key: 'right' })
    await isNow(uuid, 'Connected')
    await verb('reconnect', uuid)
    await isNow(uuid, 'Connected')
    expect(await verb('counters', uuid)).toEqual({ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0, ikeVersion: 2 })
    await expect(verb('counters', newUuid())).rejects.toMatchObject({ code: 'illegal-state' })
  })

  test('comes back after a boot without a controller, with the key that is sealed on the disk', async () => {
    const uuid = newUuid()
    put(uuid)
    await isNow(uuid, 'Connected')
    site.host.reboot()
    await site.host.ip.at().links.add({ kind: 'bridge', name: bridge })
    site.ipsec.keys.clear()
    site.later(3_600_000)
    await isNow(uuid, 'Connected')
    expect(site.ipsec.asked()).toBe(1)
  })

  test('goes with its tombstone, and the last one takes all along', async () => {
    const [one, two] = [newUuid(), newUuid()]
    put(one)
    put(two, { peerAddress: '192.0.2.78', peerCidrs: ['10.40.0.0/24'] })
    await isNow(one, 'Connected')
    site.desired.bury('ipsec', two)
    await site.pass()
    expect((await look()).connections).toHaveLength(1)
    expect(await elements('peers')).toHaveLength(1)
    site.desired.bury('ipsec', one)
    await site.pass()
    expect(site.statusOf(one)?.condition).toBe('Gone')
    expect(await site.host.charon.running(dir())).toBeUndefined()
    expect(await site.host.nft.at(routerNetns(router)).table(IPSEC_TABLE)).toBeUndefined()
    expect(await site.host.routing.at(routerNetns(router)).list()).not.toContainEqual(
      expect.objectContaining({ priority: 1_002 }),
    )
    expect(await site.host.files.read(keyPath({ stateDir: STATE, router, uuid: one }))).toBeUndefined()
  })

  test('of a router that goes takes its charon along', async () => {
    const uuid = newUuid()
    put(uuid)
    await isNow(uuid, 'Connected')
    site.desired.bury('ipsec', uuid)
    site.desired.bury('router', router)
    await site.pass()
    expect(await site.host.charon.running(dir())).toBeUndefined()
    expect((await site.items()).filter(({ owner }) => owner === router)).toEqual([])
  })

  test('whose router is not here waits for it; one that contradicts itself is refused', async () => {
    const [one, two] = [newUuid(), newUuid()]
    put(one, { routerUuid: newUuid() })
    put(two, { peerCidrs: ['192.0.2.0/24'] })
    await site.pass()
    expect(site.statusOf(one)).toMatchObject({ condition: 'Failed', error: { code: 'not-found' } })
    expect(site.statusOf(two)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
    expect(await site.host.charon.running(dir())).toBeUndefined()
  })
})

async function specOf(uuid: string): Promise<Spec | undefined> {
  for (const entry of site.desired.entries('ipsec')) if (entry.uuid === uuid) return entry.spec as unknown as Spec
  return undefined
}

describe('what is said of a tunnel', () => {
  const spec = () => ipsecSpec(at)
  const carried = (peerCidrs: string[], installed = true) => ({
    ...{ child: 'net', installed, localCidrs: ['10.10.0.0/24'], peerCidrs },
    ...{ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 },
  })
  const seen = (peerCidrs: string[], established = true, installed = true) => ({
    cause: undefined,
    charon: {
      ...{ esp: 'kernel' as const, connections: [], keys: [] },
      tunnels: [
        {
          connection: connectionName('a', spec()),
          id: 1,
          version: 2 as const,
          established,
          carried: [carried(peerCidrs, installed)],
        },
      ],
    },
  })

  test('is Connected only when each pair of networks is carried', () => {
    const both = ['10.20.0.0/24', '10.30.0.0/24']
    expect(stateOf('a', spec(), seen(both))).toEqual({ status: 'Connected', cause: null })
    expect(stateOf('a', spec(), seen(both.slice(0, 1)))).toEqual({
      status: 'Disconnected',
      cause: expect.stringContaining('between 10.10.0.0/24 and 10.30.0.0/24'),
    })
    expect(stateOf('a', spec(), seen(both, false))).toEqual({ status: 'Connecting', cause: null })
    expect(stateOf('a', spec(), seen(both, true, false))).toEqual({ status: 'Connecting', cause: null })
    expect(stateOf('a', spec(), { ...seen(both, false), cause: 'why' })).toEqual({ status: 'Disconnected', cause: 'why' })
  })

  test.each([
    ['received AUTHENTICATION_FAILED notify error', /^the keys or the ids/],
    ["tried 2 shared keys for 'a' - 'b', but MAC mismatched", /^the keys or the ids/],
    ['received NO_PROPOSAL_CHOSEN error notify', /no proposal in common/],
    ['received TS_UNACCEPTABLE notify, no CHILD_SA built', /does not have these networks/],
    ['giving up after 4 retransmits', /^the peer does not answer/],
    ['received DELETE for IKE_SA site[1]', /^the peer has ended it/],
    ['received INTERNAL_ADDRESS_FAILURE notify error', /^received INTERNAL/],
  ])('%s', (line, says) => {
    expect(causeIn(line)).toMatch(says)
  })

  test('other lines say nothing', () => {
    for (const line of ['generating IKE_SA_INIT request 0', 'CHILD_SA net{1} established', 'sending packet: from a to b'])
      expect(causeIn(line)).toBeUndefined()
  })

  test('IKEv1 has a child for each pair, later ones have one; each element stands once', () => {
    expect(childrenOf({ ...spec(), ikeVersion: 'ikev1' }).map(({ name }) => name)).toEqual(['net-0', 'net-1'])
    expect(childrenOf({ ...spec(), ikeVersion: 'ike' })).toHaveLength(1)
    expect(elementsOf([spec(), spec()]).outward).toHaveLength(2)
  })
})
