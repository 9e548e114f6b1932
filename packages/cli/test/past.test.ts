/** Commands that look into the past, and those that print what is promised. */
import type { DiffEntry, HistoryEntry } from '@skerry/contract'
import { expect, it } from 'vitest'
import { world } from './cli-world.ts'

const UUID = 'a'.repeat(32)
const entries: HistoryEntry[] = [
  {
    ...{
      seq: 4,
      at: 1_700_000_000_000,
      actor: 'b'.repeat(32),
      account: 'admin',
      user: 'ann',
      job: 'c'.repeat(32),
      api: 'UpdateZone',
    },
    changes: [{ table: 'zone', key: UUID, op: 'set', fields: { name: 'south' }, before: { name: 'north' } }],
    ...{ documents: 0, facts: [{ noun: 'zone', uuid: UUID, event: 'updated' }] },
  },
]
const diff: DiffEntry[] = [
  { noun: 'zone', uuid: UUID, name: 'south', change: 'changed', fields: { name: { before: 'north', after: 'south' } } },
  { noun: 'vm', uuid: 'd'.repeat(32), name: 'web', change: 'deleted', fields: { state: { before: 'Running' } } },
]
const asked: unknown[] = []
const http = {
  history: async (of: unknown) => {
    asked.push(of)
    return { entries, complete: false }
  },
  past: {
    ...{ newest: () => 9, oldest: () => 1, seqAt: async () => 5 },
    graphAt: () => Promise.reject(new Error('not asked')),
    diff: async (range: unknown, only: unknown) => {
      asked.push({ range, only })
      return { entries: diff, complete: false }
    },
  },
  events: {
    async *since(last: string | undefined, _signal: AbortSignal, o: { only?(event: never): boolean; live?: boolean } = {}) {
      const event = { id: '7.0', subject: 'skerry.v1.evt.zone.x.made', data: { noun: 'zone', event: 'made', last, live: o.live } }
      for (const noun of ['zone', 'vm']) {
        const one = { ...event, data: { ...event.data, noun } }
        if (o.only?.(one as never) ?? true) yield one
      }
    },
  },
}

it('history says who changed it, by which call and job, from what to what', () =>
  world(
    async ({ skerry, engine }) => {
      engine.add('zone', { uuid: UUID, name: 'south' })
      const { code, out, err } = await skerry('history', 'zone', 'south', '--limit', '7')
      expect(code).toBe(0)
      expect(asked.at(-1)).toEqual({ resourceUuid: UUID, limit: 7 })
      expect(out).toMatch(/admin\/ann\s+UpdateZone\s+c{32}\s+updated, name north → south/)
      expect(err).toContain('no longer in the log')
      expect(JSON.parse((await skerry('history', 'zone', UUID, '-o', 'json')).out).entries).toHaveLength(1)
      expect((await skerry('history', 'moon', 'x')).code).not.toBe(0)
    },
    { http },
  ))

it('diff says what became of what', () =>
  world(
    async ({ skerry }) => {
      const { out, err } = await skerry('diff', '--from', '2017-01-01', '--to', '7', '--noun', 'zone', '--limit', '2')
      expect(asked.at(-1)).toEqual({ range: { from: 5, to: 7 }, only: { noun: 'zone', limit: 2 } })
      expect(err).toContain('there is more')
      expect(out.split('\n')).toEqual([`~ zone south ${UUID}`, '    name north → south', `- vm web ${'d'.repeat(32)}`, ''])
      expect((await skerry('diff', '--from', '12')).err).toContain('still to come')
    },
    { http },
  ))

it('events go on from a time, and are picked', () =>
  world(
    async ({ skerry }) => {
      const { out } = await skerry('events', '--since', '2017-01-01', '--noun', 'zone')
      expect(out).toBe('7.0  skerry.v1.evt.zone.x.made  {"noun":"zone","event":"made","last":"5.999999","live":false}\n')
    },
    { http },
  ))

it('schema prints both descriptions', () =>
  world(async ({ skerry }) => {
    expect(JSON.parse((await skerry('schema', 'openapi')).out)).toMatchObject({ openapi: '3.1.0' })
    expect(JSON.parse((await skerry('schema', 'asyncapi')).out)).toMatchObject({ asyncapi: '3.0.0' })
  }))
