/** A site whose log's disk fills up in the middle of its work: what must end, ends; the rest is refused until there is room. */
import type { Row } from '@skerry/contract'
import { expect } from 'vitest'
import type { SmallSite } from './small-site.ts'
import type { SmallWorld } from './small-world.ts'
import { apiNamed, newUuid, sentFor } from './zstack-client.ts'

export interface Filling {
  /** nothing can be written any more */
  fill(): Promise<void>
  /** and again it can */
  free(): Promise<void>
}

const MIB = 1024 ** 2
const WAIT = { timeout: 60_000, interval: 50 }

/** A VM instance that stands, one whose start hangs at its agent, and the deletion of the first, which hangs too. */
async function underWay({ client, machine }: SmallSite, world: SmallWorld) {
  const base = { imageUuid: world.image, l3NetworkUuids: [world.l3], cpuNum: 1, memorySize: 16 * MIB }
  const standing = await client.uuid('CreateVmInstance', { name: 'standing', ...base })
  await client.call('DestroyVmInstance', { uuid: standing })
  const go = machine.libvirt.hang('domainCreate')
  const starting = newUuid()
  await client.send(sentFor(apiNamed('CreateVmInstance'), { name: 'starting', ...base }), client.headers(starting))
  await expect.poll(() => machine.libvirt.calls.filter(({ op }) => op === 'domainCreate').length, WAIT).toBeGreaterThan(1)
  const deleting = newUuid()
  await client.send(sentFor(apiNamed('ExpungeVmInstance'), { uuid: standing }), client.headers(deleting))
  return { standing, starting, deleting, go }
}

const refusals = {
  own: async ({ url, client }: SmallSite) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${client.session}` }
    const body = JSON.stringify({ params: { name: 'refused' } })
    const answer = await fetch(`${url}/v1/zones?wait=5s`, { method: 'POST', headers, body })
    return { status: answer.status, type: answer.headers.get('content-type'), body: (await answer.json()) as Row }
  },
  zstack: async ({ client }: SmallSite) => (await client.exchange('CreateZone', { name: 'refused' })).last,
}

export async function fullDisk(site: SmallSite, world: SmallWorld, { fill, free }: Filling): Promise<void> {
  const { client, machine, store } = site
  const { graph } = site.controller.state
  const { standing, starting, deleting, go } = await underWay(site, world)
  await fill()
  // Ours says it with its status; ZStack's clients get the failed job that they know.
  await expect.poll(async () => (await refusals.own(site)).status, WAIT).toBe(507)
  const zones = graph.count('zone')
  expect(await refusals.own(site)).toMatchObject({ type: expect.stringContaining('problem+json'), body: { code: 'disk-full' } })
  const { status, body } = await refusals.zstack(site)
  expect([status, (body!['error'] as Row)['code']]).toEqual([503, 'SYS.1016'])
  expect((await client.call('QueryZone'))['inventories'], 'reads go on').toHaveLength(zones)
  expect((await fetch(`${site.url}/readyz`)).status).toBe(503)
  await client.login()

  machine.libvirt.failOn('domainCreate', undefined, { times: 1 })
  go()
  const failed = await client.poll(starting, { ms: 60_000 })
  expect(failed.status, 'it was undone').toBe(503)
  expect((await client.poll(deleting, { ms: 60_000 })).status, 'the deletion was ended').toBe(200)
  await site.settled()
  expect(graph.count('vmInstance')).toBe(0)
  expect(graph.get('vmInstance', standing)).toBeUndefined()
  expect(site.contradictions()).toEqual([])
  await store.snapshot()

  await free()
  await expect.poll(async () => (await refusals.own(site)).status, WAIT).toBe(201)
  expect(store.status().writable).toBe(true)
}
