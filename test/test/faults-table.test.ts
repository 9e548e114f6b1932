/** The README's table of faults is the data's, complete, and proven by suites that there are. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conditionCodes } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { FAULT_MARKS, faultMarkdown, faultTable } from '../harness/fault-table.ts'

const root = join(import.meta.dirname, '../..')
const HERE = 'test/test/faults.test.ts'

it('the README holds the table: node --import tsx scripts/lib/fault-table.ts writes it', async () => {
  const text = await readFile(join(root, 'README.md'), 'utf8')
  const found = text.slice(text.indexOf(FAULT_MARKS.begin), text.indexOf(FAULT_MARKS.end) + FAULT_MARKS.end.length)
  expect(found).toBe(faultMarkdown())
})

it('every kind of condition is in a row', () => {
  const named = new Set(faultTable.flatMap(({ conditions }) => conditions))
  expect(conditionCodes.filter((code) => !named.has(code))).toEqual([])
})

describe.each(faultTable)('$key', ({ key, proof, sees, conditions, heals, todo }) => {
  it('shows somewhere, says what heals and what to do, and is proven', () => {
    expect(sees ?? conditions[0]).toBeTruthy()
    if (conditions.length === 0) expect([heals, todo].every(Boolean)).toBe(true)
    expect(proof.length).toBeGreaterThan(0)
    expect(proof.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })
  it('has a test of its name where that is its proof', async () => {
    const tests = await readFile(join(root, HERE), 'utf8')
    const there = new RegExp(`\\('${key}[':, ]`).test(tests)
    expect(there).toBe(proof.includes(HERE))
  })
})
