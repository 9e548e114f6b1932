/** Web hooks: which events they hear, in which order, and that none is lost over outages and restarts. */
import type { Commit, Op, Row } from '@skerry/contract'
import { describe, expect, it, vi } from 'vitest'
import { factsSince } from '../src/tasks/facts.ts'
import type { HookMessage } from '../src/tasks/hook-post.ts'
import { checkWebhook, hears } from '../src/webhooks/pattern.ts'
import { Webhooks } from '../src/webhooks/webhooks.ts'
import { base, id, makeWorld, type TestWorld } from './world.ts'

const HOOK = id('hook')
const at = (noun: string, event: string) => `skerry.v1.evt.${noun}.${id('x')}.${event}`

describe('the events of a web hook', () => {
  it('are all of them, or those of its patterns', () => {
    expect(hears(null, at('host', 'connected'))).toBe(true)
    expect(hears('host.>', at('host', 'connected'))).toBe(true)
    expect(hears('host.>', at('vmInstance', 'created'))).toBe(false)
    expect(hears('host.>, vmInstance.*.created', at('vmInstance', 'created'))).toBe(true)
    expect(hears('vmInstance.*.created', at('vmInstance', 'deleted'))).toBe(false)
  })

  it('need sound patterns and an URL that may be called', () => {
    const good = { url: 'http://192.0.2.1/x', opaque: 'host.>,vmInstance.*.*' }
    expect(() => checkWebhook(good)).not.toThrow()
    for (const opaque of ['host.>.x', 'ho st.*', '.', 'host..x'])
      expect(() => checkWebhook({ ...good, opaque })).toThrow(/opaque/)
    for (const url of ['ftp://a', 'http://u:p@a/', 'http://169.254.169.254/'])
      expect(() => checkWebhook({ ...good, url })).toThrow(/url/)
  })
})

interface Told {
  w: TestWorld
  hooks: Webhooks
  /** `url noun event` of what was taken */
  taken: string[]
  reported: string[]
  /** what the receiver answers from now on */
  answer: { status: number }
}

function hooksOf(w: TestWorld, o: { oldest?: number } = {}): Told {
  const told: Told = { w, taken: [], reported: [], answer: { status: 200 }, hooks: undefined as never }
  told.hooks = new Webhooks({
    graph: w.state.graph,
    since: (lastId, signal, only) => factsSince(w.state.store, lastId, signal, { only }),
    oldest: () => o.oldest ?? 1,
    post: async ({ url, body }: HookMessage) => {
      const { noun, event } = JSON.parse(body) as { noun: string; event: string }
      if (told.answer.status === 200) told.taken.push(`${url} ${noun} ${event}`)
      return told.answer.status
    },
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
    commit: (ops) => w.commit({ ops }),
    report: (error) => void told.reported.push((error as Error).message),
  })
  return told
}

const hook = (set: Row = {}): Op => ({
  ...{ o: 'put', t: 'webhook', k: HOOK },
  v: { ...base(HOOK, 'hook'), url: 'http://a/', type: 'CanonicalEvent', opaque: 'zone.>', told: '0.0', ...set },
})
const tell = (w: TestWorld, noun: string, event: string): Promise<void> =>
  w.commit({ ops: [], facts: [{ noun, uuid: id('x'), event }] } as Partial<Commit> as never)

async function begun(set: Row = {}, o: { oldest?: number } = {}): Promise<Told> {
  const w = await makeWorld()
  await w.commit({ ops: [hook({ told: `${w.state.graph.seq}.0`, ...set })] })
  const told = hooksOf(w, o)
  told.hooks.look()
  return told
}

describe('a web hook', () => {
  it('is called with what it hears, in order, and not with what was before it', async () => {
    const w = await makeWorld()
    await tell(w, 'zone', 'before')
    await w.commit({ ops: [hook({ told: `${w.state.graph.seq}.0` })] })
    await tell(w, 'zone', 'one')
    const told = hooksOf(w)
    told.hooks.look()
    await tell(w, 'host', 'unheard')
    await tell(w, 'zone', 'two')
    await vi.waitFor(() => expect(told.taken).toEqual(['http://a/ zone one', 'http://a/ zone two']))
    told.hooks.stop()
  })

  it('that is away gets everything when it is back, and somebody is told once', async () => {
    const told = await begun()
    told.answer.status = 500
    for (const event of ['one', 'two']) await tell(told.w, 'zone', event)
    await vi.waitFor(() => expect(told.reported).toEqual(['the web hook answered 500']))
    told.answer.status = 200
    await vi.waitFor(() => expect(told.taken).toEqual(['http://a/ zone one', 'http://a/ zone two']))
    expect(told.reported).toHaveLength(1)
    told.hooks.stop()
  })

  it('goes on after a restart where it was, with the rest and nothing else', async () => {
    const told = await begun()
    const from = told.w.state.graph.get('webhook', HOOK)?.['told']
    await tell(told.w, 'zone', 'one')
    await vi.waitFor(async () => {
      await told.hooks.keep()
      expect(told.w.state.graph.get('webhook', HOOK)?.['told']).not.toBe(from)
    })
    told.hooks.stop()
    await tell(told.w, 'zone', 'two')
    const next = hooksOf(told.w)
    next.hooks.look()
    await vi.waitFor(() => expect(next.taken).toEqual(['http://a/ zone two']))
    next.hooks.stop()
  })

  it('is called elsewhere from its change on, and no more when it is deleted', async () => {
    const told = await begun()
    await tell(told.w, 'zone', 'one')
    await vi.waitFor(() => expect(told.taken).toHaveLength(1))
    await told.w.commit({ ops: [{ o: 'set', t: 'webhook', k: HOOK, v: { url: 'http://b/' } }] })
    told.hooks.look()
    await tell(told.w, 'zone', 'two')
    await vi.waitFor(() => expect(told.taken).toEqual(['http://a/ zone one', 'http://b/ zone two']))
    await told.w.commit({ ops: [{ o: 'del', t: 'webhook', k: HOOK }] })
    told.hooks.look()
    await tell(told.w, 'zone', 'three')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(told.taken).toHaveLength(2)
  })

  it('is told what it has missed for good, and goes on with what is kept', async () => {
    const w = await makeWorld()
    for (const event of ['lost', 'kept']) await tell(w, 'zone', event)
    await w.commit({ ops: [hook()] })
    const told = hooksOf(w, { oldest: w.state.graph.seq - 1 })
    told.hooks.look()
    await vi.waitFor(() => expect(told.taken).toEqual(['http://a/ zone kept']))
    expect(told.reported).toEqual([expect.stringContaining('no longer kept')])
    told.hooks.stop()
  })
})
