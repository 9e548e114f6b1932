/**
 * Random histories of a whole site from seeds, with faults (test/sim): what must hold does, a seed is one history wherever it runs, and
 * bugs that are planted on purpose are found. More of both: `scripts/simulate`.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applied, root } from '../sim/bundle.ts'
import { plantedBugs } from '../sim/planted.ts'
import { type Found, findPlanted, found, SEEDS_A_BUG } from '../sim/run.ts'

const SEEDS = 200
const MINUTE = 60_000
/** Found within a few seeds: all of them take a minute. `scripts/simulate --planted` plants every one. */
const QUICK = [
  ...['undo-skipped', 'undo-twice', 'undo-not-resumed', 'stale-epoch-accepted', 'dedupe-off'],
  ...['counter-guard-off', 'address-guard-off', 'address-leaked', 'full-disk-acknowledged'],
]

async function all(run: Parameters<typeof found>[0]): Promise<Found[]> {
  const seeds: Found[] = []
  for await (const one of found(run)) seeds.push(one)
  return seeds
}

test(`${SEEDS} histories hold, and each is the same wherever it runs`, { timeout: 60 * MINUTE }, async () => {
  const seeds = await all({ from: 1, count: SEEDS })
  expect(seeds.filter(({ wrong }) => wrong.length > 0).map(({ seed, wrong }) => [seed, ...wrong])).toEqual([])
  expect(seeds).toHaveLength(SEEDS)
  // In a process that has had no seeds before it.
  const again = await all({ from: 7, count: 2 })
  expect(again.map(({ hash }) => hash)).toEqual(seeds.slice(6, 8).map(({ hash }) => hash))
  // What they are to try did happen.
  expect(new Set(seeds.map(({ hosts }) => hosts))).toEqual(new Set([1, 2, 3]))
  expect(seeds.some(({ lost }) => lost)).toBe(true)
  expect(new Set(seeds.map(({ hash }) => hash)).size).toBe(SEEDS)
})

test.each(plantedBugs)('$name can be planted', async ({ patches }) => {
  for (const patch of patches) expect(applied(await readFile(join(root, patch.file), 'utf8'), patch)).not.toBe('')
})

test('every planted bug has a name of its own', () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length)
})

/** Each was the history of a defect (2026-11-23): a VM left between two states, and one that was Unknown for ever. */
const MENDED = [784, 1761, 3282, 3542]
test.each(MENDED)('seed %d, which once ended wrong, holds', { timeout: 30 * MINUTE }, async (seed) => {
  expect((await all({ from: seed, count: 1 })).map(({ wrong }) => wrong)).toEqual([[]])
})

test.each(plantedBugs.filter(({ name }) => QUICK.includes(name)))('$name is found', { timeout: 30 * MINUTE }, async (bug) => {
  expect(await findPlanted(bug, SEEDS_A_BUG)).toBeDefined()
})
