/** Placement says why it refuses; addresses are found until there are none. */
import type { SkerryError } from '@skerry/contract'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chooseAddress,
  freeAddresses,
  ipToLong,
  longToIp,
  maskToPrefix,
  networkOf,
  prefixToMask,
  usedIpKey,
} from '../src/place/address.ts'
import { type PlaceRequest, placeVm } from '../src/place/host.ts'
import { rangeOf } from '../src/workflows/ip-range.add.ts'
import { GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const request: PlaceRequest = { cpuNum: 1, memoryBytes: GIB, diskBytes: GIB, l3NetworkUuids: [u.l3], imageZones: [u.zone] }

describe('placement', () => {
  it('gives the host with the fewest VMs and its roomiest storage', async () => {
    const w = await makeWorld()
    await site(w)
    expect(placeVm(w.state.graph, request)).toEqual({
      hostUuid: u.host,
      clusterUuid: u.cluster,
      zoneUuid: u.zone,
      primaryStorageUuid: u.ps,
    })
  })

  const set = (t: string, k: string, v: object) => (w: TestWorld) =>
    w.commit({ ops: [{ o: 'set', t, k, v: v as Record<string, unknown> }] })
  it.each<[string, (w: TestWorld) => Promise<void>, Partial<PlaceRequest>, string]>([
    ['a disabled host', set('host', u.host, { state: 'Disabled' }), {}, 'it is Disabled'],
    ['a host out of reach', set('host', u.host, { status: 'Disconnected' }), {}, 'it is Disconnected'],
    ['a disabled cluster', set('cluster', u.cluster, { state: 'Disabled' }), {}, 'its cluster is disabled'],
    ['a disabled zone', set('zone', u.zone, { state: 'Disabled' }), {}, 'its zone is disabled'],
    [
      'a network that does not reach it',
      set('l2Network', u.l2, { attachedClusterUuids: [] }),
      {},
      'network l3 does not reach its cluster',
    ],
    ['an image of another zone', async () => undefined, { imageZones: [] }, 'no backup storage of its zone holds the image'],
    ['too many CPUs', async () => undefined, { cpuNum: 41 }, '41 CPUs are needed, 40 are free'],
    ['the memory that is kept for the host', async () => undefined, { memoryBytes: 15.5 * GIB }, '1 GiB is kept for the host'],
    ['too large a disk', async () => undefined, { diskBytes: 90 * GIB }, 'bytes are needed on primary storage ps'],
    ['a disabled storage', set('primaryStorage', u.ps, { state: 'Disabled' }), {}, 'primary storage ps is Disabled'],
    ['another zone asked for', async () => undefined, { zoneUuid: id('other') }, 'there is no host here'],
  ])('refuses %s and says so', async (_, change, more, because) => {
    const w = await makeWorld()
    await site(w)
    await change(w)
    const refusal = (() => {
      try {
        placeVm(w.state.graph, { ...request, ...more })
      } catch (error) {
        return error as SkerryError
      }
      throw new Error('it was placed')
    })()
    expect(refusal).toMatchObject({ code: 'no-host' })
    expect(refusal.message).toContain(because)
  })
})

const ip = fc.integer({ min: 0, max: 2 ** 32 - 1 })

describe('addresses', () => {
  it('are the same as numbers and as text', () => {
    fc.assert(fc.property(ip, (n) => ipToLong(longToIp(n)) === n))
    fc.assert(fc.property(fc.integer({ min: 0, max: 32 }), (p) => maskToPrefix(prefixToMask(p)) === p))
    fc.assert(fc.property(ip, fc.integer({ min: 0, max: 32 }), (n, p) => ipToLong(networkOf(longToIp(n), p)) <= n))
    expect(maskToPrefix('255.0.255.0')).toBeUndefined()
  })

  it('are given until none is left, each once, from wherever the search begins', async () => {
    const w = await makeWorld()
    await site(w, { lastAddresses: 5 })
    const given = new Set<string>()
    for (let i = 0; i < 5; i++) {
      const found = chooseAddress(w.state.graph, u.l3, () => (i * 0.37) % 1)!
      given.add(found.ip)
      await w.commit({
        ops: [
          {
            o: 'put',
            t: 'usedIp',
            k: usedIpKey(u.l3, found.ip),
            v: { uuid: id(found.ip), l3NetworkUuid: u.l3, ipRangeUuid: u.range, ip: found.ip, vmNicUuid: null },
          },
        ],
      })
    }
    expect(given.size).toBe(5)
    expect(chooseAddress(w.state.graph, u.l3, () => 0.9)).toBeUndefined()
    expect([...freeAddresses(w.state.graph, w.state.graph.get('ipRange', u.range)!)]).toEqual([])
  })

  it('of a CIDR leave out network, broadcast and gateway', () => {
    fc.assert(
      fc.property(ip, fc.integer({ min: 8, max: 29 }), (n, prefixLen) => {
        const range = rangeOf({ networkCidr: `${longToIp(n)}/${prefixLen}` })
        const first = ipToLong(networkOf(longToIp(n), prefixLen))
        expect(ipToLong(range.startIp)).toBe(first + 2)
        expect(ipToLong(range.endIp)).toBe(first + 2 ** (32 - prefixLen) - 2)
        expect(ipToLong(range.gateway)).toBe(first + 1)
      }),
    )
  })
})
