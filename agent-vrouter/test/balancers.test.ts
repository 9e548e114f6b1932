/** Load balancers over fakes: what is done for what, and that nothing is done twice. */
import { routerNetns } from '@skerry/contract'
import { beforeEach, describe, expect, test } from 'vitest'
import { balancerDir } from '../src/balancers/spec.ts'
import { bridge, type FakeSite, fakeSite, STATE } from './fake-site.ts'
import { balancerListener, newUuid, quickHealth, routerSpec, vipSpec } from './world.ts'

const [router, l3, vip, balancer, A, B] = Array.from({ length: 6 }, newUuid) as [string, string, string, string, string, string]
const server = (uuid: string, n: number) => ({ uuid, ip: `10.10.0.${n}`, port: 8080, weight: 100 })
const listener = (change = {}) => balancerListener({ servers: [server(A, 10)], ...change })
const dir = balancerDir(STATE, balancer)
let site: FakeSite
const running = () => site.host.balancers.get(dir)!
async function become(...listeners: ReturnType<typeof listener>[]): Promise<string[]> {
  site.desired.put('balancer', balancer, { routerUuid: router, ip: '198.51.100.20', listeners })
  const writes = site.watchWrites()
  await site.pass()
  return writes.filter((op) => op.startsWith('haproxy') || op.startsWith('nft'))
}

beforeEach(async () => {
  site = await fakeSite()
  await site.host.ip.at().links.add({ kind: 'bridge', name: 'skbrpub' })
  site.desired.put('router', router, routerSpec(bridge))
  site.desired.put('vip', vip, vipSpec({ routerUuid: router, l3NetworkUuid: l3, bridge: 'skbrpub' }, 20))
  await become(listener())
})

describe('a load balancer', () => {
  test('is started with its port open, and left alone then', async () => {
    expect(running().view.servers).toMatchObject({ [listener().uuid]: [{ name: A }] })
    expect(site.statusOf(balancer)).toMatchObject({
      condition: 'Ready',
      observed: { servers: { [listener().uuid]: { [A]: 'Unchecked' } } },
    })
    expect(await become(listener())).toEqual([])
  })

  test('gets servers, lists and certificates without a reload', async () => {
    await become(listener({ servers: [server(A, 10), server(B, 11)], deny: ['192.0.2.0/24'] }))
    expect(running().view.servers[listener().uuid]!.map(({ name }) => name)).toEqual([A, B])
    expect(running().lists.get(`deny_${listener().uuid}.lst`)).toEqual(['192.0.2.0/24'])
    await become(listener({ servers: [{ ...server(B, 11), weight: 3 }] }))
    expect(running().view.servers[listener().uuid]).toMatchObject([{ name: B, weight: 3 }])
    expect(running().reloads).toBe(0)
  })

  test('is reloaded for another listener or algorithm, and tells what checks say', async () => {
    await become(listener({ algorithm: 'leastconn' }))
    await become(listener({ algorithm: 'leastconn', health: quickHealth() }), listener({ uuid: newUuid(), port: 81 }))
    expect(running().reloads).toBe(2)
    running().view.servers[listener().uuid]![0]!.up = false
    await site.pass()
    expect(site.statusOf(balancer)?.observed).toMatchObject({ servers: { [listener().uuid]: { [A]: 'Down' } } })
  })

  test('is started again when it died, and in the namespace that its router has by then', async () => {
    site.host.processTable.kill(running().pid)
    expect(await become(listener())).toContain('haproxy.start')
    const before = running().pid
    await site.host.ip.netns.del(routerNetns(router))
    await become(listener())
    expect(running().pid).not.toBe(before)
    expect(await site.host.ip.netns.pids(routerNetns(router))).toContain(running().pid)
  })

  test('is refused where its document contradicts itself, and waits for its router', async () => {
    await become(listener(), listener({ uuid: newUuid() }))
    expect(site.statusOf(balancer)).toMatchObject({ condition: 'Refused', error: { code: 'invalid-document' } })
    expect(running().reloads).toBe(0)
    site.desired.put('balancer', balancer, { routerUuid: newUuid(), ip: '198.51.100.20', listeners: [listener()] })
    await site.pass()
    expect(site.statusOf(balancer)).toMatchObject({ condition: 'Failed', error: { code: 'not-found' } })
  })

  test('goes with its tombstone', async () => {
    site.desired.bury('balancer', balancer)
    await site.pass()
    expect([site.host.balancers.get(dir), await site.host.files.stat(dir)]).toEqual([undefined, undefined])
    expect(site.statusOf(balancer)?.condition).toBe('Gone')
  })
})
