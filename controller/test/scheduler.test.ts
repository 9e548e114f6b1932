/** When triggers fire, and what becomes of runs: also over restarts, refusals and absences. */
import type { Row } from '@skerry/contract'
import { describe, expect, it, vi } from 'vitest'
import type { JobView } from '../src/engine/port.ts'
import { historyRow } from '../src/scheduler/kinds.ts'
import { Scheduler } from '../src/scheduler/scheduler.ts'
import { advance, checkWhen, firstOf, LATE_MS, type When } from '../src/scheduler/when.ts'
import { base, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
const hourly: When = { schedulerType: 'simple', schedulerInterval: 3600, repeatCount: 0, startTime: null, cron: null }
const nightly: When = { ...hourly, schedulerType: 'cron', schedulerInterval: null, cron: '0 0 2 * * ?' }

describe('a trigger', () => {
  it('fires first after its interval, at its start, or at the next step from a start that is over', () => {
    expect(firstOf(hourly, NOW)).toBe(NOW + HOUR)
    expect(firstOf({ ...hourly, startTime: NOW + 5 }, NOW)).toBe(NOW + 5)
    expect(firstOf({ ...hourly, startTime: NOW }, NOW)).toBe(NOW)
    expect(firstOf({ ...hourly, startTime: NOW - 1 }, NOW)).toBe(NOW - 1 + HOUR)
  })

  it('goes on at its steps, however late it is looked at', () => {
    const at = { next: NOW, fired: 0 }
    expect(advance(hourly, at, NOW + 5_000)).toEqual({ runAt: NOW, missed: 0, fired: 1, next: NOW + HOUR })
    expect(advance(hourly, at, NOW + LATE_MS)).toMatchObject({ runAt: NOW, missed: 0 })
    expect(advance(hourly, at, NOW + LATE_MS + 1)).toEqual({ runAt: null, missed: 1, fired: 1, next: NOW + HOUR })
    expect(advance(hourly, at, NOW + 3 * HOUR + 1)).toEqual({ runAt: NOW + 3 * HOUR, missed: 3, fired: 4, next: NOW + 4 * HOUR })
    expect(advance(hourly, at, NOW + 3.5 * HOUR)).toEqual({ runAt: null, missed: 4, fired: 4, next: NOW + 4 * HOUR })
  })

  it('ends when it has fired as often as it was to', () => {
    const thrice = { ...hourly, repeatCount: 3 }
    expect(advance(thrice, { next: NOW, fired: 1 }, NOW)).toMatchObject({ runAt: NOW, next: NOW + HOUR })
    expect(advance(thrice, { next: NOW, fired: 2 }, NOW)).toMatchObject({ runAt: NOW, next: null })
    expect(advance(thrice, { next: NOW, fired: 1 }, NOW + 9 * HOUR)).toEqual({ runAt: null, missed: 2, fired: 2, next: null })
  })

  it('follows a line of Quartz: seconds first, Sunday is 1', () => {
    const first = firstOf(nightly, NOW)!
    expect(first).toBeGreaterThan(NOW)
    expect(first - NOW).toBeLessThanOrEqual(25 * HOUR)
    expect([new Date(first).getHours(), new Date(first).getMinutes()]).toEqual([2, 0])
    const weekly = firstOf({ ...nightly, cron: '0 30 4 ? * 1 *' }, NOW)!
    expect([new Date(weekly).getDay(), new Date(weekly).getHours()]).toEqual([0, 4])
    const away = advance(nightly, { next: first, fired: 0 }, first + 72.5 * HOUR)
    expect(away).toMatchObject({ runAt: null, fired: away.missed })
    expect(away.missed).toBeGreaterThanOrEqual(3)
    expect(away.next).toBeGreaterThan(first + 72.5 * HOUR)
  })

  it.each([
    ['without an interval', { ...hourly, schedulerInterval: null }, 'schedulerInterval'],
    ['without a line', { ...nightly, cron: null }, 'cron'],
    ['with five parts', { ...nightly, cron: '0 2 * * *' }, 'cron'],
    ['that is simple with such a line, too', { ...hourly, cron: '0 2 * * *' }, 'cron'],
    ['with a word', { ...nightly, cron: '@daily' }, 'cron'],
    ['with nonsense', { ...nightly, cron: '0 0 25 * * ?' }, 'cron'],
    ['for the 31st of February', { ...nightly, cron: '0 0 2 31 2 ?' }, 'cron'],
    ['of a year that is over', { ...nightly, cron: '0 0 2 1 1 ? 1960' }, 'cron'],
  ])('is refused %s', (_, when, field) => {
    expect(() => checkWhen(when)).toThrow(expect.objectContaining({ code: 'invalid-argument', details: { field } }))
  })
})

const [JOB, TRIGGER, RUN] = [id('scheduler-job'), id('trigger'), id('run')]
const job: Row = {
  ...base(JOB, 'nightly'),
  ...{ targetResourceUuid: u.vm, state: 'Enabled', jobClassName: 'stopVm', jobData: '{"type":"cold"}', triggersUuid: [TRIGGER] },
}

interface Scheduled {
  w: TestWorld
  it: Scheduler
  accepted: { jobName: string; params: Row; accountUuid: string; jobUuid: string }[]
  jobs: Map<string, Partial<JobView>>
  runs(): Row[]
  look(): Promise<void>
  at: { now: number }
}

async function scheduled(o: { next?: number | null; refuse?: Error; job?: Row } = {}): Promise<Scheduled> {
  const w = await makeWorld()
  await site(w)
  const trigger = { ...base(TRIGGER, 'hourly'), ...hourly, jobsUuid: [JOB], next: o.next === undefined ? NOW : o.next, fired: 0 }
  await w.commit({
    ops: [
      { o: 'put', t: 'schedulerJob', k: JOB, v: { ...job, ...o.job } },
      { o: 'put', t: 'schedulerTrigger', k: TRIGGER, v: trigger },
    ],
  })
  const at = { now: NOW }
  const accepted: Scheduled['accepted'] = []
  const jobs: Scheduled['jobs'] = new Map()
  let made = 0
  const it = new Scheduler({
    graph: w.state.graph,
    now: () => at.now,
    newId: () => id(`made ${made++}`),
    jobs: {
      accept: async (call) => {
        accepted.push(call)
        if (o.refuse) throw o.refuse
        jobs.set(call.jobUuid, { uuid: call.jobUuid, state: 'processing', createDate: at.now })
      },
    },
    job: (uuid) => jobs.get(uuid) as JobView | undefined,
    commit: (change) => w.commit(change),
    report: (error) => {
      throw error
    },
  })
  const look = async () => {
    it.look()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const runs = () => [...w.state.graph.rows('schedulerJobHistory')].map(([, row]) => row as Row)
  return { w, it, accepted, jobs, runs, look, at }
}

describe('the scheduler', () => {
  it('records a run, makes its call with the rights of its owner, and tells how it ended', async () => {
    const s = await scheduled({ job: { ownerUuid: id('tenant') } })
    await s.look()
    expect(s.runs()).toMatchObject([{ startTime: NOW, schedulerJobUuid: JOB, triggerUuid: TRIGGER }])
    expect(s.w.state.graph.get('schedulerTrigger', TRIGGER)).toMatchObject({ next: NOW + HOUR, fired: 1 })
    const [call] = s.accepted
    expect(call).toMatchObject({
      jobName: 'APIStopVmInstanceMsg',
      params: { uuid: u.vm, type: 'cold' },
      accountUuid: id('tenant'),
    })
    expect(s.runs()).toMatchObject([{ state: 'Running', jobUuid: call!.jobUuid }])
    s.jobs.set(call!.jobUuid, { uuid: call!.jobUuid, state: 'done', createDate: NOW, finishedAt: NOW + 3_000 })
    await s.look()
    expect(s.runs()).toMatchObject([{ state: 'Succeeded', success: true, executeTime: 3, resultDump: null }])
    await s.look()
    expect(s.accepted).toHaveLength(1)
  })

  it('tells why a call was refused, and why a job failed', async () => {
    const refused = await scheduled({ refuse: new Error('the VM is Destroyed') })
    for (let i = 0; i < 3; i++) await refused.look()
    expect(refused.runs()).toMatchObject([{ state: 'Failed', success: false, resultDump: 'the VM is Destroyed' }])
    expect(refused.accepted).toHaveLength(1)
    const failed = await scheduled()
    for (let i = 0; i < 2; i++) await failed.look()
    const uuid = failed.accepted[0]!.jobUuid
    failed.jobs.set(uuid, { uuid, state: 'failed', createDate: NOW, error: { code: 'internal', message: 'no', retry: 'bug' } })
    await failed.look()
    expect(failed.runs()).toMatchObject([{ state: 'Failed', resultDump: 'no' }])
  })

  it('goes on after a crash between what it recorded and the call, with the same id', async () => {
    const s = await scheduled({ next: null })
    const v = historyRow(job, { uuid: RUN, jobUuid: id('its-call'), triggerUuid: TRIGGER, at: NOW, now: NOW })
    await s.w.commit({ ops: [{ o: 'put', t: 'schedulerJobHistory', k: RUN, v }] })
    s.at.now = NOW + LATE_MS
    await s.look()
    expect(s.accepted).toMatchObject([{ jobUuid: id('its-call') }])
  })

  it('does not begin a run that is too late, unless its call was accepted before', async () => {
    const s = await scheduled({ next: null })
    const v = historyRow(job, { uuid: RUN, jobUuid: id('its-call'), triggerUuid: TRIGGER, at: NOW, now: NOW })
    await s.w.commit({ ops: [{ o: 'put', t: 'schedulerJobHistory', k: RUN, v }] })
    s.at.now = NOW + LATE_MS + 1
    await s.look()
    expect(s.accepted).toEqual([])
    expect(s.runs()).toMatchObject([{ state: 'Missed', success: false }])
    const known = await scheduled({ next: null })
    known.jobs.set(id('its-call'), { uuid: id('its-call'), state: 'done', createDate: NOW, finishedAt: NOW })
    await known.w.commit({ ops: [{ o: 'put', t: 'schedulerJobHistory', k: RUN, v }] })
    known.at.now = NOW + LATE_MS + 1
    await known.look()
    known.jobs.set(id('its-call'), { uuid: id('its-call'), state: 'done', createDate: NOW, finishedAt: NOW })
    await known.look()
    expect(known.runs()).toMatchObject([{ state: 'Succeeded' }])
  })

  it('tells runs that were missed while no controller ran, and makes none of them up', async () => {
    const s = await scheduled()
    s.at.now = NOW + 5.5 * HOUR
    await s.look()
    await s.look()
    expect(s.runs()).toMatchObject([{ state: 'Missed', missed: 6, resultDump: expect.stringContaining('6 runs were missed') }])
    expect(s.accepted).toEqual([])
    expect(s.w.state.graph.get('schedulerTrigger', TRIGGER)).toMatchObject({ next: NOW + 6 * HOUR })
  })

  it('leaves alone what is disabled, and what has gone with its target', async () => {
    const s = await scheduled({ job: { state: 'Disabled' } })
    await s.look()
    expect(s.runs()).toEqual([])
    const gone = await scheduled({ job: { targetResourceUuid: u.image } })
    await gone.look()
    await gone.w.commit({ ops: [{ o: 'del', t: 'image', k: u.image }] })
    const { graph } = gone.w.state
    expect([graph.get('schedulerJob', JOB), gone.runs(), graph.get('schedulerTrigger', TRIGGER)?.['jobsUuid']]).toEqual([
      undefined,
      [],
      [],
    ])
  })

  it('starts the jobs of a group with what the group says, each once, and none of a disabled group', async () => {
    const [other, group] = [id('other'), id('job-group')]
    const row = {
      ...base(group, 'all'),
      state: 'Enabled',
      jobType: 'stopVm',
      jobData: '{"type":"grace"}',
      jobsUuid: [JOB, other],
    }
    const s = await scheduled({ job: { schedulerJobGroupUuids: [group] } })
    await s.w.commit({
      ops: [
        { o: 'put', t: 'schedulerJob', k: other, v: { ...job, uuid: other, name: 'other', triggersUuid: [] } },
        { o: 'put', t: 'schedulerJobGroup', k: group, v: { ...row, triggersUuid: [TRIGGER] } },
        { o: 'set', t: 'schedulerTrigger', k: TRIGGER, v: { jobGroupsUuid: [group] } },
      ],
    })
    await s.look()
    await vi.waitFor(() => expect(s.runs().map((run) => run['state'])).toEqual(['Running', 'Running']), 10_000)
    expect(s.runs().map((run) => [run['schedulerJobUuid'], run['schedulerJobGroupUuid']])).toEqual(
      expect.arrayContaining([
        [JOB, null],
        [other, group],
      ]),
    )
    expect(s.accepted.map(({ params }) => params['type']).sort()).toEqual(['cold', 'grace'])
    await s.w.commit({ ops: [{ o: 'set', t: 'schedulerJobGroup', k: group, v: { state: 'Disabled' } }] })
    s.at.now = NOW + HOUR
    await s.look()
    await vi.waitFor(() => expect(s.w.state.graph.get('schedulerTrigger', TRIGGER)).toMatchObject({ fired: 2 }), 10_000)
    const jobs = s.runs().map((run) => run['schedulerJobUuid'])
    expect([jobs.filter((uuid) => uuid === JOB), jobs.filter((uuid) => uuid === other)]).toEqual([[JOB, JOB], [other]])
  })

  it('keeps as many of its snapshots as it was told to, the newest', async () => {
    const s = await scheduled({
      next: null,
      job: { jobClassName: 'volumeSnapshot', jobData: '{"snapshotMaxNumber":"2"}', targetResourceUuid: u.image },
    })
    const made = [0, 1, 2].map((i) => id(`snapshot ${i}`))
    const run = (i: number, v: Row) => {
      const row = historyRow(
        { ...job, jobClassName: 'volumeSnapshot' },
        { uuid: id(`r${i}`), jobUuid: id(`j${i}`), triggerUuid: null, at: NOW + i, now: NOW },
      )
      return { o: 'put' as const, t: 'schedulerJobHistory', k: id(`r${i}`), v: { ...row, ...v } }
    }
    s.jobs.set(id('j2'), { uuid: id('j2'), state: 'done', createDate: NOW, finishedAt: NOW })
    await s.w.commit({
      ops: [
        ...made.map((k) => ({ o: 'put' as const, t: 'volumeSnapshot', k, v: base(k, 's') })),
        { o: 'put', t: 'job', k: id('j2'), v: { ...base(id('j2'), 'j'), resourceUuid: made[2] } },
        ...[0, 1].map((i) => run(i, { state: 'Succeeded', madeUuid: made[i]! })),
        run(2, { state: 'Running' }),
      ],
    })
    await s.look()
    expect(s.accepted).toMatchObject([{ jobName: 'APIDeleteVolumeSnapshotMsg', params: { uuid: made[0] } }])
  })
})
