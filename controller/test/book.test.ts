/** Which of two statuses is newer, whatever a host's wall clock does. */
import { createHash } from 'node:crypto'
import { type Status, StatusDigest } from '@skerry/contract'
import { expect, test } from 'vitest'
import { AgentBook } from '../src/agents/book.ts'
import { id } from './world.ts'

const NOW = 1_700_000_000_000
const YEAR = 365 * 86_400_000
const status = (over: Partial<Status>): Status => ({
  noun: 'vm',
  uuid: id('vm'),
  generation: { incarnation: 1, seq: 1 },
  condition: 'Ready',
  error: null,
  observed: {},
  at: NOW,
  bootId: 'boot1',
  ...over,
})
function told(...statuses: Partial<Status>[]): unknown {
  const book = new AgentBook(() => 0)
  for (const [n, over] of statuses.entries()) book.status(id('agent'), status({ observed: { n }, ...over }))
  return book.statusOf(id('agent'), 'vm', id('vm'))?.observed['n']
}

test('the later of one boot counts, also when the clock went back by a year in between', () => {
  expect(told({ seq: 5, at: NOW + YEAR }, { seq: 6, at: NOW })).toBe(1)
  expect(told({ seq: 5, at: NOW }, { seq: 6, at: NOW + YEAR }, { seq: 7, at: NOW + 1 })).toBe(2)
})

test('one that was overtaken on its way is dropped, also when the clock went forth', () => {
  expect(told({ seq: 6, at: NOW }, { seq: 5, at: NOW + YEAR })).toBe(0)
})

test('of two boots the one that came later counts', () => {
  expect(told({ seq: 900, at: NOW + YEAR }, { seq: 3, bootId: 'boot2' })).toBe(1)
})

test('agents that number nothing are judged by their clock, unless it went back', () => {
  expect(told({ at: NOW }, { at: NOW - 1_000 })).toBe(0)
  expect(told({ at: NOW }, { at: NOW - YEAR })).toBe(1)
  expect(told({ at: NOW, seq: 1 }, { at: NOW + 1 })).toBe(1)
})

test('keeps nothing of what is gone, however often it is told, and tells each listener', () => {
  const book = new AgentBook(() => 0)
  const heard: string[] = []
  book.onStatus((_, { condition }) => heard.push(condition))
  for (const condition of ['Ready', 'Gone', 'Gone'] as const) book.status(id('agent'), status({ condition }))
  expect(book.statusesOf(id('agent'))).toEqual([])
  expect(heard).toEqual(['Ready', 'Gone', 'Gone'])
})

test('a controller that has just begun to listen calls nobody silent', () => {
  const clock = { ms: 5_000 }
  const book = new AgentBook(() => clock.ms)
  clock.ms += 15_999
  expect([book.alive(id('agent')), book.silent(id('agent'))]).toEqual([false, false])
  clock.ms += 1
  expect(book.silent(id('agent'))).toBe(true)
})

/** What an agent says of the statuses that it told. */
function saidOf(...statuses: Partial<Status>[]): string {
  const digest = new StatusDigest((text) => createHash('sha256').update(text).digest())
  for (const one of statuses) digest.put(status(one))
  return digest.text()
}

test('knows whether a status was lost on its way, in whatever order they came', () => {
  const book = new AgentBook(() => 0)
  const all = [{}, { uuid: id('vm2') }, { uuid: id('vm3'), condition: 'Gone' as const }]
  for (const one of [...all].reverse()) book.status(id('agent'), status(one))
  expect(book.isCurrent(id('agent'), saidOf(...all))).toBe(true)
  expect(book.isCurrent(id('agent'), saidOf(...all, { uuid: id('vm4') }))).toBe(false)
  expect(book.isCurrent(id('agent'), saidOf({ observed: { moved: 1 } }, ...all.slice(1)))).toBe(false)
  expect(book.isCurrent(id('other'), saidOf())).toBe(false)
})

test('forgets what the agent has forgotten of the gone, once it has told all that it knows', () => {
  const book = new AgentBook(() => 0)
  book.status(id('agent'), status({}))
  book.status(id('agent'), status({ uuid: id('vm3'), condition: 'Gone' }))
  expect(book.isCurrent(id('agent'), saidOf({}))).toBe(false)
  book.listed(id('agent'), [status({})])
  expect(book.isCurrent(id('agent'), saidOf({}))).toBe(true)
})

test('wakes who waits for one resource at its statuses only, until it waits no more', () => {
  const book = new AgentBook(() => 0)
  let woken = 0
  const off = book.onStatusOf({ agentUuid: id('agent'), noun: 'vm', uuid: id('vm') }, () => woken++)
  book.status(id('agent'), status({ uuid: id('vm2') }))
  book.status(id('other'), status({}))
  expect(woken).toBe(0)
  book.status(id('agent'), status({ seq: 1 }))
  off()
  book.status(id('agent'), status({ seq: 2 }))
  expect(woken).toBe(1)
})
