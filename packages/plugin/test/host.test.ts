/** One plugin in a process of its own: what it does there harms nobody but itself. */
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { findPlugins, type Health, localProcess, type Plugin, PluginHost, startProcess } from '../src/index.ts'

const hostile = (name: string) => fileURLToPath(new URL(`../../../test/plugins/hostile/${name}.mjs`, import.meta.url))
const realTimers = {
  nowMs: () => performance.now(),
  set: (run: () => void, ms: number) => setTimeout(run, ms),
  clear: (handle: unknown) => clearTimeout(handle as NodeJS.Timeout),
}
const made: PluginHost[] = []
afterEach(() => {
  for (const host of made.splice(0)) host.stop()
})

function hostOf(start: ConstructorParameters<typeof PluginHost>[0]['start'], timers = realTimers) {
  const healths: Health[] = []
  const lines: string[] = []
  const host = new PluginHost({
    ...{ name: 'file', config: { folder: '/x' }, start, timers },
    log: (line) => lines.push(line),
    onHealth: (health) => healths.push(health),
  })
  made.push(host)
  return { host, healths, lines }
}
const step = (name = 'step', workflow = 'vm.create') => ({ ask: 'step' as const, workflow, name, undo: false, call: {} })

/** A clock that is set by hand, over real time-outs. */
const handTimers = () => {
  const clock = { ahead: 0 }
  return { ...realTimers, clock, nowMs: () => performance.now() + clock.ahead }
}

describe('a hostile plugin', () => {
  it('that throws is degraded, left alone after three failures, and asked again after a while', async () => {
    const timers = handTimers()
    let begun = 0
    const { host } = hostOf((handlers) => {
      begun += 1
      return startProcess(hostile('throws'), handlers)
    }, timers)
    await host.load()
    for (let i = 0; i < 3; i++) await expect(host.ask(step(), 5_000)).rejects.toThrow(/always throws|process ended/)
    expect(host.health.status).toBe('Degraded')
    const before = begun
    await expect(host.ask(step(), 5_000)).rejects.toMatchObject({ code: 'plugin-failed' })
    expect(begun, 'it was not even asked').toBe(before)
    timers.clock.ahead += 30_001
    await expect(host.ask(step(), 5_000)).rejects.toThrow(/always throws|process ended/)
  })

  it('that hangs is killed at its deadline, and begun anew when it is asked again', async () => {
    const { host, healths } = hostOf((handlers) => startProcess(hostile('hangs'), handlers))
    await host.load()
    const first = host.pid!
    await expect(host.ask(step('loop'), 200)).rejects.toThrow('it gave no answer within 200 ms')
    expect(healths.at(-1)).toEqual({ status: 'Degraded', cause: 'it gave no answer within 200 ms' })
    const again = host.ask(step('wait', 'vm.stop'), 200)
    expect(host.pid).not.toBe(first)
    await expect(again).rejects.toThrow('it gave no answer within 200 ms')
    expect(() => process.kill(first, 0)).toThrow('ESRCH')
  })

  it('that floods is killed, whether by many words or by a long one', async () => {
    const { host, lines } = hostOf((handlers) => startProcess(hostile('floods'), handlers))
    await host.load()
    await expect(host.ask(step(), 30_000)).rejects.toThrow('it said more than 50 lines unasked')
    expect(lines).toHaveLength(50)
    await expect(host.ask({ ask: 'rank', strategy: 'hosts', call: {} }, 30_000)).rejects.toThrow(/longer than/)
  })

  it('that leaks is killed when it holds more than it may, beside the heap too', async () => {
    const { host } = hostOf((handlers) => startProcess(hostile('leaks'), handlers))
    await host.load()
    await expect(host.ask(step(), 60_000)).rejects.toThrow(/it held \d+ MiB of memory, it may hold 320/)
  })
})

const good: Plugin = {
  name: 'good',
  version: '1',
  summary: 'Answers',
  steps: [
    { workflow: 'a.b', name: 'echo', after: 'x', do: ({ params }) => ({ params }), noUndo: 'only an echo' },
    { workflow: 'a.b', name: 'no', after: 'x', do: ({ refuse }) => refuse('not today'), noUndo: 'only a word' },
  ],
}

describe('a plugin', () => {
  it('answers, and what it refuses is no failure', async () => {
    const { host, healths } = hostOf(localProcess(good))
    expect((await host.load()).steps.map(({ name }) => name)).toEqual(['echo', 'no'])
    expect(await host.ask({ ...step('echo', 'a.b'), call: { params: { a: 1 } } }, 100)).toEqual({ params: { a: 1 } })
    await expect(host.ask(step('no', 'a.b'), 100)).rejects.toMatchObject({ code: 'plugin-refused', message: 'not today' })
    expect(healths).toEqual([])
  })

  it('is refused what is not its own, and what is not whole', async () => {
    const load = (more: Partial<Plugin>) => hostOf(localProcess({ ...good, ...more })).host.load()
    await expect(load({ tags: [{ resource: 'vmInstance', pattern: 'hostname::{x}' }] })).rejects.toThrow('must begin with good::')
    await expect(load({ name: '../x' })).rejects.toThrow('not well formed: name')
    const [echo] = good.steps!
    await expect(load({ steps: [{ ...echo!, before: 'y' }] })).rejects.toThrow('exactly one of before, after and replace')
    await expect(load({ steps: [{ ...echo!, undo: () => null }] })).rejects.toThrow('needs undo or noUndo, and not both')
    const { after: _, ...anywhere } = echo!
    await expect(load({ steps: [{ ...anywhere, replace: 'x' }] })).rejects.toThrow('must be essential')
  })

  it('that brings other things when it is begun again is not believed', async () => {
    let begun = 0
    const { host } = hostOf((handlers) => localProcess({ ...good, version: `${++begun}` })(handlers))
    await host.load()
    host.switch(false)
    await expect(host.ask(step('echo', 'a.b'), 100)).rejects.toThrow('it is switched off')
    host.switch(true)
    await expect(host.ask(step('echo', 'a.b'), 100)).rejects.toThrow('it brings other things')
  })

  it('is found by its file or its folder, with what lies beside it', async () => {
    const examples = fileURLToPath(new URL('../examples', import.meta.url))
    expect((await findPlugins(examples)).map(({ name }) => name)).toEqual(['diary', 'protected', 'register', 'spread', 'tiers'])
    expect((await findPlugins(`${examples}/spread.mjs`)).map(({ name }) => name)).toEqual(['spread'])
    await expect(findPlugins(`${examples}/none.mjs`)).rejects.toThrow("can't be read")
  })
})
