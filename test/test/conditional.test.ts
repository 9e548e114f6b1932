/** Writes that only apply to what their sender has seen: nothing comes between the look and the commit. */
import type { SkerryError } from '@skerry/contract'
import { createClient } from '@skerry/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'

let site: SmallSite
let client: ReturnType<typeof createClient>

beforeAll(async () => {
  site = await startSmallSite()
  client = createClient({ baseUrl: site.url, session: site.client.session! })
})
afterAll(() => site?.stop())

const settled = (calls: readonly Promise<unknown>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => 'done',
        (error: SkerryError) => error.code,
      ),
    ),
  )

async function zone(name: string): Promise<{ uuid: string; tag: string }> {
  const uuid = (await client.call('CreateZone', { name }, { wait: true })).inventory.uuid as string
  const found = await fetch(`${site.url}/v1/zones/${uuid}`, { headers: { authorization: `Bearer ${site.client.session}` } })
  return { uuid, tag: found.headers.get('etag')! }
}

it('of many that have seen the same version one is done, and the others are told', async () => {
  for (let round = 0; round < 5; round++) {
    const { uuid, tag } = await zone(`z${round}`)
    const names = Array.from({ length: 8 }, (_, n) => `z${round}-${n}`)
    const outcomes = await settled(names.map((name) => client.call('UpdateZone', { uuid, name }, { wait: true, ifMatch: tag })))
    const done = outcomes.filter((one) => one === 'done')
    expect(done).toHaveLength(1)
    for (const one of outcomes) expect(['done', 'stale-plan', 'conflict']).toContain(one)
    expect((await client.get('zone', uuid)).name).toBe(names[outcomes.indexOf('done')])
    await expect(client.call('UpdateZone', { uuid, name: 'late' }, { ifMatch: tag })).rejects.toMatchObject({
      code: 'stale-plan',
    })
  }
})

it('a deletion that was shown takes nothing along that has come since', async () => {
  for (let round = 0; round < 8; round++) {
    const { uuid } = await zone(`d${round}`)
    const { plan } = await client.call('DeleteZone', { uuid }, { dryRun: true })
    const cluster = { name: `c${round}`, zoneUuid: uuid, hypervisorType: 'KVM' as const }
    const make = () => client.call('CreateCluster', cluster, { wait: true })
    const remove = () => client.call('DeleteZone', { uuid }, { wait: true, ifPlan: plan.hash as string })
    const [made, removed] = await settled(round % 2 === 0 ? [make(), remove()] : [remove(), make()].reverse())
    // Whoever was first: never did a cluster come to be and go with a zone whose plan didn't show it.
    expect([made, removed]).not.toEqual(['done', 'done'])
    const zones = await client.query('zone', { q: [`uuid=${uuid}`] })
    const clusters = await client.query('cluster', { q: [`zoneUuid=${uuid}`] })
    expect(zones.inventories.length).toBe(removed === 'done' ? 0 : 1)
    expect(clusters.inventories.length).toBe(made === 'done' ? 1 : 0)
  }
})
