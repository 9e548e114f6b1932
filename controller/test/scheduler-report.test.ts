/** What became of scheduled runs, counted. */
import type { Op, Row } from '@skerry/contract'
import { expect, it } from 'vitest'
import { executionReport } from '../src/scheduler/report.ts'
import { id, makeWorld } from './world.ts'

const HOUR = 3_600_000
const noon = new Date(2026, 2, 31, 12, 20).getTime()

async function report(runs: Row[], params: Row, now = noon): Promise<Row> {
  const w = await makeWorld()
  const ops = runs.map((run, i): Op => {
    const k = id(`run${i}`)
    return {
      o: 'put',
      t: 'schedulerJobHistory',
      k,
      v: { uuid: k, name: k, schedulerJobType: 'startVm', triggerUuid: 't', ...run },
    }
  })
  await w.commit({ ops })
  return executionReport(
    w.state.graph,
    { startTime: 0, intervalTimeUnit: 'Hour', range: 2, schedulerJobTypes: ['startVm'], ...params },
    now,
  )
}

it('counts runs by hour up to now, of the kinds that are asked for; what was missed has failed', async () => {
  const runs = [
    { startTime: noon, state: 'Succeeded' },
    { startTime: noon - 20 * 60_000, state: 'Running' },
    { startTime: noon - HOUR, state: 'Failed' },
    { startTime: noon - HOUR, state: 'Missed' },
    { startTime: noon - 2 * HOUR, state: 'Succeeded' },
    { startTime: noon, state: 'Succeeded', schedulerJobType: 'stopVm' },
  ]
  expect(await report(runs, {})).toEqual({
    successRecords: [0, 1],
    failureRecords: [2, 0],
    partialSuccessRecords: [0, 0],
    waitingRecords: [0, 1],
  })
  expect(await report(runs, { range: 0, schedulerJobTypes: ['stopVm', 'unknown'] })).toMatchObject({ successRecords: [1] })
})

it('counts the run of a group as one: a part of it may have succeeded', async () => {
  const at = (state: string, schedulerJobGroupUuid: string) => ({ startTime: noon, state, schedulerJobGroupUuid })
  const runs = [
    at('Succeeded', 'a'),
    at('Failed', 'a'),
    at('Succeeded', 'b'),
    at('Succeeded', 'b'),
    at('Waiting', 'c'),
    at('Failed', 'c'),
  ]
  expect(await report(runs, { range: 1 })).toEqual({
    successRecords: [1],
    failureRecords: [0],
    partialSuccessRecords: [1],
    waitingRecords: [1],
  })
})

it('counts from a moment on, in months of their own lengths', async () => {
  const january = new Date(2026, 0, 31).getTime()
  const runs = [
    new Date(2026, 1, 27),
    new Date(2026, 1, 28),
    new Date(2026, 2, 30),
    new Date(2026, 2, 31),
    new Date(2026, 3, 30),
  ].map((date) => ({ startTime: date.getTime(), state: 'Succeeded' }))
  const months = { startTime: january, intervalTimeUnit: 'Month', range: 3 }
  expect(await report(runs, months)).toMatchObject({ successRecords: [1, 2, 1] })
  const days = { startTime: new Date(2026, 1, 27).getTime(), intervalTimeUnit: 'Day', range: 3 }
  expect(await report(runs, days)).toMatchObject({ successRecords: [1, 1, 0] })
})
