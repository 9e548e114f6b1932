/** Plugins that only observe: told in order of what they ask for, and whatever they do, nothing waits for them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Row } from '@skerry/contract'
import { localProcess, type PluginModule, startProcess } from '@skerry/plugin'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type PluginSource, type Plugins, startPlugins } from '../src/plugins/index.ts'
import { AT_ONCE, COUNT_EVERY_MS, Observer, QUEUED } from '../src/plugins/observer.ts'
import { pluginUuid } from '../src/plugins/rows.ts'
import type { ServedFact } from '../src/tasks/facts.ts'
import { call, done, ready } from './engine-calls.ts'
import { type TestWorld, vmParams } from './world.ts'

/** Timers that go off when they are told to. */
function handTimers() {
  const set = new Map<object, { run: () => void; ms: number }>()
  return {
    nowMs: () => 0,
    set: (run: () => void, ms: number) => {
      const handle = {}
      set.set(handle, { run, ms })
      return handle
    },
    clear: (handle: unknown) => void set.delete(handle as object),
    /** All that were set for this long. */
    fire(ms: number) {
      for (const [handle, one] of [...set]) {
        if (one.ms !== ms || !set.delete(handle)) continue
        one.run()
      }
    },
    get open() {
      return set.size
    },
  }
}

const opened: Plugins[] = []
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'skerry-observers-'))))
afterEach(async () => {
  for (const plugins of opened.splice(0)) plugins.stop()
  await rm(folder, { recursive: true, force: true })
})

const fact = (n: number, noun = 'host'): ServedFact => ({
  ...{ id: `${n}.0`, subject: `skerry.v1.evt.${noun}.u${n}.changed` },
  data: { id: `${n}.0`, noun },
})
const facts = (count: number, from = 0) => Array.from({ length: count }, (_, i) => fact(from + i))

function observer(tell: (events: readonly Row[]) => Promise<unknown>) {
  const timers = handTimers()
  const told: string[][] = []
  const dropped: number[] = []
  const state = { on: true }
  const one = new Observer({
    ...{ patterns: ['host.>'], timers, isOn: () => state.on, onDropped: (count) => dropped.push(count) },
    tell: (events) => {
      told.push(events.map(({ id }) => String(id)))
      return tell(events)
    },
  })
  return { one, timers, told, dropped, state }
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('an observer', () => {
  it('is told of what it asked for, in order, one batch at a time', async () => {
    let answer: () => void = () => undefined
    const { one, told } = observer(() => new Promise<void>((resolve) => (answer = resolve)))
    one.take([fact(1), fact(2, 'zone'), fact(3)])
    one.take(facts(AT_ONCE + 1, 10))
    expect(told).toEqual([['1.0', '3.0']])
    answer()
    await turn()
    expect(told[1]).toHaveLength(AT_ONCE)
    answer()
    await turn()
    expect(told[2]).toEqual([`${10 + AT_ONCE}.0`])
  })

  it('that takes nothing loses what is too much, and the count is told now and then', () => {
    const { one, timers, told, dropped } = observer(() => new Promise(() => undefined))
    one.take([fact(0)])
    for (let i = 0; i < 30; i++) one.take(facts(100, i * 100))
    expect([told.length, dropped]).toEqual([1, []])
    timers.fire(COUNT_EVERY_MS)
    expect(dropped).toEqual([3_000 - QUEUED])
    one.take(facts(1))
    timers.fire(COUNT_EVERY_MS)
    expect(dropped).toEqual([3_000 - QUEUED, 3_001 - QUEUED])
  })

  it('that fails loses what it was told, and is told of the rest after a pause', async () => {
    const answers = [Promise.reject(new Error('no')), Promise.resolve()]
    const { one, timers, told, dropped } = observer(() => answers.shift()!)
    one.take([fact(1)])
    one.take([fact(2)])
    await turn()
    expect(told).toEqual([['1.0']])
    timers.fire(1_000)
    expect(told).toEqual([['1.0'], ['2.0']])
    timers.fire(COUNT_EVERY_MS)
    expect(dropped).toEqual([1])
  })

  it('hears nothing while it is off, nor what was left then, and leaves no timer behind', async () => {
    const { one, timers, told, state, dropped } = observer(() => Promise.reject(new Error('no')))
    one.take([fact(1)])
    one.take([fact(2)])
    state.on = false
    one.take([fact(3)])
    await turn()
    timers.fire(1_000)
    state.on = true
    one.take([fact(4)])
    expect(told).toEqual([['1.0'], ['4.0']])
    await turn()
    one.stop()
    expect([timers.open, dropped]).toEqual([0, []])
  })
})

async function withPlugins(
  w: TestWorld,
  sources: readonly PluginSource[],
  timers: ReturnType<typeof handTimers>,
): Promise<Plugins> {
  const log = { info: () => undefined, error: () => undefined }
  const plugins = await startPlugins(sources, { state: w.state, timers, now: w.world.now, log, report: () => undefined })
  opened.push(plugins)
  Object.assign(w.world, { plugins: plugins.port, workflows: plugins.book })
  return plugins
}
const row = (w: TestWorld, name: string) => w.state.graph.get('plugin', pluginUuid(name))

it('the example writes down what happens to VMs', async () => {
  const diary: PluginModule = (await import(new URL('../../packages/plugin/examples/diary.mjs', import.meta.url).href)).default
  const { w, engine } = await ready()
  const file = join(folder, 'diary.log')
  await withPlugins(w, [{ name: 'diary', config: { file }, start: localProcess(diary) }], handTimers())
  expect(row(w, 'diary')).toMatchObject({ status: 'Ready', events: ['vmInstance.>', 'host.>'], droppedEvents: 0 })
  const job = await done(engine, call('CreateVmInstance', vmParams))
  const { uuid } = job.result!['inventory'] as Row
  await vi.waitFor(async () => expect(await readFile(file, 'utf8')).toContain(`vmInstance ${uuid} created\n`), 30_000)
  expect(await readFile(file, 'utf8')).not.toContain('volume')
})

it('one that asks for no pattern of events is left out', async () => {
  const { w } = await ready()
  const broken = { name: 'broken', version: '1', summary: '', observes: { events: ['..'], observe: () => null } }
  await withPlugins(w, [{ name: 'broken', config: {}, start: localProcess(broken) }], handTimers())
  expect(row(w, 'broken')).toMatchObject({ status: 'Degraded', cause: expect.stringContaining('.. is no pattern of events') })
})

it('one that never answers stops nothing: it is ended at its deadline, and what it missed is counted in its row', async () => {
  const { w, engine } = await ready()
  const file = join(folder, 'stares.mjs')
  const code = `export default { name: 'stares', version: '1', summary: '', observes: { events: ['>'], observe() { for (;;); } } }`
  await writeFile(file, code)
  const timers = handTimers()
  await withPlugins(w, [{ name: 'stares', config: {}, start: (handlers) => startProcess(file, handlers) }], timers)
  for (const name of ['a', 'b']) {
    const job = await done(engine, call('CreateVmInstance', { ...vmParams, name, resourceUuid: undefined }))
    expect(job).toMatchObject({ state: 'done' })
  }
  expect(row(w, 'stares')).toMatchObject({ status: 'Ready' })
  timers.fire(5_000)
  await vi.waitFor(
    () => expect(row(w, 'stares')).toMatchObject({ status: 'Degraded', cause: 'it gave no answer within 5000 ms' }),
    30_000,
  )
  await vi.waitFor(() => {
    timers.fire(COUNT_EVERY_MS)
    expect(row(w, 'stares')?.['droppedEvents']).toBeGreaterThan(0)
  }, 30_000)
})
