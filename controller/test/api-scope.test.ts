/** Every API of ZStack's catalogue has a class, and what is called here is in the contract. `scripts/api-scope` mends most of it. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { declared, faults, followed, page, type Scope, scopeSchema } from './api-scope.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const scope = scopeSchema.parse(JSON.parse(read('../api-scope.json')))
const table = new URL('../../../shared/reference/zstack-rest.json', import.meta.url)
const catalogue = existsSync(table)
  ? (JSON.parse(readFileSync(table, 'utf8')) as { apis: { api: string }[] }).apis.map(({ api }) => api)
  : undefined

describe("ZStack's APIs", () => {
  it('have a class each: here, later or out', () => expect(faults(scope, declared(), catalogue)).toEqual([]))
  it('are all 1,115 of the catalogue', () => expect(Object.keys(scope.apis)).toHaveLength(1_115))
  it('stand on the page, as `scripts/api-scope` writes it', () => {
    expect(scope).toEqual(followed(scope, declared()))
    expect(read('../API-SCOPE.md')).toBe(page(scope))
  })

  it('are told when one has no class, a wrong one, or an area that nobody knows', () => {
    const some: Scope = {
      areas: { networks: 'n' },
      besides: { Beside: 'known' },
      apis: { A: 'here', B: 'later: networks', C: 'out: no', D: 'later: moon' },
    }
    expect(faults(some, ['A', 'Beside'], ['A', 'B', 'C', 'D'])).toEqual(['D: there is no area moon'])
    expect(faults(some, ['B', 'E'], ['A', 'B', 'C', 'F'])).toEqual([
      'E has no class',
      'Beside stands beside the catalogue, but is not in the contract',
      'A is called here, but is not in the contract',
      'B is in the contract, but called later: networks',
      'D: there is no area moon',
      'F of the catalogue has no class',
      'D is not in the catalogue',
    ])
    expect(followed(some, ['B']).apis).toMatchObject({ A: 'here', B: 'here' })
  })
})
