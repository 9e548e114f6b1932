/** Meeting an agent after a restore: nothing is sent before it has said what it holds, and its history is never above ours. */
import type { Bus } from '@skerry/bus'
import { type Document, parseAgentSubject, type Row } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { AgentBook } from '../src/agents/book.ts'
import { documentOf } from '../src/agents/documents.ts'
import { Syncer } from '../src/agents/sync.ts'
import { needAllHeard } from '../src/orphans/reunite.ts'
import { OrphanWatch } from '../src/orphans/watch.ts'
import { makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

let w: TestWorld
let asked: string[]
let held: Document[]
let faults: unknown[]
let watch: OrphanWatch
let syncer: Syncer

/** An agent that holds `held`, runs nothing, and answers what it is asked. */
const answers: Record<string, (data: Row) => unknown> = {
  digest: () => ({
    digest: 'theirs',
    entries: held.map(({ noun, uuid, generation, hash }) => ({ noun, uuid, generation, hash })),
  }),
  documents: (data) => {
    const resources = data['resources'] as { noun: string; uuid: string }[]
    // a message holds two
    return { documents: resources.flatMap((r) => held.filter((d) => d.noun === r.noun && d.uuid === r.uuid)).slice(0, 2) }
  },
  statuses: () => ({ statuses: [] }),
  inventory: () => ({ items: [] }),
  sync: () => ({ digest: 'ours' }),
}
const bus = {
  async request(subject: string, data: unknown) {
    const verb = parseAgentSubject(subject)!.rest[2]!
    asked.push(verb)
    return { data: answers[verb]!(data as Row) }
  },
} as unknown as Bus

beforeEach(async () => {
  asked = []
  held = []
  faults = []
  w = await makeWorld()
  await site(w)
  const { graph } = w.state
  const report = (error: unknown) => void faults.push(error)
  const book = new AgentBook(() => 0)
  watch = new OrphanWatch({
    ...{ bus, graph, book, report, now: () => 1, commit: (change) => w.commit(change) },
    raiseIncarnation: () => w.state.store.raiseIncarnation(),
  })
  syncer = new Syncer({ bus, graph, durableSeq: () => graph.seq, report, orphans: watch })
  await w.commit({ ops: [{ o: 'put', t: 'reunion', k: u.kvm, v: {} }] })
})

const bridge = () => `${u.kvm}/bridge/${u.l2}`
const mine = () => documentOf(w.state.graph, bridge()) as Document

describe('before an agent was met', () => {
  it('nothing is sent to it, whoever asks for that', async () => {
    syncer.committed(bridge())
    await expect(syncer.deliver(u.kvm)).rejects.toMatchObject({ code: 'hosts-unheard' })
    expect([asked, faults]).toEqual([[], []])
    expect(() => needAllHeard(w.state.graph)).toThrow(/nothing was heard from host/)
  })

  it('its first word is taken note of, then it is sent what it lacks', async () => {
    syncer.committed(bridge())
    await syncer.compare(u.kvm, 'theirs')
    expect(asked).toEqual(['digest', 'statuses', 'inventory', 'sync'])
    needAllHeard(w.state.graph)
  })

  it('goes on waiting while it does not answer all that it is asked', async () => {
    const { inventory } = answers
    answers['inventory'] = () => {
      throw new Error('libvirt hangs')
    }
    await expect(syncer.compare(u.kvm, 'theirs')).rejects.toThrow('libvirt hangs')
    expect([asked.includes('sync'), watch.isUnheard(u.kvm)]).toEqual([false, true])
    answers['inventory'] = inventory!
    await syncer.compare(u.kvm, 'theirs')
    expect(watch.isUnheard(u.kvm)).toBe(false)
  })

  it('one that is deleted is not waited for', async () => {
    await w.commit({ ops: [{ o: 'del', t: 'agent', k: u.kvm }] })
    needAllHeard(w.state.graph)
  })
})

describe('what an agent holds beyond the graph', () => {
  const strange = (n: number, incarnation = 1): Document => {
    const uuid = n.toString(16).padStart(32, '0')
    const spec = { name: `skbr${n}`, physicalInterface: null, mtu: null }
    return { noun: 'bridge', uuid, schema: 1, generation: { incarnation, seq: 1 }, hash: String(n), job: null, spec }
  }
  const orphans = () => [...w.state.graph.rows('orphan')].map(([, row]) => row['ownUuid']).sort()

  it('is asked for until all of it is known, however full messages are', async () => {
    held = [1, 2, 3, 4, 5].map((n) => strange(n))
    await syncer.compare(u.kvm, 'theirs')
    expect(orphans()).toEqual(held.map((d) => d.uuid))
    expect([...w.state.graph.rows('orphan')].every(([, row]) => row['spec'] !== null)).toBe(true)
  })

  it('of a history that counts higher raises ours above it; of ours, only before the meeting or beyond our end', async () => {
    held = [strange(1, 7)]
    await syncer.compare(u.kvm, 'theirs')
    expect(w.state.graph.incarnation).toBe(8)
    held = [{ ...mine() }]
    await syncer.compare(u.kvm, 'other')
    expect(w.state.graph.incarnation).toBe(8)
    held = [{ ...mine(), generation: { incarnation: 8, seq: w.state.graph.seq + 1 } }]
    await syncer.compare(u.kvm, 'third')
    expect(w.state.graph.incarnation).toBe(9)
  })

  it('is no orphan any more when it is gone, and one from before the verb is known by its uuid alone', async () => {
    held = [strange(1), strange(2)]
    const { documents } = answers
    answers['documents'] = () => ({ documents: [] })
    await syncer.compare(u.kvm, 'theirs')
    answers['documents'] = documents!
    expect([...w.state.graph.rows('orphan')].map(([, row]) => row['spec'])).toEqual([null, null])
    held = [strange(2)]
    await syncer.compare(u.kvm, 'later')
    expect(orphans()).toEqual([strange(2).uuid])
    held = []
    await syncer.compare(u.kvm, 'last')
    expect(orphans()).toEqual([])
  })
})
