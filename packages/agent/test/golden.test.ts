/** What agents of earlier versions left on their disks is read by this one; what this one writes is what its version says. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AgentKind, documentCasts, nouns } from '@skerry/contract'
import { liftedSpec } from '@skerry/reconcile'
import { describe, expect, test } from 'vitest'
import { loadIdentity } from '../src/enrol.ts'
import { openLedger } from '../src/ledger/ledger.ts'
import { clock, contentOf, EXPECTED, factsOf, hostWith, kinds, LEDGER, recordLedger, STATE, uuidAt } from './golden-ledger.ts'

/** Raised with the form of any file of the ledger; the older folders stay. */
const VERSIONS = [1]
const NEWEST = VERSIONS.at(-1)!
/** Nouns that nobody knew when that version was recorded; the form of the ledger is the same for all nouns. */
const CAME_LATER: Readonly<Record<number, readonly string[]>> = {
  1: ['iso', 'vip', 'metadata', 'securityMembers', 'securityGroup', 'nicSecurity', 'routes', 'ipsec', 'balancer'],
}

function goldenFiles(version: number, kind: AgentKind): Map<string, Uint8Array> {
  const folder = fileURLToPath(new URL(`golden/ledger-v${version}/${kind}/`, import.meta.url))
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => statSync(join(folder, name)).isFile())
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name))]))
}

const cases = VERSIONS.flatMap((version) => kinds.map((kind) => ({ version, kind })))

describe.each(cases)('the ledger of version $version of an agent-$kind', ({ version, kind }) => {
  const open = () => openLedger({ dir: LEDGER, files: hostWith(goldenFiles(version, kind)).files, clock })

  test('is read whole, and has the digest that a controller expects', async () => {
    const ledger = await open()
    expect(ledger.damaged).toEqual([])
    expect(contentOf(ledger)).toEqual(JSON.parse(Buffer.from(goldenFiles(version, kind).get(EXPECTED)!).toString()))
  })

  test('holds documents that this version acts upon', async () => {
    const ledger = await open()
    for (const { noun, schema, spec } of nouns[kind].filter(({ noun }) => !CAME_LATER[version]?.includes(noun))) {
      const entries = [...ledger.entries(noun)].filter(({ tombstone }) => !tombstone)
      expect(entries.length).toBeGreaterThan(0)
      const casts = documentCasts[noun]
      for (const entry of entries)
        expect(spec.safeParse(liftedSpec({ noun, schema, ...(casts ? { casts } : {}) }, entry)).error).toBeUndefined()
      for (const { uuid, facts } of entries.filter((e) => Object.keys(e.facts).length > 0))
        expect([uuid, facts]).toEqual([uuid, factsOf[noun]])
    }
  })

  test('keeps tombstones, fences, a batch that was left, and the results of commands', async () => {
    const ledger = await open()
    const [{ noun } = { noun: '' }] = nouns[kind]
    const buried = [...ledger.entries(noun)].filter(({ tombstone }) => tombstone).map(({ uuid }) => uuid)
    expect(buried.sort()).toEqual([uuidAt(1), uuidAt(2)])
    expect([5, 6].map((n) => ledger.entry(noun, uuidAt(n))?.document?.uuid)).toEqual([uuidAt(5), uuidAt(6)])
    await expect(ledger.fence('image', uuidAt(3), 6)).rejects.toMatchObject({ code: 'stale-epoch' })
    expect(ledger.receipts.get('begun')).toMatchObject({ state: 'begun' })
    expect(ledger.receipts.get('done')).toMatchObject({ state: 'done', output: { how: 'acpi' } })
    expect(ledger.receipts.get('refused')).toMatchObject({ error: { code: 'guest-timeout' } })
  })

  test('says who the agent is', async () => {
    const { files } = hostWith(goldenFiles(version, kind))
    const identity = await loadIdentity(files, STATE, kind)
    expect(identity).toMatchObject({
      kind,
      uuid: uuidAt(7),
      servers: ['tls://192.0.2.1:4222'],
      publicKey: expect.stringMatching(/^U/),
    })
  })

  test('loses nothing when its newest files are damaged: the previous ones are read', async () => {
    const files = goldenFiles(version, kind)
    const [twice] = [...files.keys()].filter((name) => name.endsWith('.json.prev') && name.includes('/desired/'))
    files.set(twice!.replace(/\.prev$/, ''), Buffer.from('{"v":1'))
    const ledger = await openLedger({ dir: LEDGER, files: hostWith(files).files, clock })
    expect(ledger.damaged).toMatchObject([{ what: 'newest' }])
  })
})

describe.each([...kinds])('what an agent-%s of this version writes', (kind) => {
  test('is byte for byte what its golden ledger holds, but for its random keys', async () => {
    const [now, then] = [await recordLedger(kind), goldenFiles(NEWEST, kind)]
    const text = (files: Map<string, Uint8Array>) =>
      Object.fromEntries(
        [...files].filter(([name]) => !name.startsWith('identity')).map(([name, data]) => [name, Buffer.from(data).toString()]),
      )
    expect(text(now)).toEqual(text(then))
    const form = (files: Map<string, Uint8Array>) => {
      const [line] = Buffer.from(files.get('identity.json')!).toString().split('\n')
      return Object.entries(JSON.parse(line!) as object).map(([key, value]) => `${key}: ${typeof value}`)
    }
    expect(form(now)).toEqual(form(then))
  })
})
