/** What was deleted is expunged: at once, after a while, or never, as the policy said when it was deleted. */
import { describe, expect, it } from 'vitest'
import { idOf } from '../src/configs/ids.ts'
import { configText } from '../src/configs/value.ts'
import type { Call, JobView } from '../src/engine/port.ts'
import { dueAtOnce, dueByAge, Expunging } from '../src/tasks/expunge.ts'
import { base, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const NOW = 1_700_000_000_000
const DAY = 86_400_000
const all = ['vm', 'image', 'volume'] as const

async function deleted(policy?: string): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w)
  const deletionPolicy = policy ? { deletionPolicy: policy } : {}
  await w.commit({
    ops: [
      { o: 'put', t: 'vmInstance', k: u.vm, v: { ...base(u.vm, 'vm'), state: 'Destroyed', destroyedAt: NOW, ...deletionPolicy } },
      { o: 'set', t: 'image', k: u.image, v: { status: 'Deleted', deletedAt: NOW, ...deletionPolicy } },
    ],
  })
  return w
}

/** Expunging on this world; `calls`: what it asked for. */
function expunging(w: TestWorld, o: { believed?: () => boolean; heard?: () => boolean; mono?: () => number }) {
  const calls: string[] = []
  const it = new Expunging({
    graph: w.state.graph,
    now: () => NOW + 30 * DAY,
    monotonic: o.mono ?? (() => 0),
    believed: o.believed ?? (() => true),
    heard: o.heard ?? (() => true),
    busy: () => false,
    accept: async (call: Call) => void calls.push(call.api.api),
    report: (error: unknown) => {
      throw error
    },
  })
  return { it, calls }
}
const ended = (api: string): JobView => ({
  ...{ uuid: '0'.repeat(32), api, state: 'done', step: null, steps: [], createDate: 0, finishedAt: 0 },
})

describe('expunging', () => {
  it('takes what was destroyed a week and deleted three days ago, and nothing younger', async () => {
    const { graph } = (await deleted()).state
    expect(dueByAge(graph, NOW + 3 * DAY, all)).toEqual([])
    expect(dueByAge(graph, NOW + 3 * DAY + 1, all)).toEqual([{ api: 'ExpungeImage', uuid: u.image }])
    expect(dueByAge(graph, NOW + 7 * DAY + 1, ['vm'])).toEqual([{ api: 'ExpungeVmInstance', uuid: u.vm }])
    expect(dueAtOnce(graph)).toEqual([])
  })

  it('follows the period of the moment', async () => {
    const w = await deleted('Delay')
    await w.commit({ ops: [{ o: 'set', t: 'globalConfig', k: idOf('vm.expungePeriod'), v: { value: '60' } }] })
    expect(dueByAge(w.state.graph, NOW + 60_000, all)).toEqual([])
    expect(dueByAge(w.state.graph, NOW + 60_001, all)).toEqual([{ api: 'ExpungeVmInstance', uuid: u.vm }])
  })

  it('never takes what was to be kept, and takes at once what was not', async () => {
    const never = (await deleted('Never')).state.graph
    expect([...dueByAge(never, NOW + 3_000 * DAY, all), ...dueAtOnce(never)]).toEqual([])
    const direct = (await deleted('Direct')).state.graph
    expect(dueByAge(direct, NOW + 3_000 * DAY, all)).toEqual([])
    expect(dueAtOnce(direct).map(({ api }) => api)).toEqual(['ExpungeVmInstance', 'ExpungeImage'])
  })

  it('looks as often as the interval says, not by a clock that jumped, and not before every host was heard', async () => {
    const w = await deleted()
    let mono = 0
    let heard = false
    let believed = false
    const { it: expunge, calls } = expunging(w, { mono: () => mono, heard: () => heard, believed: () => believed })
    expunge.look()
    heard = true
    expunge.look()
    expect(calls).toEqual([])
    believed = true
    expunge.look()
    expect(calls.sort()).toEqual(['ExpungeImage', 'ExpungeVmInstance'])
    mono = 3_599_999
    expunge.look()
    expect(calls).toHaveLength(2)
    mono = 3_600_000
    expunge.look()
    expect(calls).toHaveLength(4)
  })

  it('follows the end of a deletion whose policy is Direct', async () => {
    const direct = expunging(await deleted('Direct'), {})
    direct.it.ended(ended('DestroyVmInstance'), u.vm)
    direct.it.ended({ ...ended('DeleteImage'), state: 'failed' }, u.image)
    direct.it.ended(ended('StopVmInstance'), u.vm)
    expect(direct.calls).toEqual(['ExpungeVmInstance'])
    const delay = expunging(await deleted('Delay'), {})
    delay.it.ended(ended('DestroyVmInstance'), u.vm)
    expect(delay.calls).toEqual([])
  })

  it('has the default policy where nobody set another', async () => {
    const { graph } = (await makeWorld()).state
    expect(configText(graph, 'vm.deletionPolicy')).toBe('Delay')
    expect(graph.get('globalConfig', idOf('vm.deletionPolicy'))).toMatchObject({ value: 'Delay', defaultValue: 'Delay' })
  })
})
