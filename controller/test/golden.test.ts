/**
 * What earlier versions wrote is read by this one, and what this one writes has the form of the version that it says. A golden
 * folder is never changed: `scripts/golden` records the next version beside it.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { CONTRACT_VERSION, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openDocument } from '../src/store/document.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { frameEnd, parseFrame } from '../src/store/record.ts'
import { actions } from '../src/workflows/index.ts'
import { engineOf } from './engine-calls.ts'
import { job, journal, LOG, recordJournal, vmOf } from './golden-journal.ts'
import { DIR, node, openAt, recordSecrets, values } from './golden-secrets.ts'
import { id, makeWorld, type TestWorld } from './world.ts'

const golden = new URL('./golden/', import.meta.url)
const versions = Array.from({ length: CONTRACT_VERSION }, (_, i) => i + 1)

function journalOf(version: number): FakeDisk {
  const folder = new URL(`journal-v${version}/`, golden)
  return fakeDisk(readdirSync(folder).map((name) => [`${LOG}/${name}`, readFileSync(new URL(name, folder))]))
}

/** A controller's state over the log; its agents do as they are told. */
const opened = (disk: FakeDisk) => makeWorld({ disk, ids: 'later' })
const stateOf = (w: TestWorld, name: string) => w.state.graph.get('job', job(name))?.['state']

type VmCreate = NonNullable<ReturnType<typeof actions.get>>['workflow']

const changed = (workflow: VmCreate, step: string, change: Row): VmCreate => ({
  ...workflow,
  version: 2,
  steps: workflow.steps.map((s) => (s.name === step ? { ...s, ...change } : s)),
})

/** Runs with another version of the workflow. */
async function withVmCreate(upgrade: (workflow: VmCreate) => VmCreate, run: () => Promise<void>): Promise<void> {
  const action = actions.get('vm.create') as { workflow: VmCreate }
  const before = action.workflow
  action.workflow = upgrade(before)
  try {
    await run()
  } finally {
    action.workflow = before
  }
}

describe.each(versions)('a log of version %i that ends in the middle of jobs', (version) => {
  it('is read whole: snapshot, segments, manifest', async () => {
    const w = await opened(journalOf(version))
    const { recovery } = w.state.store
    expect(recovery).toMatchObject({ tornBytes: 0, badSnapshots: [], snapshot: expect.any(Number) })
    expect(recovery.corrupt).toBeUndefined()
    expect(recovery.replayed).toBeGreaterThan(10)
    expect(journal.map(({ name }) => stateOf(w, name))).toEqual(journal.map(({ left }) => left))
  })

  it('is carried on: each job comes to its end, none is skipped', async () => {
    const w = await opened(journalOf(version))
    const engine = engineOf(w)
    expect(engine.resume()).toBe(journal.filter(({ left }) => left === 'processing' || left === 'undoing').length)
    for (const { name, end } of journal) {
      const ended = await engine.wait(job(name), 20_000)
      expect({ name, state: ended?.state, error: end === 'done' ? ended?.error : undefined }).toEqual({ name, state: end })
    }
    const vm = (name: string) => w.state.graph.get('vmInstance', vmOf(name))
    expect([vm('undoing'), vm('mid-step')?.['state'], vm('over')?.['state'], vm('over')?.['name']]).toEqual([
      undefined,
      'Running',
      'Stopped',
      'renamed',
    ])
    expect(w.state.graph.get('image', id('mid-transfer'))?.['status']).toBe('Ready')
    expect((await engine.retry(job('stuck'))).state).toBe('failed')
    expect(w.state.graph.get('image', id('stuck'))).toBeUndefined()
    expect(w.state.graph.count('jobStep')).toBe(0)
    expect([...w.state.graph.rows('tag')]).toHaveLength(2)
  })

  it('knows calls that were made before, and hooks that are still to be called', async () => {
    const { graph } = (await opened(journalOf(version))).state
    expect([...graph.rows('callKey')].map(([, row]) => row['job'])).toEqual([job('over')])
    expect([...graph.rows('hook')].map(([, row]) => row['url'])).toEqual(['http://127.0.0.1:1/hook'])
  })

  it('is carried on by an upgraded workflow whose steps are the same', async () => {
    await withVmCreate(
      (workflow) => ({ ...workflow, version: 2 }),
      async () => {
        const engine = engineOf(await opened(journalOf(version)))
        engine.resume()
        expect((await engine.wait(job('mid-step'), 20_000))?.state).toBe('done')
      },
    )
  })

  it.each<[string, string, (workflow: VmCreate) => VmCreate]>([
    ['lost a step', 'make-volume', (w) => ({ ...w, steps: w.steps.filter(({ name }) => name !== 'make-volume') })],
    ['renamed a step', 'make-volume', (w) => changed(w, 'make-volume', { name: 'create-volume' })],
    ['changed what a step means', 'power-on', (w) => changed(w, 'power-on', { version: 2 })],
    ['reads an output otherwise', 'make-ids', (w) => changed(w, 'make-ids', { output: z.object({ vmUuid: z.string() }) })],
  ])(
    'is stuck by an upgrade that %s: named, whole, never skipped, and undone by the version that began it',
    async (_, step, upgrade) => {
      const w = await opened(journalOf(version))
      const vm = () => w.state.graph.get('vmInstance', vmOf('mid-step'))
      await withVmCreate(upgrade, async () => {
        const engine = engineOf(w)
        engine.resume()
        const stuck = (await engine.wait(job('mid-step'), 20_000))!
        expect(stuck).toMatchObject({
          state: 'stuck',
          step,
          error: { code: 'upgrade-stuck', hint: expect.any(String), details: { step } },
        })
        expect((await engine.retry(job('mid-step'))).state).toBe('stuck')
        expect(vm()).toBeDefined()
      })
      expect((await engineOf(w).retry(job('mid-step'))).state).toBe('failed')
      expect([vm(), w.state.graph.countBy('jobStep', 'jobUuid', job('mid-step'))]).toEqual([undefined, 0])
    },
  )
})

it('refuses a manifest of a newer format', async () => {
  const disk = journalOf(CONTRACT_VERSION)
  const json = JSON.stringify({ format: 2, incarnation: 1, durable: 1 })
  const file = await disk.open(`${LOG}/manifest.json`, 'create')
  await file.write(0, Buffer.from(`${hash('sha256', json)}\n${json}\n`))
  await file.sync()
  await expect(opened(disk)).rejects.toMatchObject({ code: 'log-newer', details: { format: 2, known: 1 } })
})

describe('secrets, site key and node of version 1', () => {
  const folder = new URL('secrets-v1/', golden)
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.includes('.'))
  const files = () => names.map((name): [string, Buffer] => [`${DIR}/${name}`, readFileSync(new URL(name, folder))])

  it('are opened, value for value', async () => {
    const disk = fakeDisk(files())
    const secrets = await openAt(disk, disk.content(`${DIR}/site.key`)!)
    const found = await Promise.all((await secrets.list()).map((one) => secrets.get(one)))
    expect(found.sort()).toEqual([...values].sort())
    expect((await openDocument(disk, `${DIR}/node.json`, {})).low.data).toEqual(node)
    const damaged = fakeDisk(files().filter(([name]) => !name.endsWith('node.json')))
    expect((await openDocument(damaged, `${DIR}/node.json`, {})).low.data).toEqual({ ...node, publishedSeq: 0 })
  })

  it('are what this version writes, byte for byte', async () => {
    const disk = await recordSecrets()
    expect(
      disk
        .files()
        .sort()
        .map((file) => [file, disk.content(file)?.toString('latin1')]),
    ).toEqual(
      files()
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([file, bytes]) => [file, bytes.toString('latin1')]),
    )
  })
})

/** Records of a log without what only says when they were written. */
function recordsOf(disk: FakeDisk): Row[] {
  const records: Row[] = []
  for (const file of disk
    .files()
    .filter((name) => name.endsWith('.seg'))
    .sort()) {
    const bytes = disk.content(file)!
    for (let at = 0, end = frameEnd(bytes, at); end !== undefined; at = end, end = frameEnd(bytes, at)) {
      const { prev: _, durable: __, ...record } = parseFrame(bytes, at, end)
      records.push(record as unknown as Row)
    }
  }
  return records
}

/** `field: type` of every value below, list entries merged. */
function formOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => formOf(one, `${path}[]`))
  if (typeof value !== 'object' || value === null) return [`${path}: ${value === null ? 'null' : typeof value}`]
  return Object.entries(value).flatMap(([key, one]) => formOf(one, `${path}.${/^[0-9a-f]{32}/.test(key) ? '<id>' : key}`))
}

/** Form of the rows of each table. Only the engine's own: resources may gain fields, and their readers take a missing one as null. */
function tableForms(records: readonly Row[]): Record<string, string[]> {
  const forms: Record<string, Set<string>> = {}
  for (const { commit } of records as { commit: { ops: { t: string; v?: Row; o: string }[] } }[])
    for (const { t, v, o } of commit.ops)
      if (['job', 'jobStep', 'callKey', 'hook', 'desired'].includes(t) && v && o === 'put')
        for (const line of formOf(t === 'job' ? { ...v, input: 0 } : t === 'jobStep' ? { ...v, output: 0 } : v))
          (forms[t] ??= new Set()).add(line)
  return Object.fromEntries(Object.entries(forms).map(([t, lines]) => [t, [...lines].sort()]))
}

describe('what this version writes', () => {
  it('has the form of its golden log: records, the rows of the engine, and every field of the others', async () => {
    const now = recordsOf(await recordJournal())
    const then = recordsOf(journalOf(CONTRACT_VERSION))
    expect(Object.keys(now[0]!)).toEqual(Object.keys(then[0]!))
    expect(now.map(({ contract }) => contract).every((v) => v === CONTRACT_VERSION)).toBe(true)
    expect(tableForms(now)).toEqual(tableForms(then))
    const steps = (records: Row[]) =>
      records.map(({ commit }) => (commit as { ops: { t: string; o: string; k: string }[] }).ops.map(({ t, o }) => `${o} ${t}`))
    expect(steps(now)).toEqual(steps(then))
  })
})
