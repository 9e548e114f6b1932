/** [format] Messages of earlier versions are understood, and so are those of later ones that say more. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import * as contract from '../src/index.ts'

const golden = JSON.parse(readFileSync(new URL('golden/messages-v1.json', import.meta.url), 'utf8')) as Record<string, unknown>
const schemaOf = (name: string) => (contract as unknown as Record<string, z.ZodType>)[name]!

/** With a field in every object that no version knows. */
function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore)
  if (typeof value !== 'object' || value === null) return value
  return { ...Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withMore(one)])), fromTheFuture: { a: [1] } }
}

describe.each(Object.keys(golden))('%s', (name) => {
  it('of version 1 is read, with all that it says', () => {
    expect(schemaOf(name).parse(golden[name])).toEqual(golden[name])
  })

  it('of a newer version is read, whatever else it says', () => {
    expect(schemaOf(name).safeParse(withMore(golden[name])).error).toBeUndefined()
  })
})

describe('specs of documents', () => {
  it.each(Object.values(contract.nouns).flat())('of $noun are read with fields that this version does not know', ({ spec }) => {
    const shape = Object.keys(spec.shape)
    const problems = spec.safeParse({ fromTheFuture: 1 }).error?.issues ?? []
    expect(problems.every(({ code, path }) => code !== 'unrecognized_keys' && shape.includes(String(path[0])))).toBe(true)
  })
})

describe('documents between versions', () => {
  const casts: contract.NounCasts = {
    up: { 1: (spec) => ({ ...spec, b: 2 }), 2: (spec) => ({ ...spec, c: 3 }) },
    down: { 3: ({ c: _, ...spec }) => spec, 2: ({ b, ...spec }) => (b === 2 ? spec : undefined) },
  }
  it('are lifted and lowered step by step', () => {
    expect(contract.castSpec(casts, { a: 1 }, { from: 1, to: 3 })).toEqual({ a: 1, b: 2, c: 3 })
    expect(contract.castSpec(casts, { a: 1, b: 2, c: 3 }, { from: 3, to: 1 })).toEqual({ a: 1 })
    expect(contract.castSpec(undefined, { a: 1 }, { from: 1, to: 1 })).toEqual({ a: 1 })
  })

  it('are not what the older schema cannot say, and not what nobody knows how to cast', () => {
    expect(contract.castSpec(casts, { a: 1, b: 9, c: 3 }, { from: 3, to: 1 })).toBeUndefined()
    expect(contract.castSpec(casts, { a: 1 }, { from: 1, to: 4 })).toBeUndefined()
    expect(contract.castSpec(undefined, { a: 1 }, { from: 1, to: 2 })).toBeUndefined()
  })

  it('have a cast for each schema that a noun ever had', () => {
    for (const { noun, schema } of Object.values(contract.nouns).flat()) {
      const steps = Array.from({ length: schema - 1 }, (_, i) => i + 1)
      expect(steps.filter((v) => !contract.documentCasts[noun]?.up[v] || !contract.documentCasts[noun]?.down[v + 1])).toEqual([])
    }
  })

  it('and commits of every contract version have a migration', () => {
    const versions = Array.from({ length: contract.CONTRACT_VERSION - 1 }, (_, i) => i + 1)
    expect(versions.filter((v) => !contract.migrations[v])).toEqual([])
  })
})
