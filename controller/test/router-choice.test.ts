/** What a VM's networks need on its host: routers for many at once, and no more than the VM itself uses. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { presentKeys } from '../src/agents/documents.ts'
import { routersFor } from '../src/workflows/vm.router.ts'
import { needsOf } from '../src/workflows/vm.state.ts'
import { ran } from './before.ts'
import { base, id, input, makeWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

const uuidOf = (n: number) => n.toString(16).padStart(8, '0').repeat(4)

/** A site with that many networks beside its own, all with services and none with a router. */
async function networks(count: number) {
  const w = await makeWorld()
  await site(w)
  const like = w.state.graph.get('l3Network', u.l3)! as Row
  const uuids = Array.from({ length: count }, (_, n) => uuidOf(n + 1))
  await w.commit({
    ops: uuids.map((k) => ({
      o: 'put' as const,
      t: 'l3Network',
      k,
      v: { ...like, ...base(k, k), routerAgentUuid: null, routerUplink: null },
    })),
  })
  return { w, uuids }
}

describe('which uplink number a router gets', () => {
  it('is not the same for networks that choose at one time, so that none of them has to choose again', async () => {
    const { w, uuids } = await networks(25)
    const chosen = uuids.map((uuid) => routersFor({ graph: w.state.graph, now: () => 0 }, [uuid], u.host))
    for (const { guards, ops } of chosen) await w.commit({ guards, ops })
    expect([...w.state.graph.by('routerUplink', 'agentUuid', u.vrouter)]).toHaveLength(25)
  })

  it('differs for the networks of one VM, also where their uuids point at the same', async () => {
    const { w, uuids } = await networks(4097)
    const same = [uuids[0]!, uuids[4096]!]
    const { guards, ops, assigned } = routersFor({ graph: w.state.graph, now: () => 0 }, same, u.host)
    await w.commit({ guards, ops })
    const numbers = assigned.map((uuid) => w.state.graph.get('l3Network', uuid)!['routerUplink'])
    expect([assigned, new Set(numbers).size]).toEqual([same, 2])
  })
})

describe('what a VM waits for before it starts', () => {
  it('is the bridge on its own host, not those on the other hosts of its cluster', async () => {
    const w = await makeWorld()
    await site(w)
    const copy = (t: string, from: string, to: string, v: Row = {}) => ({
      ...{ o: 'put' as const, t, k: to },
      v: { ...(w.state.graph.get(t, from) as Row), ...base(to, to), ...v },
    })
    const [host, kvm] = [id('host2'), id('kvm2')]
    await w.commit({ ops: [copy('host', u.host, host), copy('agent', u.kvm, kvm, { hostUuid: host })] })
    await ran(w, 'vm.create', input(u.vm, 'vmInstance', vmParams))
    const { graph } = w.state
    const home = graph.get('vmInstance', u.vm)!['hostUuid'] === host ? kvm : u.kvm
    expect(presentKeys(graph, `bridge/${u.l2}`).sort()).toEqual([`${u.kvm}/bridge/${u.l2}`, `${kvm}/bridge/${u.l2}`].sort())
    expect(
      needsOf(graph, u.vm)
        .flatMap((name) => presentKeys(graph, name))
        .filter((key) => key.includes('/bridge/')),
    ).toEqual([`${home}/bridge/${u.l2}`])
  })
})
