/** Documents to an agent: what is sent, and above all what is not. */
import { createHash } from 'node:crypto'
import { memoryBroker } from '@skerry/bus'
import { type Document, digestText, SkerryError, subjects, type Tombstone } from '@skerry/contract'
import { expect, test } from 'vitest'
import { Syncer, type SyncPorts } from '../src/agents/sync.ts'
import { base, id, makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

const digest = (entries: Iterable<Document>) => createHash('sha256').update(digestText(entries)).digest('hex')

/** A syncer over a site, and an agent-kvm that keeps what it is sent; `fault` may fail one sync, before or after it was taken. */
async function bench(orphans?: SyncPorts['orphans']) {
  const w = await makeWorld()
  await site(w)
  const broker = memoryBroker()
  const errors: unknown[] = []
  const bus = broker.connect()
  const syncer = new Syncer({
    bus,
    graph: w.state.graph,
    durableSeq: () => w.state.store.status().durableSeq,
    report: (error) => errors.push(error),
    ...(orphans ? { orphans } : {}),
  })
  const agent = broker.connect()
  const held = new Map<string, Document>()
  const sent: string[][] = []
  const meant: unknown[] = []
  const refused = new Set<string>()
  const faults: ('lost' | 'answer lost' | SkerryError)[] = []
  const subject = (verb: string) => subjects.do('kvm', u.kvm, 'agent', u.kvm, verb)
  agent.serve(subject('sync'), async (m) => {
    const { documents, ledger } = m.data as { documents: (Document | Tombstone)[]; ledger?: string }
    meant.push(ledger)
    const fault = faults.shift()
    if (fault === 'lost') throw new SkerryError('agent-unreachable')
    sent.push(documents.map((d) => d.uuid))
    if (fault instanceof SkerryError) throw fault
    if (documents.some((d) => refused.has(d.uuid))) throw new SkerryError('stale-generation')
    for (const d of documents) 'tombstone' in d ? held.delete(d.uuid) : held.set(d.uuid, d)
    if (fault === 'answer lost') throw new SkerryError('agent-unreachable')
    return { digest: digest(held.values()) }
  })
  agent.serve(subject('digest'), async () => ({ digest: digest(held.values()), entries: [...held.values()] }))
  const network = base(id('x'), 'x')
  const l2 = { ...w.state.graph.get('l2Network', u.l2), attachedClusterUuids: [u.cluster] }
  /** A network on the host's cluster asks for a bridge there; without it, the bridge is buried. */
  const make = (name: string) =>
    w.commit({ ops: [{ o: 'put', t: 'l2Network', k: id(name), v: { ...l2, ...network, uuid: id(name) } }] })
  const remove = (name: string) => w.commit({ ops: [{ o: 'del', t: 'l2Network', k: id(name) }] })
  const heard = (fresh = false) => syncer.compare(u.kvm, digest(held.values()), { fresh })
  await syncer.compare(u.kvm, '')
  sent.length = 0
  return { ...w, syncer, bus, held, sent, meant, faults, refused, errors, make, remove, heard }
}
const had = [u.l2]

test.each(['lost', 'answer lost'] as const)(
  'a sync that was %s is not the end of it: the next heartbeat brings it',
  async (fault) => {
    const b = await bench()
    await b.make('one')
    b.faults.push(fault)
    await expect(b.heard()).rejects.toMatchObject({ code: 'agent-unreachable' })
    await b.heard()
    await b.heard()
    expect([...b.held.keys()]).toEqual([...had, id('one')])
    expect(b.sent).toEqual([[id('one')]])
  },
)

test('a network that came and went while the agent was away is buried when it is back, though their digests are equal', async () => {
  const b = await bench()
  b.bus.disconnect()
  await b.make('brief')
  await b.remove('brief')
  b.bus.reconnect()
  await b.heard(true)
  expect(b.sent).toEqual([[id('brief')]])
  await b.heard()
  expect(b.sent).toHaveLength(1)
})

test('an agent with a ledger of its own anew gets all at once, the first on which the others stand, and by its name', async () => {
  const b = await bench()
  for (const name of ['one', 'two']) await b.make(name)
  await b.heard()
  await b.remove('two')
  await b.heard()
  b.held.clear()
  await b.commit({ ops: [{ o: 'set', t: 'agent', k: u.kvm, v: { ledger: id('ledger') } }] })
  // What it holds can't be asked for at this moment, and something is to be sent.
  const comparing = b.syncer.compare(u.kvm, '', { fresh: true, anew: true })
  await b.syncer.delivered(`${u.kvm}/bridge/${id('one')}`)
  await comparing
  expect([...b.held.keys()].sort()).toEqual([...had, id('one')].sort())
  expect(b.meant.at(-1)).toBe(id('ledger'))
})

test('only differences travel, each once, however many heartbeats ask at the same time', async () => {
  const b = await bench()
  await b.make('one')
  await b.make('two')
  await Promise.all([b.heard(), b.heard(true), b.heard()])
  await b.heard(true)
  expect(b.sent).toEqual([[id('one'), id('two')]])
})

test('a change that is sent while digests are compared is not sent again', async () => {
  const b = await bench()
  await b.make('one')
  const comparing = b.heard()
  const [key] = [`${u.kvm}/bridge/${id('two')}`]
  await b.make('two')
  b.syncer.committed(key)
  await comparing
  await b.heard()
  expect(b.sent.flat().sort()).toEqual([id('one'), id('two')].sort())
})

test('a document that the agent refuses holds up no other, and is not offered for ever', async () => {
  const b = await bench()
  await b.make('bad')
  await b.make('good')
  b.refused.add(id('bad'))
  await b.heard()
  expect([...b.held.keys()]).toEqual([...had, id('good')])
  expect(b.errors).toHaveLength(1)
  await expect(b.heard()).rejects.toMatchObject({ code: 'stale-generation' })
  for (let n = 0; n < 3; n++) await b.heard()
  expect(b.sent.slice(3)).toEqual([[id('bad')]])
  await b.make('other')
  b.refused.clear()
  await b.heard()
  expect([...b.held.keys()].sort()).toEqual([...had, id('good'), id('bad'), id('other')].sort())
})

test('what an agent had no room for is sent again once it has', async () => {
  const b = await bench()
  for (const name of ['one', 'two']) await b.make(name)
  const full = () => new SkerryError('disk-full')
  for (let n = 0; n < 3; n++) {
    b.faults.push(full())
    await expect(b.heard()).rejects.toMatchObject({ code: 'disk-full' })
  }
  await b.heard()
  expect([...b.held.keys()]).toEqual([...had, id('one'), id('two')])
  await b.heard()
  expect(b.sent).toHaveLength(4)
})

test('documents that were left when the agent went away in the middle are sent when it is back', async () => {
  const b = await bench()
  for (const name of ['one', 'two', 'three']) await b.make(name)
  b.faults.push(new SkerryError('invalid-document'), new SkerryError('invalid-document'), 'lost')
  await expect(b.heard()).rejects.toMatchObject({ code: 'agent-unreachable' })
  await b.heard()
  expect(b.held.size).toBe(had.length + 3)
})

test('an agent that is away is no error of every change', async () => {
  const b = await bench()
  b.bus.disconnect()
  await b.make('one')
  b.syncer.committed(`${u.kvm}/bridge/${id('one')}`)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(b.errors).toEqual([])
  b.bus.reconnect()
  await b.heard(true)
  expect(b.sent).toEqual([[id('one')]])
})

test('a document that a comparison brought before the word that it is durable is not sent twice', async () => {
  const b = await bench()
  await b.make('one')
  await b.heard()
  b.syncer.committed(`${u.kvm}/bridge/${id('one')}`)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(b.sent).toEqual([[id('one')]])
})

test('an agent that has all of its documents is compared with the graph again when something changes, or while it holds what nobody knows', async () => {
  const now = { none: true, listed: 0 }
  const listed = async () => void (now.listed += 1)
  const b = await bench({ isUnheard: () => false, none: () => now.none, listed })
  await b.heard()
  const before = now.listed
  await b.heard()
  await b.heard()
  expect(now.listed).toBe(before)
  now.none = false
  await b.heard()
  expect(now.listed).toBe(before + 1)
  now.none = true
  await b.make('one')
  await b.heard()
  expect(b.sent).toEqual([[id('one')]])
})

test('in a new incarnation the documents of the old one are sent again to an agent that had all of them', async () => {
  const b = await bench()
  await b.heard()
  await b.heard()
  expect(b.sent).toEqual([])
  await b.state.store.raiseIncarnation()
  await b.heard()
  expect(b.sent).toEqual([had])
})

test('who waits for a document that the agent has waits for no other', async () => {
  const b = await bench()
  const keyOf = (name: string) => `${u.kvm}/bridge/${id(name)}`
  await b.make('one')
  b.syncer.committed(keyOf('one'))
  await b.syncer.delivered(keyOf('one'))
  expect([...b.held.keys()]).toEqual([...had, id('one')])
  b.bus.disconnect()
  await b.make('two')
  b.syncer.committed(keyOf('two'))
  await b.syncer.delivered(keyOf('one'))
  await expect(b.syncer.again(keyOf('two'))).rejects.toMatchObject({ code: 'agent-unreachable' })
})
