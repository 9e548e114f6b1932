/** Settings: whose value wins, which values are taken, and that everything in the list is read by somebody. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, configKey, configNamed, configProblem, configs, type Op } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { idOf } from '../src/configs/ids.ts'
import { ownConfigRow, seededConfigs } from '../src/configs/rows.ts'
import { configText, configValue, effective, placeOf } from '../src/configs/value.ts'
import { base, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const cpu = configNamed('host', 'cpu.overProvisioning.ratio')
const key = 'host.cpu.overProvisioning.ratio'
const siteIs = (value: string): Op => ({ o: 'set', t: 'globalConfig', k: idOf(key), v: { value } })
const ownIs = (table: string, uuid: string, value: string): Op => ({
  ...{ o: 'put', t: 'resourceConfig', k: idOf(key, uuid) },
  v: ownConfigRow(cpu, { uuid, table }, { value, now: 0 }),
})

async function onSite(): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w)
  return w
}

describe('the value of a setting', () => {
  it("is that of the host, else its cluster's, else its zone's, else the site's, else the default", async () => {
    const w = await onSite()
    const { graph } = w.state
    const chain = [u.host, u.cluster, u.zone]
    expect(configValue(graph, key, chain)).toBe(10)
    for (const [op, value] of [
      [siteIs('2'), 2],
      [ownIs('zone', u.zone, '3'), 3],
      [ownIs('cluster', u.cluster, '4.5'), 4.5],
      [ownIs('host', u.host, '5'), 5],
    ] as const) {
      await w.commit({ ops: [op] })
      expect(configValue(graph, key, chain)).toBe(value)
    }
    expect(configValue(graph, key)).toBe(2)
    expect(configValue(graph, key, [id('another')])).toBe(2)
    expect(effective(graph, cpu, placeOf(graph, cpu, u.cluster)!)).toEqual([
      { value: '4.5', resourceUuid: u.cluster, table: 'cluster' },
      { value: '3', resourceUuid: u.zone, table: 'zone' },
      { value: '2' },
    ])
  })

  it('is the default in a graph that has no rows of settings', async () => {
    const w = await onSite()
    await w.commit({ ops: [...w.state.graph.rows('globalConfig')].map(([k]) => ({ o: 'del', t: 'globalConfig', k })) })
    expect(configText(w.state.graph, 'vm.expungePeriod')).toBe('604800')
    expect(configValue(w.state.graph, 'kvm.reservedMemory')).toBe(1024 ** 3)
  })

  it('goes with its resource', async () => {
    const w = await onSite()
    await w.commit({ ops: [ownIs('zone', u.zone, '3'), { o: 'put', t: 'zone', k: id('z'), v: base(id('z'), 'z') }] })
    await w.commit({ ops: [ownIs('zone', id('z'), '4')] })
    await w.commit({ ops: [{ o: 'del', t: 'zone', k: id('z') }] })
    expect([...w.state.graph.rows('resourceConfig')].map(([, row]) => row['resourceUuid'])).toEqual([u.zone])
  })
})

describe('the list of settings', () => {
  it('has sound defaults, each category and name once', () => {
    const all = configs as readonly Config[]
    for (const config of all) expect(configProblem(config, config.default), configKey(config)).toBeUndefined()
    expect(new Set(all.map(configKey)).size).toBe(all.length)
  })

  it('holds nothing that nobody reads', () => {
    const folder = join(import.meta.dirname, '../src')
    const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n')
    // Some are read for several categories at one place.
    const isRead = (c: Config) => text.includes(`'${configKey(c)}'`) || text.includes(`category}.${c.name}\``)
    expect((configs as readonly Config[]).filter((c) => !isRead(c)).map(configKey)).toEqual([])
  })

  it.each([
    ['host', 'cpu.overProvisioning.ratio', ['10', '1.5', '1000'], ['', '0', 'ten', '1e3', '-1', 'Infinity', '1001', ' 10']],
    ['vm', 'expungePeriod', ['1', '604800'], ['0', '1.5', '1h', '-1', '99999999999']],
    ['kvm', 'reservedMemory', ['0', '512M', '1G', '2 GB', '1073741824'], ['-1G', '1.5G', 'G', '9999999999T']],
    ['hostAllocator', 'reservedCapacity.hostLevel', ['true', 'false'], ['True', '1', 'yes', '']],
    ['vm', 'deletionPolicy', ['Direct', 'Delay', 'Never'], ['direct', 'DBOnly', '']],
  ])('%s.%s takes what makes sense and nothing else', (category, name, good, bad) => {
    const config = configNamed(category, name)
    expect(good.filter((text) => configProblem(config, text) !== undefined)).toEqual([])
    expect(bad.filter((text) => configProblem(config, text) === undefined)).toEqual([])
  })

  it('is what rows are brought in line with: changed values stay, others follow a new default, unknown ones go', async () => {
    const w = await onSite()
    const { graph } = w.state
    expect(seededConfigs(graph, 1)).toEqual([])
    const old = (name: string, v: Record<string, unknown>): Op => ({ o: 'set', t: 'globalConfig', k: idOf(name), v })
    await w.commit({
      ops: [
        old('vm.expungePeriod', { defaultValue: '5', value: '5' }),
        old('image.expungePeriod', { defaultValue: '5', value: '77' }),
        { o: 'put', t: 'globalConfig', k: id('gone'), v: { ...base(id('gone'), 'gone'), category: 'gone', id: 99 } },
        { o: 'del', t: 'globalConfig', k: idOf('vm.deletionPolicy') },
      ],
    })
    await w.commit({ ops: seededConfigs(graph, 1) })
    expect(graph.get('globalConfig', idOf('vm.expungePeriod'))).toMatchObject({ defaultValue: '604800', value: '604800' })
    expect(graph.get('globalConfig', idOf('image.expungePeriod'))).toMatchObject({ defaultValue: '259200', value: '77' })
    expect(graph.get('globalConfig', id('gone'))).toBeUndefined()
    expect(graph.get('globalConfig', idOf('vm.deletionPolicy'))).toMatchObject({ value: 'Delay', id: 100 })
    expect(seededConfigs(graph, 1)).toEqual([])
  })
})
