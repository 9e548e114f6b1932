/** [format] Desired documents of a whole site, against the golden files of each version: agents of those versions must still read them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AgentKind, canonicalJson, castSpec, type Document, documentCasts, nouns, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { digestLines, documentOf } from '../src/agents/documents.ts'
import { specHash } from '../src/engine/state.ts'
import { actions } from '../src/workflows/index.ts'
import { after, on } from './before.ts'
import { onData, second, snapshot, taken } from './snapshot-cases.ts'
import { data } from './volume-cases.ts'
import { input, makeWorld, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

const golden = (version: number) => join(import.meta.dirname, `golden/documents-v${version}.json`)
/** Schemas of nouns in the versions before this one, where they were others. */
const SCHEMAS: Readonly<Record<string, readonly number[]>> = {
  ...{ vm: [1, 2, 3, 4], volume: [1, 1, 2, 2] },
  ...{ bridge: [1, 1, 1, 1], router: [1, 1, 1, 1, 2], lease: [1, 1, 1, 1] },
}
const JOB = '5a9e0000000040008000000000000001'

/** As the versions before chose it. */
async function chooseFirstUplink(w: TestWorld): Promise<void> {
  const key = `${u.vrouter}:0`
  const dates = { createDate: 0, lastOpDate: 0 }
  const uplink = { uuid: key, name: key, agentUuid: u.vrouter, l3NetworkUuid: u.l3, number: 0, ...dates }
  await w.commit({
    ops: [
      { o: 'put', t: 'routerUplink', k: key, v: uplink },
      { o: 'set', t: 'l3Network', k: u.l3, v: { routerAgentUuid: u.vrouter, routerUplink: 0 } },
    ],
  })
}

async function withVm(): Promise<TestWorld> {
  const { createRunner, memoryJournal } = await import('@skerry/workflow')
  const w = await makeWorld()
  await site(w)
  await chooseFirstUplink(w)
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
  it('are what version 6 wrote', async () => {
    await expect(`${JSON.stringify(await documents(), null, 2)}\n`).toMatchFileSnapshot(golden(6))
  })

  it.each([1, 2, 3, 4, 5])('are what version %i wrote, when they are lowered to what its agents read', async (version) => {
    const lowered = Object.entries(await documents()).map(([name, made]) => {
      const from = made['schema'] as number
      const to = SCHEMAS[made['noun'] as string]?.[version - 1] ?? from
      const spec = castSpec(documentCasts[made['noun'] as string], made['spec'] as Row, { from, to })
      return [name, { ...made, schema: to, hash: specHash(spec!), spec }]
    })
    expect(Object.fromEntries(lowered)).toEqual(JSON.parse(readFileSync(golden(version), 'utf8')))
  })

  it('of a volume with snapshots are what version 3 wrote, and can not be said to older agents', async () => {
    const w = await makeWorld()
    await after(
      [...onData, taken(snapshot), taken(second), ['volumeSnapshot.revert', on('volumeSnapshot', snapshot)]],
      taken(second)[1],
    )(w)
    const key = [...w.state.graph.by('desired', 'of', `volume/${data}`)][0]!
    const { generation: _, job: __, hash, ...rest } = documentOf(w.state.graph, key) as Document
    await expect(`${JSON.stringify({ ...rest, hash }, null, 2)}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, 'golden/volume-with-snapshots-v3.json'),
    )
    expect(castSpec(documentCasts['volume'], rest.spec as Row, { from: 2, to: 1 })).toBeUndefined()
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
