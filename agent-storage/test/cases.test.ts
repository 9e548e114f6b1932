/** Folders of want/have/changes: `src/<noun>/cases/*.json`. The file's name says what must hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { type ErrorBody, storageDesired } from '@skerry/contract'
import { describe, expect, test } from 'vitest'
import * as isos from '../src/isos/plan.ts'
import * as pools from '../src/pools/plan.ts'
import * as volumes from '../src/volumes/plan.ts'

interface Case {
  // biome-ignore lint/suspicious/noExplicitAny: cases are JSON; each module's own schema checks the specs
  want: any[]
  // biome-ignore lint/suspicious/noExplicitAny: as above
  have: any[]
  buried: string[]
  changes: unknown[]
  reports?: Record<string, { condition: string; observed: unknown; code?: string }>
}

for (const [noun, module, spec] of [
  ['pools', pools, storageDesired.pool.spec],
  ['isos', isos, storageDesired.iso.spec],
  ['volumes', volumes, storageDesired.volume.spec],
] as const) {
  const folder = new URL(`../src/${noun}/cases/`, import.meta.url)
  describe(noun, () => {
    test.each(readdirSync(folder))('%s', (file) => {
      const { want, have, buried, changes, reports = {} } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Case
      for (const w of want) spec.parse(w.spec)
      const context = {
        buried: new Map(
          buried.map((uuid) => [uuid, { uuid, generation: { incarnation: 1, seq: 2 }, spec: undefined, facts: {} }]),
        ),
      }
      expect(module.plan(want, have, context)).toEqual(changes)
      for (const [uuid, expected] of Object.entries(reports)) {
        const found = module.report(
          want.find((w) => w.uuid === uuid),
          have.find((h) => h.uuid === uuid),
        )
        const code = (found.error as ErrorBody | undefined)?.code
        expect({ condition: found.condition, observed: found.observed, code }).toEqual({ code: undefined, ...expected })
      }
    })
  })
}

describe('what is too small to be told', () => {
  test('is a move of free bytes below one percent of the disk', () => {
    const at = (availableBytes: number) => ({ totalBytes: 1000, availableBytes, usedBytes: 1000 - availableBytes })
    expect(pools.steady(at(500), at(491))).toBe(true)
    expect(pools.steady(at(500), at(490))).toBe(false)
    expect(pools.steady(at(500), { ...at(500), totalBytes: 2000 })).toBe(false)
  })

  test('is what a guest writes, but not a new size', () => {
    const of = (sizeBytes: number, actualBytes: number) => ({ sizeBytes, actualBytes })
    expect(volumes.steady(of(1e9, 0), of(1e9, 1e6))).toBe(true)
    expect(volumes.steady(of(1e9, 0), of(1e9, 1e8))).toBe(false)
    expect(volumes.steady(of(1e9, 0), of(2e9, 0))).toBe(false)
  })
})
