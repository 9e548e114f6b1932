/** What a job's record says of its steps when the next process reads it. */
import type { Op } from '@skerry/contract'
import { expect, it } from 'vitest'
import { LogJournal } from '../src/engine/journal.ts'
import { ready } from './engine-calls.ts'

it('a step that failed and was undone is no step that was done: it has no output that could be read', async () => {
  const { w } = await ready()
  const journal = new LogJournal({ state: w.state, now: w.world.now, begun: () => undefined })
  const job: Op = {
    ...{ o: 'put', t: 'job', k: 'j' },
    v: { uuid: 'j', resourceUuid: 'r', resourceType: null, accountUuid: 'admin', state: 'processing', steps: ['a', 'b'] },
  }
  await w.state.commit({ ops: [job] }, { actor: 'system' })
  await journal.stepDone('j', 'a', { made: 1 })
  await journal.stepUndone('j', 'b')
  await journal.stepUndone('j', 'a')
  expect(journal.load('j')?.done).toEqual({ a: { output: { made: 1 } } })
  expect(journal.load('j')?.undone.toSorted()).toEqual(['a', 'b'])
})
