/** [format] Desired documents of a whole site, against the golden file of version 1: agents of that version must still read them. */
import { join } from 'node:path'
import { type AgentKind, canonicalJson, type Document, nouns, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { digestLines, documentOf } from '../src/agents/documents.ts'
import { specHash } from '../src/engine/state.ts'
import { actions } from '../src/workflows/index.ts'
import { input, makeWorld, site, type TestWorld, u, vmParams } from './world.ts'

const golden = join(import.meta.dirname, 'golden/documents-v1.json')
const JOB = '5a9e0000000040008000000000000001'

async function withVm(): Promise<TestWorld> {
  const { createRunner, memoryJournal } = await import('@skerry/workflow')
  const w = await makeWorld()
  await site(w)
  const journal = memoryJournal((change) => w.commit(change))
  const { workflow } = actions.get('vm.create')!
  journal.accept(JOB, workflow, input(u.vm, 'vmInstance', vmParams))
  await createRunner({
    ...{ workflows: new Map([['vm.create', workflow]]), world: w.world, journal, clock: { now: () => 0 } },
    sleep: async () => undefined,
  }).run(JOB)
  return w
}

/** Every document of the site by noun; generations are numbers of this log and left out. */
async function documents(): Promise<Record<string, Row>> {
  const w = await withVm()
  const found: Record<string, Row> = {}
  for (const [key, row] of w.state.graph.rows('desired')) {
    const { generation: _, ...rest } = documentOf(w.state.graph, key) as Document
    found[`${row['noun']} ${row['uuid'] === u.bs ? 'of the image store' : ''}`.trim()] = rest
  }
  return found
}

describe('desired documents', () => {
  it('are what version 1 wrote', async () => {
    await expect(`${JSON.stringify(await documents(), null, 2)}\n`).toMatchFileSnapshot(golden)
  })

  it('fit the schemas that agents check them by, and their hash is that of their canonical text', async () => {
    const made = Object.values(await documents())
    expect(made.map((d) => d['noun']).sort()).toEqual(['bridge', 'lease', 'pool', 'pool', 'router', 'vm', 'volume'])
    const schemas = Object.values(nouns as Record<AgentKind, (typeof nouns)['kvm']>).flat()
    for (const document of made) {
      expect(schemas.find((n) => n.noun === document['noun'])?.spec.safeParse(document['spec']).error).toBeUndefined()
      expect(document['hash']).toBe(specHash(JSON.parse(canonicalJson(document['spec'])) as Row))
    }
  })

  it('make up the digest of their agent, tombstones apart', async () => {
    const w = await withVm()
    const before = digestLines(w.state.graph, u.kvm).map((l) => l.noun)
    expect(before.sort()).toEqual(['bridge', 'vm'])
    await w.commit({ ops: [{ o: 'set', t: 'vmInstance', k: u.vm, v: { state: 'Destroyed' } }] })
    expect(digestLines(w.state.graph, u.kvm).map((l) => l.noun)).toEqual(['bridge'])
  })
})
