/** What a diff tells of rows: no secrets, nothing hidden, nothing that only moves; so much at once, and other work in between. */
import { type Resource, resources, secretRef } from '@skerry/contract'
import { expect, it } from 'vitest'
import type { Changed } from '../src/store/index.ts'
import { DIFF_LIMIT, diffOf } from '../src/tasks/diff.ts'
import { id } from './world.ts'

const host = (fields: Changed['after'] = {}): NonNullable<Changed['after']> => ({
  ...{ uuid: id('h'), name: 'h1', hypervisorType: 'KVM', managementIp: '192.0.2.1', password: 'ref-1', state: 'Enabled' },
  ...{ lastOpDate: 1, ...fields },
})
const account = { uuid: id('a'), name: 'a', type: 'Normal', passwordHash: 'scrypt-of-it' }
let pauses = 0
const diff = (changes: Changed[], only = {}) =>
  diffOf({ store: { changedBetween: async () => changes }, pause: async () => void pauses++ }, { from: 1, to: 2 }, only)

it('says nothing of hidden fields, which all secrets are, nor of any that the resource does not name', async () => {
  const made: Changed[] = [
    { table: 'host', key: id('h'), after: host({ unknown: 'of another version' }) },
    { table: 'account', key: id('a'), after: account },
  ]
  const { entries } = await diff(made)
  expect(entries.map(({ noun, fields }) => [noun, fields['name']])).toEqual([
    ['host', { after: 'h1' }],
    ['account', { after: 'a' }],
  ])
  expect(JSON.stringify(entries)).not.toMatch(/ref-1|scrypt-of-it|another version/)
  const refers = (schema: unknown): boolean => {
    const inner = (schema as { def?: { innerType?: unknown } } | undefined)?.def?.innerType
    return schema === secretRef || (inner !== undefined && refers(inner))
  }
  const secrets = Object.values(resources as Record<string, Resource>).flatMap(({ name, fields, hidden }) =>
    Object.entries(fields).flatMap(([field, schema]) => (refers(schema) ? [[name, field, hidden?.includes(field)]] : [])),
  )
  expect(secrets.length).toBeGreaterThan(2)
  expect(secrets.filter(([, , isHidden]) => !isHidden)).toEqual([])
})

it('leaves out what only moved, and what is hidden and changed', async () => {
  const changes: Changed[] = [
    { table: 'host', key: id('h'), before: host(), after: host({ lastOpDate: 2 }) },
    { table: 'account', key: id('a'), before: account, after: { ...account, passwordHash: 'another' } },
    { table: 'session', key: 'k', after: { uuid: 'k', name: 'session' } },
    { table: 'job', key: id('j'), after: { uuid: id('j'), name: 'CreateZone' } },
  ]
  expect(await diff(changes)).toEqual({ entries: [], complete: true })
})

it('tells of so many at most, and lets other work go on meanwhile', async () => {
  const many = Array.from({ length: DIFF_LIMIT + 1 }, (_, n): Changed => ({ table: 'host', key: `h${n}`, after: host() }))
  pauses = 0
  const { entries, complete } = await diff(many)
  expect([entries.length, complete]).toEqual([DIFF_LIMIT, false])
  expect(pauses).toBeGreaterThanOrEqual(20)
  expect((await diff(many, { limit: DIFF_LIMIT * 2 })).entries).toHaveLength(DIFF_LIMIT)
  expect((await diff(many.slice(1))).complete).toBe(true)
})
