/** Primary storages chosen by a plugin: for new VMs and for data volumes, among those that the filters let through. */
import { realTimers } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import { localProcess, type Plugin, type PluginModule } from '@skerry/plugin'
import { afterEach, expect, it } from 'vitest'
import { type Plugins, startPlugins } from '../src/plugins/index.ts'
import { placeBy } from '../src/plugins/rank.ts'
import { poolBy } from '../src/plugins/storages.ts'
import { call, done, ready } from './engine-calls.ts'
import { hosts, put, set } from './place-world.ts'
import { base, GIB, id, type TestWorld, u, vmParams } from './world.ts'

const tiers: PluginModule = (await import(new URL('../../packages/plugin/examples/tiers.mjs', import.meta.url).href)).default
const opened: Plugins[] = []
afterEach(() => {
  for (const plugins of opened.splice(0)) plugins.stop()
})

async function withPlugin(w: TestWorld, module: PluginModule): Promise<void> {
  const log = { info: () => undefined, error: () => undefined }
  const sources = [{ name: 'one', config: {}, start: localProcess(module) }]
  const ports = { state: w.state, timers: realTimers, now: w.world.now, log, report: () => undefined }
  const plugins = await startPlugins(sources, ports)
  opened.push(plugins)
  Object.assign(w.world, { plugins: plugins.port, workflows: plugins.book })
}

const other = id('ps2')
/** Beside `ps` another one with more room, and a tier each: `ps` the faster one. */
async function withTwo(w: TestWorld): Promise<void> {
  const { graph } = w.state
  const tag = (resourceUuid: string, tier: number) => {
    const k = id(`tier ${resourceUuid}`)
    return put('tag', k, {
      ...base(k, k),
      resourceUuid,
      resourceType: 'PrimaryStorageVO',
      type: 'System',
      tag: `tiers::tier::${tier}`,
    })
  }
  const part = graph.get('localStorageHost', `${u.ps}:${u.host}`)!
  const more = { availableCapacity: 900 * GIB, availablePhysicalCapacity: 900 * GIB, totalCapacity: 1_000 * GIB }
  await w.commit({
    ops: [
      put('primaryStorage', other, { ...graph.get('primaryStorage', u.ps)!, uuid: other, name: 'ps2' }),
      put('localStorageHost', `${other}:${u.host}`, { ...part, uuid: `${other}:${u.host}`, primaryStorageUuid: other, ...more }),
      ...[tag(u.ps, 1), tag(other, 2)],
    ],
  })
}
const request = (more: Row = {}) => ({
  ...{ cpuNum: 1, memoryBytes: GIB, diskBytes: GIB, l3NetworkUuids: [u.l3], storageStrategy: 'tiers:fastest' },
  ...more,
})
const lying = (answer: unknown): Plugin => ({
  ...{ name: 'tiers', version: '1', summary: '' },
  storageStrategies: { fastest: () => answer as string[] },
})

it('a VM’s volumes go where the plugin prefers, as long as there is room, or where the call says', async () => {
  const w = await hosts([0])
  await withTwo(w)
  await withPlugin(w, tiers)
  const chosen = async (more?: Row) => (await placeBy(w.world, request(more))).primaryStorageUuid
  expect(await chosen({ storageStrategy: 'DefaultPrimaryStorageAllocationStrategy' })).toBe(other)
  expect(await chosen()).toBe(u.ps)
  expect(await chosen({ primaryStorageUuid: other })).toBe(other)
  await w.commit({ ops: [set('localStorageHost', `${u.ps}:${u.host}`, { availableCapacity: GIB - 1 })] })
  expect(await chosen()).toBe(other)
})

it('a data volume goes there when it is attached first', async () => {
  const { w, engine } = await ready()
  await withTwo(w)
  const make = call('CreateDiskOffering', { name: 'fast', diskSize: GIB, allocationStrategy: 'tiers:fastest' })
  await expect(engine.accept(make)).rejects.toThrow('no plugin has a strategy tiers:fastest')
  await withPlugin(w, tiers)
  const uuidOf = async (c: ReturnType<typeof call>) => {
    const job = await done(engine, c)
    expect(job).toMatchObject({ state: 'done' })
    return (job.result!['inventory'] as Row)['uuid'] as string
  }
  const offering = await uuidOf(make)
  const vm = await uuidOf(call('CreateVmInstance', vmParams))
  expect(w.state.graph.get('volume', w.state.graph.get('vmInstance', vm)!['rootVolumeUuid'] as string)).toMatchObject({
    primaryStorageUuid: other,
  })
  const volume = await uuidOf(call('CreateDataVolume', { name: 'data', diskOfferingUuid: offering }))
  await uuidOf(call('AttachDataVolumeToVm', { vmInstanceUuid: vm, volumeUuid: volume }))
  expect(w.state.graph.get('volume', volume)).toMatchObject({ primaryStorageUuid: u.ps, status: 'Ready' })
})

it('the next one is taken where the preferred one fills up while the plugin is thinking', async () => {
  const w = await hosts([0])
  await withTwo(w)
  const full = (availableCapacity: number) =>
    w.commit({ ops: [set('localStorageHost', `${u.ps}:${u.host}`, { availableCapacity })] })
  const fastest = async () => {
    await full(0)
    return [u.ps, other]
  }
  await withPlugin(w, { name: 'tiers', version: '1', summary: '', storageStrategies: { fastest } })
  const pool = { host: w.state.graph.get('host', u.host)!, diskBytes: GIB, strategy: 'tiers:fastest' }
  expect(await poolBy(w.world, pool)).toBe(other)
  await full(90 * GIB)
  expect((await placeBy(w.world, request())).primaryStorageUuid).toBe(other)
})

it('fails what names it when it is gone, lies or wants none, and says so', async () => {
  const w = await hosts([0])
  await withTwo(w)
  const pool = { host: w.state.graph.get('host', u.host)!, diskBytes: GIB, strategy: 'tiers:fastest' }
  const codes = async () =>
    Promise.all(
      [placeBy(w.world, request()), poolBy(w.world, pool)].map((one) =>
        one.then(
          () => 'taken',
          (error) => error.code,
        ),
      ),
    )
  expect(await codes()).toEqual(['plugin-failed', 'plugin-failed'])
  for (const [answer, code] of [
    [[u.vm], 'plugin-failed'],
    [[u.ps, u.ps], 'plugin-failed'],
    [{ storages: 'all' }, 'plugin-failed'],
    [[], 'no-primary-storage'],
  ] as const) {
    await withPlugin(w, lying(answer))
    expect(await codes(), JSON.stringify(answer)).toEqual([code, code])
  }
  // Where none has room it is not even asked: each says why.
  await withPlugin(w, lying([]))
  const none = { ...pool, diskBytes: 10_000 * GIB }
  await expect(poolBy(w.world, none)).rejects.toThrow('bytes are needed on')
})
