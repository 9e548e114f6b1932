/** What hosts hold beyond what the graph wants: found, kept from being given away, adopted exactly, removed whole. */
import type { Row } from '@skerry/contract'
import { createRunner, graphInventory, memoryJournal } from '@skerry/workflow'
import { beforeEach, describe, expect, it } from 'vitest'
import { compareAddresses, compareCounters } from '../src/audit/compare.ts'
import type { Held } from '../src/orphans/find.ts'
import { freeAddresses } from '../src/place/address.ts'
import { actions } from '../src/workflows/index.ts'
import type { Input } from '../src/workflows/world.ts'
import { AGENTS, forgetVm, heldOf, orphanedVm, tell } from './orphan-world.ts'
import { GIB, input, makeWorld, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

let w: TestWorld

async function run(name: string, given: Input): Promise<Row> {
  const { workflow } = actions.get(name)!
  const journal = memoryJournal((change) => w.commit(change))
  const job = `${name}-${Math.random()}`
  journal.accept(job, workflow, given)
  const ports = {
    workflows: new Map([[name, workflow]]),
    world: w.world,
    journal,
    clock: { now: () => 0 },
    sleep: async () => undefined,
  }
  await createRunner(ports).run(job)
  await w.agents.settle()
  return journal.load(job) as unknown as Row
}
const check = (name: string, uuid: string) =>
  actions.get(name)!.check!({ graph: w.state.graph, params: {}, uuid, table: 'orphan' })

const contradictions = () => [...compareCounters(w.state.graph), ...compareAddresses(w.state.graph)]
/** All but what an adoption can't know: dates, names and offerings that no host holds, and versions. */
function comparable(): string {
  const { vmInstance, volume, vmNic, usedMac, desired, host, localStorageHost, primaryStorage } = graphInventory(
    w.state.graph,
  ) as Record<string, Record<string, Row>>
  const without = (rows: Record<string, Row> | undefined, ...fields: string[]) =>
    Object.entries(rows ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, row]) => [
        k,
        Object.entries(row)
          .filter(([f]) => !fields.includes(f))
          .sort(),
      ])
  const dates = ['createDate', 'lastOpDate']
  return JSON.stringify([
    without(vmInstance, ...dates, 'instanceOfferingUuid', 'lastHostUuid'),
    without(volume, ...dates, 'actualSize'),
    without(vmNic, ...dates),
    without(usedMac, ...dates),
    without(desired, 'job'),
    ...[host, localStorageHost, primaryStorage].map((rows) => without(rows)),
  ])
}

beforeEach(async () => {
  w = await makeWorld()
  await site(w)
  await run('vm.create', input(u.vm, 'vmInstance', vmParams))
})

describe('orphans', () => {
  it('are the documents that nobody wants, each with the VM that it is a part of', async () => {
    await tell(w, await forgetVm(w))
    const rows = [...w.state.graph.rows('orphan')].map(([, row]) => row)
    expect(rows.map((r) => r['noun']).sort()).toEqual(['lease', 'vm', 'volume'])
    expect(rows.filter((r) => r['noun'] !== 'vm').map((r) => r['partOfUuid'])).toEqual([orphanedVm, orphanedVm])
    expect(w.state.graph.get('orphan', orphanedVm)).toMatchObject({ name: 'hello', adoptable: true, hostUuid: u.host })
  })

  it('told again they change nothing, in whatever order agents speak', async () => {
    const held = await forgetVm(w)
    await tell(w, new Map([...held].reverse()))
    const { seq } = w.state.graph
    await tell(w, held)
    expect(w.state.graph.seq).toBe(seq)
  })

  it('keep their address, MAC, CPUs, memory and disk from being given to others', async () => {
    const before = graphInventory(w.state.graph) as Record<string, Record<string, Row>>
    const nic = [...w.state.graph.rows('vmNic')][0]![1]
    const held = await forgetVm(w)
    expect([...freeAddresses(w.state.graph, w.state.graph.get('ipRange', u.range) as Row)]).toContain(nic['ip'])
    await tell(w, held)
    expect([...freeAddresses(w.state.graph, w.state.graph.get('ipRange', u.range) as Row)]).not.toContain(nic['ip'])
    expect(w.state.graph.get('usedMac', nic['mac'] as string)).toMatchObject({ usedFor: 'orphan' })
    const now = graphInventory(w.state.graph) as Record<string, Record<string, Row>>
    expect([now['host'], now['localStorageHost'], now['primaryStorage']]).toEqual([
      before['host'],
      before['localStorageHost'],
      before['primaryStorage'],
    ])
    expect(contradictions()).toEqual([])
  })

  it('give everything back when they are gone', async () => {
    const held = await forgetVm(w)
    const forgotten = comparable()
    await tell(w, held)
    await tell(w, new Map(AGENTS.map((agent): [string, Held[]] => [agent, []])))
    expect(w.state.graph.count('orphan')).toBe(0)
    expect([comparable(), w.state.graph.count('usedIp'), contradictions()]).toEqual([forgotten, 0, []])
  })

  it('what is under a tombstone is about to go, and is none', async () => {
    const held = await forgetVm(w)
    await tell(w, held)
    await run('orphan.remove', input(orphanedVm, 'orphan'))
    expect(w.state.graph.count('orphan')).toBe(0)
  })
})

describe('adopting a VM', () => {
  it('brings back the rows that it was made from, and its agents are told nothing new', async () => {
    const before = comparable()
    await tell(w, await forgetVm(w))
    expect(comparable()).not.toBe(before)
    check('orphan.adopt', orphanedVm)
    expect(await run('orphan.adopt', input(orphanedVm, 'orphan'))).toMatchObject({ state: 'done' })
    expect(comparable() === before).toBe(true)
    expect([w.state.graph.count('orphan'), contradictions()]).toEqual([0, []])
  })

  it('that is paused, boots from its CD and has a disk that is held back brings all of that back', async () => {
    const root = w.state.graph.get('vmInstance', u.vm)!['rootVolumeUuid'] as string
    await run('volume.setQos', input(root, 'volume', { totalIOPS: 9 }))
    await run('vm.setBootOrder', input(u.vm, 'vmInstance', { bootOrder: ['CdRom'] }))
    expect(await run('vm.pause', input(u.vm, 'vmInstance', {}))).toMatchObject({ state: 'done' })
    const before = comparable()
    await tell(w, await forgetVm(w))
    await w.commit({ ops: [{ o: 'set', t: 'orphan', k: orphanedVm, v: { observed: { power: 'Paused' } } }] })
    await run('orphan.adopt', input(orphanedVm, 'orphan'))
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({ paused: true, pauseOrder: 1, state: 'Paused' })
    expect(JSON.parse(comparable())).toEqual(JSON.parse(before))
  })

  it('names what is missing: its network, its storage, a part that belongs to another', async () => {
    await tell(w, await forgetVm(w))
    const lease = [...w.state.graph.rows('orphan')].find(([, r]) => r['noun'] === 'lease')![0]
    expect(() => check('orphan.adopt', lease)).toThrow(/part of VM hello: adopt that/)
    await w.commit({ ops: [{ o: 'del', t: 'ipRange', k: u.range }] })
    expect(() => check('orphan.adopt', orphanedVm)).toThrow(/network of its card .* is not in the graph/)
  })

  it('is refused while another card has its address, which stays with that one', async () => {
    const held = await forgetVm(w)
    const ip = (held.get(u.vrouter)!.find((h) => h.noun === 'lease')!.spec as { ip: string }).ip
    const v = { uuid: u.vm, name: ip, l3NetworkUuid: u.l3, ipRangeUuid: u.range, ip, vmNicUuid: null, usedFor: 'somebody' }
    await w.commit({ ops: [{ o: 'put', t: 'usedIp', k: `${u.l3}:${ip}`, v }] })
    await tell(w, held)
    expect(() => check('orphan.adopt', orphanedVm)).toThrow(/is in use/)
    expect(w.state.graph.get('usedIp', `${u.l3}:${ip}`)).toMatchObject({ usedFor: 'somebody' })
  })

  it('a guest that is off stays off, whatever its document says', async () => {
    const held = await forgetVm(w)
    await tell(w, held)
    await w.commit({ ops: [{ o: 'set', t: 'orphan', k: orphanedVm, v: { observed: { power: 'Stopped' } } }] })
    await run('orphan.adopt', input(orphanedVm, 'orphan'))
    expect(w.state.graph.get('vmInstance', u.vm)).toMatchObject({ state: 'Stopped', power: 'Stopped', hostUuid: null })
  })
})

describe('removing', () => {
  it('takes the VM with its disk and lease off the hosts', async () => {
    await tell(w, await forgetVm(w))
    const on = () => [...w.agents.hosts.keys()].filter((k) => /\/(vm|volume|lease)\//.test(k))
    expect(on()).toHaveLength(3)
    await run('orphan.remove', input(orphanedVm, 'orphan'))
    expect([on(), w.state.graph.count('orphan'), w.state.graph.count('usedIp'), contradictions()]).toEqual([[], 0, 0, []])
  })

  it('is refused for a part, and for a bridge that an orphaned guest hangs on', async () => {
    const held = await forgetVm(w)
    await w.state.store.commit(
      { ops: [...w.state.graph.by('desired', 'of', `bridge/${u.l2}`)].map((k) => ({ o: 'del' as const, t: 'desired', k })) },
      { actor: 'test' },
    )
    await tell(w, held)
    const of = (noun: string) => [...w.state.graph.rows('orphan')].find(([, r]) => r['noun'] === noun)![0]
    expect(() => check('orphan.remove', of('volume'))).toThrow(/part of VM hello: remove that/)
    expect(() => check('orphan.remove', of('bridge'))).toThrow(/is used by 1 other orphans/)
  })

  it('of a disk without any VM frees its room', async () => {
    const held = await forgetVm(w)
    held.set(u.kvm, heldOf(w, u.kvm))
    await tell(w, held)
    const part = () => w.state.graph.get('localStorageHost', `${u.ps}:${u.host}`)!['availableCapacity']
    expect(part()).toBe(89 * GIB)
    const [disk] = [...w.state.graph.rows('orphan')].find(([, r]) => r['noun'] === 'volume')!
    await run('orphan.remove', input(disk, 'orphan'))
    expect(part()).toBe(90 * GIB)
  })
})
