/** What a document says may depend on rows of others: whatever changes, no document lags behind the graph. */
import type { Op, Row } from '@skerry/contract'
import { expect, it } from 'vitest'
import { checkHostname, hostnameOf } from '../src/desired/host-names.ts'
import { seeded } from './store-world.ts'
import { base, GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

async function world(): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w)
  await w.commit({ ops: [{ o: 'set', t: 'l3Network', k: u.l3, v: { routerAgentUuid: u.vrouter } }] })
  return w
}

function vm(n: number, name: string, createDate = n): Op[] {
  const k = id(`vm${n}`)
  const machine: Row = { ...base(k, name), createDate, state: 'Stopped', power: 'Stopped', hostUuid: null, lastHostUuid: null }
  const nic: Row = {
    ...base(id(`nic${n}`), 'nic'),
    vmInstanceUuid: k,
    l3NetworkUuid: u.l3,
    ip: `10.0.0.${n + 2}`,
    mac: `fa:00:00:00:00:${n.toString(16).padStart(2, '0')}`,
  }
  return [
    { o: 'put', t: 'vmInstance', k, v: { ...machine, cpuNum: 1, memorySize: GIB, placementEpoch: 1 } },
    { o: 'put', t: 'vmNic', k: id(`nic${n}`), v: nic },
  ]
}
const gone = (n: number): Op[] => [
  { o: 'del', t: 'vmNic', k: id(`nic${n}`) },
  { o: 'del', t: 'vmInstance', k: id(`vm${n}`) },
]
/** A host name that a tag gives a VM. */
const said = (n: number, name: string): Op => {
  const of = { resourceUuid: id(`vm${n}`), resourceType: 'VmInstanceVO', type: 'System' }
  return {
    o: 'put',
    t: 'tag',
    k: id(`tag${n}`),
    v: { ...base(id(`tag${n}`), 'tag'), ...of, createDate: n, tag: `hostname::${name}` },
  }
}
const names = (w: TestWorld) =>
  [...w.state.graph.rows('vmNic')].map(([, nic]) => hostnameOf(w.state.graph, nic)).sort((a, b) => (a! < b! ? -1 : 1))
const hashOf = (w: TestWorld, n: number) => w.state.graph.get('desired', `${u.vrouter}/lease/${id(`nic${n}`)}`)?.['hash']

it('a VM whose older namesake goes gets the name, and its document says so', async () => {
  const w = await world()
  await w.commit({ ops: [...vm(1, 'web'), ...vm(2, 'web'), ...vm(3, 'web')] })
  const [second, third] = [hashOf(w, 2), hashOf(w, 3)]
  await w.commit({ ops: gone(1) })
  expect(hashOf(w, 2)).not.toBe(second)
  expect(hashOf(w, 3)).toBe(third)
  expect(await w.state.reprojectAll()).toBe(0)
})

it('after any history of VMs that share names, bringing documents in line changes nothing', async () => {
  const w = await world()
  const random = seeded(11)
  const pick = (limit: number) => Math.floor(random() * limit)
  for (let n = 0; n < 400; n++) {
    const which = pick(12)
    const there = w.state.graph.get('vmInstance', id(`vm${which}`))
    const name = ['web', 'db', 'Web'][pick(3)]!
    if (!there) await w.commit({ ops: vm(which, name, pick(4)) })
    else if (random() < 0.3) await w.commit({ ops: [said(which, ['web', 'DB', 'db.example'][pick(3)]!)] })
    else if (random() < 0.25 && w.state.graph.get('tag', id(`tag${which}`)))
      await w.commit({ ops: [{ o: 'del', t: 'tag', k: id(`tag${which}`) }] })
    else if (random() < 0.5) await w.commit({ ops: gone(which) })
    else await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: id(`vm${which}`), v: { name } }] })
    expect(await w.state.reprojectAll(), `after change ${n}`).toBe(0)
    expect(new Set(names(w)).size, `names after change ${n}`).toBe(names(w).length)
  }
})

it('in a network no two VMs have one label, whatever the case; a tag goes before a name, then the older VM', async () => {
  const w = await world()
  const head = (n: number) => id(`vm${n}`).slice(0, 8)
  await w.commit({ ops: [...vm(1, 'Web'), ...vm(2, 'web'), ...vm(3, 'db')] })
  expect(names(w)).toEqual(['db', 'web', `web-${head(2)}`])
  await w.commit({ ops: [said(3, 'WEB.example')] })
  expect(names(w)).toEqual([...new Set(['web', `web-${head(1)}`, `web-${head(2)}`])].sort())
  await w.commit({ ops: [{ o: 'del', t: 'tag', k: id('tag3') }] })
  expect(names(w)).toEqual(['db', 'web', `web-${head(2)}`])
})

it('host names are compared within a network only, and refused there where two tags say one', async () => {
  const w = await world()
  await w.commit({ ops: [...vm(1, 'a'), ...vm(2, 'b'), said(1, 'shop')] })
  const { graph } = w.state
  expect(() => checkHostname(graph, { tag: 'hostname::SHOP.x', l3Uuids: [u.l3] })).toThrow(
    /another VM instance in the same network has the host name shop/,
  )
  expect(() => checkHostname(graph, { tag: 'hostname::shop', l3Uuids: [id('elsewhere')] })).not.toThrow()
  expect(() => checkHostname(graph, { tag: 'hostname::shop', l3Uuids: [u.l3], vmUuid: id('vm1') })).not.toThrow()
  expect(() => checkHostname(graph, { tag: 'hostname::b', l3Uuids: [u.l3] })).not.toThrow()
})
