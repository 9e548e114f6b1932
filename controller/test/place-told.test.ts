/** Who may not see hosts is told why there is no place, and nothing of the hosts. */
import { toErrorBody } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { ControllerEngine } from '../src/engine/engine.ts'
import { hostFilters, inTheWay } from '../src/place/filters.ts'
import { placeVm } from '../src/place/host.ts'
import { needPool } from '../src/place/pool.ts'
import { withoutHosts } from '../src/place/told.ts'
import { call, ready } from './engine-calls.ts'
import { base, GIB, id, type TestWorld, u, vmParams } from './world.ts'

const TENANT = id('tenant')
const as = { caller: { accountUuid: TENANT, sessionUuid: id('session'), admin: false } }
const secrets = ['rack-7', 'pool-7', u.host, u.ps, u.cluster, u.zone]
const hidden = (told: unknown) => expect(secrets.filter((secret) => JSON.stringify(told).includes(secret))).toEqual([])
const create = (name: string, more = {}) => call('CreateVmInstance', { ...vmParams, name }, more)

/** A site with a tenant that owns what a VM is made of. */
async function rented(options: { cpu?: number } = {}): Promise<{ w: TestWorld; engine: ControllerEngine }> {
  const { w, engine } = await ready(options)
  const own = (t: string, k: string) => ({ o: 'set' as const, t, k, v: { ownerUuid: TENANT } })
  await w.commit({
    ops: [
      { o: 'put', t: 'account', k: TENANT, v: { ...base(TENANT, 'tenant'), type: 'Normal', passwordHash: '' } },
      { o: 'set', t: 'host', k: u.host, v: { name: 'rack-7' } },
      { o: 'set', t: 'primaryStorage', k: u.ps, v: { name: 'pool-7' } },
      ...[own('instanceOffering', u.offering), own('image', u.image), own('l3Network', u.l3)],
    ],
  })
  return { w, engine }
}

describe('a call that finds no host', () => {
  it('is refused with the reasons alone, and with names for administrators; so is its plan', async () => {
    const { engine } = await rented({ cpu: 0 })
    for (const refused of [engine.accept(create('no', as)), engine.plan(create('no', as))]) {
      const body = toErrorBody(await refused.catch((error) => error))
      expect(body).toMatchObject({ code: 'no-host', message: expect.stringContaining('each has too few free CPUs') })
      hidden(body)
    }
    const told = toErrorBody(await engine.accept(create('no')).catch((error) => error))
    expect(told).toMatchObject({ code: 'no-host', message: expect.stringContaining('rack-7: 1 CPUs are needed, 0 are free') })
  })

  it('fails so as a job too, also for whoever else asks for that job', async () => {
    const { w, engine } = await rented({ cpu: 1 })
    const jobs = await Promise.all(['a', 'b'].map((name) => engine.accept(create(name, as))))
    const ends = await Promise.all(jobs.map(({ uuid }) => engine.wait(uuid, 20_000)))
    const [failed, ...others] = ends.filter((job) => job?.state === 'failed')
    expect([failed?.error?.code, others]).toEqual(['no-host', []])
    hidden([failed, w.state.graph.get('job', failed!.uuid)?.['error']])
    expect(failed?.error?.details).toEqual({ reasons: [inTheWay['host-capacity']] })
  })
})

describe('what is told', () => {
  it('names nothing, whatever is in the way', async () => {
    const { w } = await rented()
    const request = { cpuNum: 1, memoryBytes: GIB, diskBytes: GIB, l3NetworkUuids: [u.l3], imageZones: [u.zone] }
    const why = (more: object) => {
      try {
        return { ...placeVm(w.state.graph, { ...request, ...more }), code: 'placed' }
      } catch (error) {
        return withoutHosts(toErrorBody(error))
      }
    }
    const told = [
      { diskBytes: 900 * GIB },
      { volumeHostUuid: u.host, hostUuid: u.host, avoidHostUuids: [u.host] },
      { boundTo: [id('elsewhere')] },
      { imageZones: [] },
      { zoneUuid: id('elsewhere') },
    ].map(why)
    expect(told.map(({ code }) => code)).toEqual(['no-host', 'no-host', 'no-host', 'no-host', 'no-host'])
    expect(new Set(told.map((body) => JSON.stringify(body))).size).toBe(5)
    hidden(told)
    expect(hostFilters.every(({ name }) => name in inTheWay)).toBe(true)
  })

  it('names nothing of primary storage either, nor in a cause', async () => {
    const { w } = await rented()
    const host = w.state.graph.get('host', u.host)!
    try {
      needPool(w.state.graph, { host, diskBytes: 900 * GIB })
      expect.unreachable()
    } catch (error) {
      const body = toErrorBody(error)
      expect(JSON.stringify(body)).toContain('pool-7')
      hidden(withoutHosts({ code: 'internal', message: 'm', retry: 'bug', cause: body }))
    }
  })
})
