/** Workflows that are declared in files: the examples do what they say, what can't be is refused with file and line, and jobs keep to theirs. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realTimers } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import { localProcess, type PluginModule } from '@skerry/plugin'
import { createRunner, mermaidOf, prove, stepNames, viewOfWorkflow } from '@skerry/workflow'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogJournal } from '../src/engine/journal.ts'
import { type Plugins, startPlugins } from '../src/plugins/index.ts'
import { plainBook } from '../src/workflows/book.ts'
import { findDeclarations } from '../src/workflows/declaration.read.ts'
import type { WorkflowBook } from '../src/workflows/world.ts'
import { call, done, engineOf, ready } from './engine-calls.ts'
import { set } from './place-world.ts'
import { cases } from './prove-cases.ts'
import { proven, type TestWorld, vmParams } from './world.ts'

const examples = fileURLToPath(new URL('../../packages/workflow/examples', import.meta.url))
const register: PluginModule = (await import(new URL('../../packages/plugin/examples/register.mjs', import.meta.url).href))
  .default
const opened: Plugins[] = []
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'skerry-declared-'))))
afterEach(async () => {
  for (const plugins of opened.splice(0)) plugins.stop()
  await rm(folder, { recursive: true, force: true })
})

async function withFiles(w: TestWorld, given: string, modules: readonly PluginModule[] = [register]): Promise<WorkflowBook> {
  const sources = modules.map((module) => ({ name: 'register', config: { folder }, start: localProcess(module) }))
  const log = { info: () => undefined, error: () => undefined }
  const ports = { state: w.state, timers: realTimers, now: w.world.now, log, report: () => undefined }
  const plugins = await startPlugins(sources, { ...ports, workflows: await findDeclarations(given) })
  opened.push(plugins)
  Object.assign(w.world, { plugins: plugins.port, workflows: plugins.book })
  return plugins.book
}
const vmNamed = (name: string) => call('CreateVmInstance', { ...vmParams, name, resourceUuid: undefined })
const order = ['make-ids', 'persist', 'allocate-host', 'allocate-nics', 'make-volume', 'register-enter']

describe('the examples', () => {
  it('give a workflow another order, a group, steps of a plugin, and skip where the call says so', async () => {
    const { w, engine } = await ready()
    const book = await withFiles(w, examples)
    const web = await done(engine, vmNamed('web'))
    expect(web).toMatchObject({
      state: 'done',
      steps: [...order, 'network-choose-routers', 'network-make-network', 'power-on', 'boot'],
    })
    expect(web.skipped).toBeUndefined()
    const test = await done(engine, vmNamed('test-1'))
    expect(test).toMatchObject({ state: 'done', skipped: ['register-enter'] })
    expect(await readdir(folder)).toEqual([`${(web.result!['inventory'] as Row)['uuid']}.json`])
    // The same after a restart: it stands in the log.
    expect(engineOf(w).job(test.uuid)?.skipped).toEqual(['register-enter'])
    const drawn = mermaidOf(viewOfWorkflow(book.action('vm.create')!.workflow))
    expect(drawn).toContain('["disk and register, at the same time"]')
    expect(drawn).toContain('["network: vm.network"]')
  })

  it('are proven: failed, repeated, undone and killed at every point', async () => {
    const { w } = await ready()
    const book = await withFiles(w, examples)
    const report = await prove(book.action('l2Network.attach')!.workflow, () => proven(cases['l2Network.attach']!))
    expect([report.steps, report.skipped]).toEqual([['attach'], ['make-bridges']])
  })

  it('may make the network of a VM beside its disk, a sub-workflow in a group: proven like all others', async () => {
    const { w } = await ready()
    const steps = ['make-ids', 'persist', 'allocate-host', 'allocate-nics', 'power-on', 'boot'].map((name) => `  - ${name}\n`)
    steps.splice(4, 0, '  - parallel: devices\n    steps: [make-volume, { use: vm.network }]\n')
    await writeFile(join(folder, 'vm.yaml'), `workflow: vm.create\nsteps:\n${steps.join('')}`)
    const { workflow } = (await withFiles(w, folder, [])).action('vm.create')!
    expect(mermaidOf(viewOfWorkflow(workflow))).toContain('["network: vm.network"]')
    const report = await prove(workflow, () => proven(cases['vm.create']!))
    expect(report.steps).toEqual([...order.slice(0, 5), 'network-choose-routers', 'network-make-network', 'power-on', 'boot'])
  })

  it('go without a plugin that is switched off or could not be loaded', async () => {
    const { w, engine } = await ready()
    await withFiles(w, examples, [() => Promise.reject(new Error('broken'))])
    const without = order.filter((name) => name !== 'register-enter')
    expect((await done(engine, vmNamed('a'))).steps.slice(0, 5)).toEqual(without)
    await withFiles(w, examples)
    const { uuid } = [...w.state.graph.rows('plugin')].map(([, row]) => row as { uuid: string })[0]!
    await done(engine, call('ChangePluginState', { uuid, stateEvent: 'disable' }))
    expect((await done(engine, vmNamed('b'))).steps.slice(0, 5)).toEqual(without)
    await done(engine, call('ChangePluginState', { uuid, stateEvent: 'enable' }))
    expect((await done(engine, vmNamed('c'))).steps.slice(0, 6)).toEqual(order)
  })
})

describe('a file that says what can’t be', () => {
  it.each<[string, string, string]>([
    [
      'a step that is not there',
      'workflow: l2Network.attach\nsteps:\n  - attach\n  - make-brigdes\n',
      ':4: l2Network.attach: there is no make-brigdes here',
    ],
    [
      'a step left out',
      'workflow: l2Network.attach\nsteps:\n  - make-bridges\n',
      ':3: l2Network.attach: step attach is left out',
    ],
    [
      'a step twice',
      'workflow: l2Network.attach\nsteps:\n  - attach\n  - make-bridges\n  - attach\n',
      ':5: l2Network.attach: attach stands here twice',
    ],
    [
      'another order',
      'workflow: l2Network.attach\nsteps:\n  - make-bridges\n  - attach\n',
      ':3: l2Network.attach: make-bridges must stand behind attach',
    ],
    ['no such workflow', '# one\n\nworkflow: l2Network.atach\nsteps: [attach]\n', ':3: l2Network.atach: there is no workflow'],
    [
      'no such parameter',
      'workflow: l2Network.attach\nsteps:\n - attach\n - step: make-bridges\n   skip: { when: { nam: x } }\n',
      ':4: l2Network.attach: its calls have no parameter nam; they have',
    ],
    [
      'another form',
      'workflow: l2Network.attach\nsteps:\n  - attach\n  - step: make-bridges\n    skip: sometimes\n',
      ':5: steps.1.skip: must be true, or',
    ],
    ['no YAML', 'workflow: l2Network.attach\nsteps: [attach\n', ':3: '],
    ['a key twice', 'workflow: l2Network.attach\nworkflow: vm.create\nsteps: [attach]\n', ':2: Map keys must be unique'],
  ])('is refused: %s', async (_, text, said) => {
    const { w } = await ready()
    const file = join(folder, 'one.yaml')
    await writeFile(file, text)
    await expect(withFiles(w, folder, [])).rejects.toMatchObject({
      ...{ code: 'invalid-argument', message: expect.stringContaining(file + said), details: { file } },
    })
  })

  it('is refused where two say the same workflow, and a folder without any', async () => {
    const { w } = await ready()
    await expect(withFiles(w, folder, [])).rejects.toThrow('there is no workflow (*.yaml, *.yml) in')
    await expect(withFiles(w, join(folder, 'none'), [])).rejects.toThrow('must be a folder of files')
    const text = 'workflow: l2Network.attach\nsteps: [attach, make-bridges]\n'
    await Promise.all(['a.yaml', 'b.yml'].map((name) => writeFile(join(folder, name), text)))
    await expect(withFiles(w, folder, [])).rejects.toThrow(
      `${join(folder, 'b.yml')}:1: l2Network.attach is declared in ${join(folder, 'a.yaml')}`,
    )
  })
})

describe('a job that was begun by a declaration', () => {
  it('goes on by that one, whatever the files say by then, or is stuck where it can’t be followed', async () => {
    const { w, engine } = await ready()
    const book = await withFiles(w, examples)
    const journal = new LogJournal({ state: w.state, now: w.world.now, begun: () => undefined })
    const run = (with_: WorkflowBook) =>
      createRunner({ workflows: (job) => with_.begun(job), world: w.world, journal, clock: w.world, sleep: async () => {} })
    // The job is accepted by a controller that ends at once: nothing of it has run.
    const accepted = async (name: string) => {
      const { uuid } = await done(engine, vmNamed(name))
      await w.commit({ ops: [set('job', uuid, { state: 'processing', result: null, finishedAt: null })] })
      return uuid
    }
    const job = await accepted('test-2')
    const { steps, declared } = w.state.graph.get('job', job) as { steps: string[]; declared: Row }
    expect(declared).toMatchObject({ workflow: 'vm.create' })
    await writeFile(join(folder, 'other.yaml'), 'workflow: l2Network.attach\nsteps: [attach]\n')
    const other = await withFiles(w, folder)
    expect(stepNames(other.begun({ workflow: 'vm.create', steps, declared })!)).toEqual(steps)
    expect(stepNames(book.begun({ workflow: 'vm.create', steps: ['make-ids'], declared: undefined })!)).not.toContain(
      'register-enter',
    )
    // Without the plugin nobody can say what that step was.
    await run(plainBook).run(job)
    expect(w.state.graph.get('job', job)).toMatchObject({
      ...{
        state: 'stuck',
        error: { code: 'upgrade-stuck', message: expect.stringContaining('there is no register-enter here') },
      },
    })
    await run(other).retry(job)
    expect(w.state.graph.get('job', job)).toMatchObject({ state: 'failed' })
  })
})
