/** Plugins of a controller: the examples do what they say, a job keeps to the steps that it began with, and all of it is proven. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realTimers } from '@skerry/bus'
import { type Row, SkerryError } from '@skerry/contract'
import { localProcess, type PluginModule } from '@skerry/plugin'
import { createRunner, prove } from '@skerry/workflow'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogJournal } from '../src/engine/journal.ts'
import { type Plugins, startPlugins } from '../src/plugins/index.ts'
import { placeBy } from '../src/plugins/rank.ts'
import { pluginUuid } from '../src/plugins/rows.ts'
import { plainBook } from '../src/workflows/book.ts'
import { created, onSite } from './before.ts'
import { call, done, engineOf, ready } from './engine-calls.ts'
import { host, hosts, set } from './place-world.ts'
import { proven, type TestWorld, u, vmParams } from './world.ts'

/** As the controller loads them, by their files. */
const example = async (name: string): Promise<PluginModule> =>
  (await import(new URL(`../../packages/plugin/examples/${name}.mjs`, import.meta.url).href)).default
const [protectedTag, register, spread] = (await Promise.all(['protected', 'register', 'spread'].map(example))) as [
  PluginModule,
  PluginModule,
  PluginModule,
]
const opened: Plugins[] = []
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'skerry-plugins-'))))
afterEach(async () => {
  for (const plugins of opened.splice(0)) plugins.stop()
  await rm(folder, { recursive: true, force: true })
})

async function withPlugins(w: TestWorld, modules: readonly PluginModule[], config: Row = { folder }): Promise<Plugins> {
  const sources = modules.map((module, i) => ({ name: `file-${i}`, config, start: localProcess(module) }))
  const log = { info: () => undefined, error: () => undefined }
  const plugins = await startPlugins(sources, {
    state: w.state,
    timers: realTimers,
    now: w.world.now,
    log,
    report: () => undefined,
  })
  opened.push(plugins)
  Object.assign(w.world, { plugins: plugins.port, workflows: plugins.book })
  return plugins
}
const switched = (stateEvent: string, name: string) => call('ChangePluginState', { uuid: pluginUuid(name), stateEvent })
const vmNamed = (name: string) => call('CreateVmInstance', { ...vmParams, name, resourceUuid: undefined })

describe('the example that adds a step', () => {
  it('writes each new VM into its register, and takes it out when the creation fails', async () => {
    const { w, engine } = await ready()
    await withPlugins(w, [register])
    const job = await done(engine, call('CreateVmInstance', vmParams))
    expect(job).toMatchObject({ state: 'done', steps: expect.arrayContaining(['persist', 'register-enter', 'allocate-host']) })
    expect(await readdir(folder)).toEqual([`${(job.result!['inventory'] as Row)['uuid']}.json`])
  })

  it('is proven with its step: failed, repeated, undone and killed at every point', async () => {
    const { w } = await ready()
    const { book } = await withPlugins(w, [register])
    const report = await prove(book.action('vm.create')!.workflow, () => proven(onSite(created[1])))
    expect(report.steps).toContain('register-enter')
  })

  it('is left out where it fails, or fails the job where it is essential', async () => {
    const { w, engine } = await ready()
    await writeFile(join(folder, 'file'), '')
    const nowhere = { folder: join(folder, 'file') }
    await withPlugins(w, [register], nowhere)
    expect(await done(engine, vmNamed('a'))).toMatchObject({ state: 'done' })
    expect(w.state.graph.get('plugin', pluginUuid('register'))).toMatchObject({
      ...{
        status: 'Degraded',
        cause: expect.stringContaining('EEXIST'),
        steps: ['vm.create/register-enter', 'siteWorkflow.run/register-note'],
      },
    })
    const enter = (do_: () => never) => ({
      ...{ workflow: 'vm.create', name: 'enter', after: 'persist', essential: true, do: do_, undo: () => null },
    })
    const fail = (): never => {
      throw new Error('the register is full')
    }
    await withPlugins(w, [{ name: 'must', version: '1', summary: '', steps: [enter(fail)] }])
    expect(await done(engineOf(w), vmNamed('b'))).toMatchObject({
      ...{ state: 'failed', error: { code: 'plugin-failed', details: { step: 'must-enter', plugin: 'must' } } },
    })
  })

  it('is switched off and on while the controller runs, for new jobs', async () => {
    const { w, engine } = await ready()
    await withPlugins(w, [register])
    await done(engine, switched('disable', 'register'))
    expect((await done(engine, vmNamed('a'))).steps).not.toContain('register-enter')
    await done(engine, switched('enable', 'register'))
    expect((await done(engine, vmNamed('b'))).steps).toContain('register-enter')
    expect(await readdir(folder)).toHaveLength(1)
  })
})

describe('a job that was begun with a step of a plugin', () => {
  it('is stuck without the plugin, and undone when it is back; one that was begun without it goes on without', async () => {
    const { w, engine } = await ready()
    const { book } = await withPlugins(w, [register])
    const journal = new LogJournal({ state: w.state, now: w.world.now, begun: () => undefined })
    const run = (workflows: typeof book) =>
      createRunner({ workflows: (job) => workflows.begun(job), world: w.world, journal, clock: w.world, sleep: async () => {} })
    // The job is accepted by a controller that ends at once: nothing of it has run.
    const accepted = async (with_: typeof book | undefined) => {
      w.world.workflows = with_!
      const job = await done(engine, vmNamed('x'))
      const row = w.state.graph.get('job', job.uuid)!
      await w.commit({ ops: [set('job', job.uuid, { state: 'processing', result: null, finishedAt: null })] })
      return { uuid: job.uuid, steps: row['steps'] as string[] }
    }
    const withIt = await accepted(book)
    expect(withIt.steps).toContain('register-enter')
    await run(plainBook).run(withIt.uuid)
    expect(w.state.graph.get('job', withIt.uuid)).toMatchObject({
      ...{ state: 'stuck', error: { code: 'upgrade-stuck', details: { step: 'register-enter' } } },
    })
    await run(book).retry(withIt.uuid)
    expect(w.state.graph.get('job', withIt.uuid)).toMatchObject({ state: 'failed' })
    const without = await accepted(plainBook)
    await run(book).run(without.uuid)
    expect(w.state.graph.get('job', without.uuid)?.['error'] ?? {}).not.toMatchObject({ code: 'upgrade-stuck' })
  })
})

describe('the example with a tag that acts', () => {
  it('keeps what has it from being deleted, also along with something else', async () => {
    const { w, engine } = await ready()
    await withPlugins(w, [protectedTag])
    const job = await done(engine, call('CreateVmInstance', vmParams))
    const { uuid } = job.result!['inventory'] as Row
    const tag = (text: string) => call('CreateSystemTag', { resourceType: 'VmInstanceVO', resourceUuid: uuid, tag: text })
    await expect(engine.accept(tag('protected::x'))).rejects.toMatchObject({ code: 'plugin-refused' })
    const tagged = await done(engine, tag('protected::payroll'))
    await expect(engine.accept(call('DestroyVmInstance', { uuid }))).rejects.toThrow('it is protected: payroll')
    await expect(engine.plan(call('DestroyVmInstance', { uuid }))).rejects.toMatchObject({ code: 'plugin-refused' })
    await expect(engine.accept(call('DeleteZone', { uuid: u.zone }))).rejects.toThrow('it is protected: payroll')
    await done(engine, call('DeleteTag', { uuid: (tagged.result!['inventory'] as Row)['uuid'] }))
    expect(await done(engine, call('DestroyVmInstance', { uuid }))).toMatchObject({ state: 'done' })
  })

  it('has no form while its plugin is not there or off', async () => {
    const { w, engine } = await ready()
    const tag = call('CreateSystemTag', { resourceType: 'ImageVO', resourceUuid: u.image, tag: 'protected::why not' })
    await expect(engine.accept(tag)).rejects.toThrow('no system tag of a image has the form')
    await withPlugins(w, [protectedTag])
    await done(engine, switched('disable', 'protected'))
    await expect(engine.accept(tag)).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

describe('the example strategy', () => {
  async function racks(): Promise<TestWorld> {
    const w = await hosts([2, 0, 1])
    const rack = (i: number, name: string) => ({
      ...{ o: 'put' as const, t: 'tag', k: `t${i}` },
      v: { uuid: `t${i}`, resourceUuid: host(i), resourceType: 'HostVO', type: 'System', tag: `spread::rack::${name}` },
    })
    const ops = [1, 2, 3].map((i) => set('host', host(i), { state: 'Enabled' }))
    await w.commit({
      ops: [set('l2Network', u.l2, { physicalInterface: 'eth0' }), ...ops, rack(1, 'a'), rack(2, 'a'), rack(3, 'b')],
    })
    return w
  }
  const request = (strategy: string) => ({
    ...{ strategy, cpuNum: 1, memoryBytes: 1024 ** 3, diskBytes: 1024 ** 3, l3NetworkUuids: [u.l3] },
  })
  const chosen = async (w: TestWorld, strategy: string) => (await placeBy(w.world, request(strategy))).hostUuid

  it('chooses among the hosts that the filters let through', async () => {
    const w = await racks()
    await withPlugins(w, [spread])
    // Rack a has two VMs, all on its first host; rack b has one.
    expect(await chosen(w, 'LeastVmPreferredHostAllocatorStrategy')).toBe(host(2))
    expect(await chosen(w, 'spread:racks')).toBe(host(3))
    await w.commit({ ops: [set('host', host(3), { state: 'Disabled' })] })
    expect(await chosen(w, 'spread:racks')).toBe(host(2))
  })

  it('fails what names it when it is gone, lies or wants none, and says so', async () => {
    const w = await racks()
    const failure = () => chosen(w, 'lies:s').catch((error: SkerryError) => error.code)
    expect(await failure()).toBe('plugin-failed')
    for (const [answer, code] of [
      [[u.vm], 'plugin-failed'],
      [[host(1), host(1)], 'plugin-failed'],
      [{ hosts: 'all' }, 'plugin-failed'],
      [[], 'no-host'],
    ] as const) {
      const strategies = { s: () => answer as unknown as string[] }
      await withPlugins(w, [{ name: 'lies', version: '1', summary: 'Lies', strategies }])
      expect(await failure(), JSON.stringify(answer)).toBe(code)
    }
  })

  it('is what a VM with such an offering is placed by', async () => {
    const { w, engine } = await ready()
    await w.commit({ ops: [set('instanceOffering', u.offering, { allocatorStrategy: 'spread:racks' })] })
    expect((await done(engine, vmNamed('a'))).error).toMatchObject({ code: 'plugin-failed', details: { step: 'allocate-host' } })
    await withPlugins(w, [spread])
    expect(await done(engine, vmNamed('b'))).toMatchObject({ state: 'done' })
  })

  it('is what an offering may name, when a plugin has it', async () => {
    const { w, engine } = await ready()
    const make = call('CreateInstanceOffering', {
      name: 'o',
      cpuNum: 1,
      memorySize: 1024 ** 3,
      allocatorStrategy: 'spread:racks',
    })
    await expect(engine.accept(make)).rejects.toThrow('no plugin has a strategy spread:racks')
    await withPlugins(w, [spread])
    expect(await done(engine, make)).toMatchObject({ state: 'done' })
  })
})

it('what does not fit is left out, and said: the controller goes on without it', async () => {
  const { w } = await ready()
  const step = { name: 's', do: () => null, noUndo: 'nothing' }
  const of = (name: string, more: object): PluginModule => ({ name, version: '1', summary: '', ...more }) as PluginModule
  const { book } = await withPlugins(w, [
    of('a', { steps: [{ ...step, workflow: 'vm.creat', after: 'persist' }] }),
    of('b', { steps: [{ ...step, workflow: 'vm.create', after: 'persits' }] }),
    of('c', { tags: [{ resource: 'nothing', pattern: 'c::{x}' }] }),
    of('d', {}),
    of('d', {}),
    () => Promise.reject(new SkerryError('internal', 'its configuration is missing')),
  ])
  const causes = [...w.state.graph.rows('plugin')].map(([, row]) => row['cause']).sort()
  expect(causes).toEqual([
    'invalid field[resourceType]: there is no type NothingVO',
    'plugin file-5 failed: its configuration is missing',
    'step b-s has no place in workflow vm.create: there is no step persits',
    'there is no workflow vm.creat, see skerry get workflows',
    'two plugins are named d',
    'two plugins are named d',
  ])
  expect(book.action('vm.create')).toBe(plainBook.action('vm.create'))
})
