/** Templates of settings: what they bring, apply and take back. */
import { type Config, configKey, configOf, configProblem, configTemplates, type Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { seededTemplates, templateConfigId } from '../src/configs/templates.ts'
import { configText } from '../src/configs/value.ts'
import { call, done, ready } from './engine-calls.ts'

const [, lab] = configTemplates
const templateUuid = lab!.uuid
const ratio = { category: 'host', name: 'cpu.overProvisioning.ratio' }
let calls = 0
const ask = (api: string, params: Row = {}) => call(api, { templateUuid, ...params }, { bodyHash: `call-${++calls}` })

describe('templates', () => {
  it.each(
    configTemplates.flatMap(({ name, values }) => Object.entries(values).map(([key, value]) => [name, key, value] as const)),
  )('%s gives %s a value that it may have: %s', (_, key, value) => {
    expect(configOf(key), key).toBeDefined()
    expect(configProblem(configOf(key) as Config, value)).toBeUndefined()
  })

  it('are there when a site starts, once, and follow a new version where nobody has changed them', async () => {
    const { w } = await ready()
    const { graph } = w.state
    expect(graph.count('globalConfigTemplate')).toBe(2)
    expect(seededTemplates(graph, 1)).toEqual([])
    const [kept, changed] = ['vm.expungePeriod', 'vm.deletionPolicy'].map((key) => templateConfigId(configOf(key)!, templateUuid))
    await w.commit({
      ops: [
        { o: 'set', t: 'templateConfig', k: kept!, v: { defaultValue: 'old', value: 'old' } },
        { o: 'set', t: 'templateConfig', k: changed!, v: { defaultValue: 'old', value: 'mine' } },
        { o: 'put', t: 'templateConfig', k: 'gone', v: { uuid: 'gone', name: 'gone', templateUuid, category: 'x' } },
      ],
    })
    const ops = seededTemplates(graph, 1)
    expect(ops).toContainEqual({ o: 'set', t: 'templateConfig', k: kept, v: { defaultValue: '3600', value: '3600' } })
    expect(ops).toContainEqual({ o: 'set', t: 'templateConfig', k: changed, v: { defaultValue: 'Delay' } })
    expect(ops).toContainEqual({ o: 'del', t: 'templateConfig', k: 'gone' })
    expect(ops).toHaveLength(3)
  })

  it('are applied together, and taken back to what was there before, also when applied twice', async () => {
    const { w, engine } = await ready()
    const { graph } = w.state
    await done(engine, call('UpdateGlobalConfig', { ...ratio, value: '7' }))
    await expect(engine.accept(ask('RevertTemplateConfig'))).rejects.toThrow(/is not applied/)
    for (let i = 0; i < 2; i++) expect((await done(engine, ask('ApplyTemplateConfig'))).state).toBe('done')
    for (const [key, value] of Object.entries(lab!.values)) expect(configText(graph, configKey(configOf(key)!)), key).toBe(value)
    expect((await done(engine, ask('RevertTemplateConfig'))).state).toBe('done')
    expect(configText(graph, 'host.cpu.overProvisioning.ratio')).toBe('7')
    for (const key of Object.keys(lab!.values).filter((one) => one !== 'host.cpu.overProvisioning.ratio'))
      expect(configText(graph, configKey(configOf(key)!)), key).toBe(configOf(key)!.default)
    await expect(engine.accept(ask('RevertTemplateConfig'))).rejects.toThrow(/is not applied/)
  })

  it('have values of their own, checked as settings are, and their defaults again', async () => {
    const { w, engine } = await ready()
    const { graph } = w.state
    const update = await done(engine, ask('UpdateTemplateConfig', { ...ratio, value: '30' }))
    expect(update.result!['inventory']).toMatchObject({ ...ratio, templateUuid, defaultValue: '20', value: '30' })
    expect(configText(graph, 'host.cpu.overProvisioning.ratio'), 'the site stays as it is').toBe('10')
    await expect(engine.accept(ask('UpdateTemplateConfig', { ...ratio, value: 'many' }))).rejects.toThrow(
      /invalid field\[value\]/,
    )
    const other = { category: 'identity', name: 'session.maxConcurrent', value: '3' }
    await expect(engine.accept(ask('UpdateTemplateConfig', other))).rejects.toThrow(/says nothing of/)
    await done(engine, ask('ApplyTemplateConfig'))
    expect(configText(graph, 'host.cpu.overProvisioning.ratio')).toBe('30')
    await done(engine, ask('ResetTemplateConfig'))
    expect(graph.get('templateConfig', templateConfigId(ratio, templateUuid))).toMatchObject({ value: '20' })
    expect(configText(graph, 'host.cpu.overProvisioning.ratio'), 'the site stays as it is').toBe('30')
  })
})
