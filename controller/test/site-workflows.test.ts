/** Workflows that only a file of the site knows: run with parameters, made of calls and a plugin's steps, undone, and killed at every point. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realTimers } from '@skerry/bus'
import { apis, type ErrorBody, type Row, rightsOf } from '@skerry/contract'
import { localProcess, type PluginModule } from '@skerry/plugin'
import { mermaidOf, prove, viewOfWorkflow } from '@skerry/workflow'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Plugins, startPlugins } from '../src/plugins/index.ts'
import { siteWorkflowUuid } from '../src/plugins/rows.ts'
import { jobsPort } from '../src/tasks/jobs-port.ts'
import { type DeclarationFile, findDeclarations } from '../src/workflows/declaration.read.ts'
import type { JobsPort } from '../src/workflows/world.ts'
import { created, on, ran } from './before.ts'
import { call, done, engineOf, ready } from './engine-calls.ts'
import { proven, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

const example = fileURLToPath(new URL('../../packages/workflow/examples', import.meta.url))
const register: PluginModule = (await import(new URL('../../packages/plugin/examples/register.mjs', import.meta.url).href))
  .default
const opened: Plugins[] = []
let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'skerry-site-'))))
afterEach(async () => {
  for (const plugins of opened.splice(0)) plugins.stop()
  await rm(folder, { recursive: true, force: true })
})

async function withFiles(w: TestWorld, workflows: readonly DeclarationFile[], modules: readonly PluginModule[] = [register]) {
  const sources = modules.map((module) => ({ name: 'register', config: { folder }, start: localProcess(module) }))
  const log = { info: () => undefined, error: () => undefined }
  const plugins = await startPlugins(sources, {
    ...{ state: w.state, timers: realTimers, now: w.world.now, log, report: () => undefined, workflows },
  })
  opened.push(plugins)
  Object.assign(w.world, { plugins: plugins.port, workflows: plugins.book })
  return plugins.book
}
const uuid = siteWorkflowUuid('vm.nightCopy')
const run = (parameters: Row) => call('RunSiteWorkflow', { uuid, parameters })
const file = (text: string): DeclarationFile[] => [{ file: 'own.yaml', text }]

/** A site with a VM that runs, an engine whose jobs are jobs, and the examples. */
async function withVm(modules?: readonly PluginModule[]) {
  const { w, engine } = await ready()
  w.world.jobs = jobsPort(() => engine, w.state.graph)
  const book = await withFiles(w, await findDeclarations(example), modules)
  const made = await done(engine, call('CreateVmInstance', vmParams))
  const vm = (made.result!['inventory'] as { uuid: string }).uuid
  const disk = w.state.graph.get('vmInstance', vm)!['rootVolumeUuid'] as string
  return { w, engine, book, vm, disk }
}

describe('a workflow of the site', () => {
  it('is shown, drawn and run by its parameters; each of its calls is a job', async () => {
    const { w, engine, book, vm, disk } = await withVm()
    expect(w.state.graph.get('siteWorkflow', uuid)).toMatchObject({
      ...{ name: 'vm.nightCopy', steps: ['stop-vm', 'snapshot-volume', 'register-note', 'start-vm'] },
      parameters: [
        { name: 'vm', type: 'vmInstance' },
        { name: 'disk', type: 'volume' },
      ],
    })
    const shown = [...book.all()].find(({ name }) => name === 'vm.nightCopy')!
    expect(mermaidOf(viewOfWorkflow(shown))).toContain('["aside, at the same time"]')
    const job = await done(engine, run({ vm, disk }))
    expect(job).toMatchObject({ state: 'done', steps: ['begin', 'stop-vm', 'snapshot-volume', 'register-note', 'start-vm'] })
    expect(w.state.graph.get('vmInstance', vm)?.['state']).toBe('Running')
    expect([...w.state.graph.by('volumeSnapshot', 'volumeUuid', disk)]).toHaveLength(1)
    expect(await readdir(folder)).toContain(`run-${job.uuid}.json`)
    const apisOf = [...w.state.graph.rows('job')].map(([, row]) => row['api'])
    expect(apisOf).toEqual(expect.arrayContaining(['StopVmInstance', 'CreateVolumeSnapshot', 'StartVmInstance']))
  })

  it('is undone where a step fails, calls and plugin steps alike', async () => {
    const { w, engine, vm, disk } = await withVm()
    const real = w.world.jobs
    w.world.jobs = {
      ...real,
      accept: (made) => (made.jobName === 'APIStartVmInstanceMsg' && !refused ? refuse() : real.accept(made)),
    }
    let refused = false
    const refuse = async () => {
      refused = true
      throw new Error('planted')
    }
    const job = await done(engine, run({ vm, disk }))
    expect(job).toMatchObject({ state: 'failed' })
    expect(w.state.graph.get('vmInstance', vm)?.['state']).toBe('Running')
    expect([...w.state.graph.by('volumeSnapshot', 'volumeUuid', disk)]).toEqual([])
    expect(await readdir(folder)).not.toContain(`run-${job.uuid}.json`)
  })

  it('goes on by what it recorded where the file is gone, and runs without a plugin that could not be loaded', async () => {
    const { w, engine, vm, disk } = await withVm([() => Promise.reject(new Error('broken'))])
    const job = await done(engine, run({ vm, disk }))
    expect(job.steps).toEqual(['begin', 'stop-vm', 'snapshot-volume', 'start-vm'])
    const row = w.state.graph.get('job', job.uuid) as { steps: string[]; declared: Row }
    const later = await withFiles(
      w,
      file('define: other.one\nsteps: [{ step: stop-vm, with: { uuid: $vm } }]\nparams: { vm: vmInstance }'),
      [],
    )
    expect(w.state.graph.get('siteWorkflow', uuid)).toBeUndefined()
    const begun = later.begun({ workflow: 'siteWorkflow.run', ...row })!
    expect(viewOfWorkflow(begun).steps.map(({ name }) => name)).toEqual(row.steps)
    await expect(done(engineOf(w), run({ vm, disk }))).rejects.toMatchObject({ code: 'not-found' })
  })

  it('is refused with parameters that it does not have, lacks, or that name nothing; and to all but administrators', async () => {
    const { engine, vm, disk } = await withVm()
    await expect(done(engine, run({ vm }))).rejects.toThrow('invalid field[parameters.disk]: it is required: uuid of a volume')
    await expect(done(engine, run({ vm, disk, x: 1 }))).rejects.toThrow('invalid field[parameters.x]: it takes vm, disk')
    await expect(done(engine, run({ vm: disk, disk }))).rejects.toMatchObject({ code: 'not-found' })
    const rights = apis.filter(({ resource }) => resource.name === 'siteWorkflow').map((one) => rightsOf(one))
    expect(rights).toEqual(['admin', 'admin'])
  })

  it('takes numbers and switches also as text, as the command line gives them', async () => {
    const { w, engine } = await ready()
    const text = 'define: my.own\nparams: { n: number, b: boolean }\nsteps: [{ step: enable-host, with: { uuid: x } }]\n'
    await withFiles(w, file(text), [])
    const own = (parameters: Row) => engine.accept(call('RunSiteWorkflow', { uuid: siteWorkflowUuid('my.own'), parameters }))
    await expect(own({ n: '1x', b: true })).rejects.toThrow('invalid field[parameters.n]: must be a number')
    await expect(own({ n: '1', b: 'yes' })).rejects.toThrow('invalid field[parameters.b]: must be a boolean')
    expect(await own({ n: '1.5', b: 'false' })).toMatchObject({ state: 'processing' })
  })

  it.each([
    ['no such step', 'define: my.own\nsteps: [stop-vn]', 'own.yaml:2: my.own: there is no step stop-vn; there are start-vm'],
    ['lacks what it must be given', 'define: my.own\nsteps: [stop-vm]', 'step stop-vm must be given uuid'],
    [
      'no such parameter',
      'define: my.own\nsteps: [{ step: stop-vm, with: { uuid: $vm } }]',
      'there is no parameter vm: add it to params',
    ],
    [
      'what its call does not take',
      'define: my.own\nsteps: [{ step: stop-vm, with: { uuid: x, speed: 1 } }]',
      'step stop-vm takes no speed',
    ],
    [
      'a bad value',
      'define: my.own\nsteps: [{ step: stop-vm, with: { uuid: x, type: soft } }]',
      'step stop-vm can’t be given type'.replace('’', "'"),
    ],
    [
      'no such type',
      'define: my.own\nparams: { vm: vmm }\nsteps: [{ step: stop-vm, with: { uuid: $vm } }]',
      'own.yaml:2: my.own: vmm is no type',
    ],
    [
      'a later step',
      'define: my.own\nsteps: [{ step: stop-vm, with: { uuid: $start-vm.job } }]',
      'there is no step start-vm before this one',
    ],
    [
      'one name twice',
      'define: my.own\nsteps: [{ step: stop-vm, with: { uuid: x } }, { step: stop-vm, with: { uuid: y } }]',
      'two steps are named stop-vm',
    ],
    [
      'a name of ours',
      'define: vm.create\nsteps: [{ step: stop-vm, with: { uuid: x } }]',
      'own.yaml:1: vm.create is a workflow of ours',
    ],
    ['another form', 'define: own\nsteps: [{ step: stop-vm }]', 'must be a name of two words'],
  ])('ends the start where a file says %s', async (_, text, said) => {
    const { w } = await ready()
    await expect(withFiles(w, file(text), [])).rejects.toThrow(said)
  })
})

/** Calls that do at once, in the graph, what the real ones do on hosts. */
function callsOf(w: TestWorld): JobsPort {
  const ended = new Map<string, { state: string }>()
  const state = (k: unknown, v: Row) => w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: k as string, v }] })
  return {
    async accept({ jobName, params, jobUuid }) {
      if (ended.has(jobUuid)) return
      ended.set(jobUuid, { state: 'done' })
      await state(params['uuid'], { state: jobName === 'APIStopVmInstanceMsg' ? 'Stopped' : 'Running' })
    },
    retry: async () => undefined,
    known: (job) => ended.get(job),
    ended: async (): Promise<ErrorBody | undefined> => undefined,
  }
}

it('is proven: failed, repeated, undone twice and killed at every point', async () => {
  const { w } = await ready()
  const text =
    'define: vm.again\nparams: { vm: vmInstance }\nsteps:\n  - { step: stop-vm, with: { uuid: $vm } }\n  - { step: start-vm, with: { uuid: $vm } }\n  - { step: stop-vm, as: rest, with: { uuid: $vm } }\n'
  const book = await withFiles(w, file(text), [])
  const workflow = book.action('siteWorkflow.run')!.chosen!(siteWorkflowUuid('vm.again'))
  const report = await prove(workflow, () =>
    proven(async (world) => {
      await site(world)
      await ran(world, ...created)
      world.world.jobs = callsOf(world)
      return on('siteWorkflow', uuid, { parameters: { vm: u.vm } })
    }),
  )
  expect(report.steps).toEqual(['begin', 'stop-vm', 'start-vm', 'rest'])
})
