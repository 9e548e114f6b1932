/** Volumes of several files on a machine in memory: made, moved along, merged, dropped, each done again after being cut off. */
import { layerPath, type storageDesired, volumePath } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { doc, id, POOL, tomb, volumeSpec } from './bench.ts'
import { fakeBench } from './fake-bench.ts'

type Bench = Awaited<ReturnType<typeof fakeBench>>
let host: Bench['host']
let b: Bench['b']
let exists: Bench['exists']
const V = id(7)
const names = { first: `${V}.qcow2`, a: `${V}.${id(10)}.qcow2`, b: `${V}.${id(11)}.qcow2`, c: `${V}.${id(12)}.qcow2` }
const path = (name: keyof typeof names) => `${b.pool}/volumes/${names[name]}`
const want = (over: Partial<storageDesired.VolumeSpec>) =>
  b.want(doc('volume', V, volumeSpec(b.pool, V, { birth: 'exists', ...over })))
const at = () => ({ poolUuid: POOL, poolPath: b.pool })
const below = async (name: keyof typeof names) => (await host.qemuImg.info({ path: path(name), format: 'qcow2' }))[0]?.backingPath
const over = (name: keyof typeof names, on: keyof typeof names) =>
  host.qemuImg.create({ path: path(name), format: 'qcow2', backing: { path: path(on), format: 'qcow2' } })

beforeEach(async () => {
  ;({ host, b, exists } = await fakeBench())
  await b.pools()
  await b.want(doc('volume', V, volumeSpec(b.pool, V)))
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
})

test('names are those of the contract', () => {
  expect([path('first'), path('a')]).toEqual([volumePath(b.pool, V, 'qcow2'), layerPath(b.pool, V, id(10))])
})

test('a file is announced, made over the present one, becomes it, and goes when the document says so', async () => {
  const next = { file: names.a, over: names.first }
  expect(await want({ next })).toMatchObject({ [V]: 'Ready' })
  expect(await below('a')).toBe(path('first'))
  expect(await want({ path: path('a'), layers: [{ snapshotUuid: id(10), file: names.first }] })).toMatchObject({ [V]: 'Ready' })
  expect((await b.inventory()).filter((i) => i.kind === 'volume-file').map((i) => [i.id, i.owner])).toEqual([
    [path('a'), V],
    [path('first'), V],
  ])
  expect(await b.plan()).toEqual([])
  expect(await want({ drop: [names.a] })).toMatchObject({ [V]: 'Ready' })
  expect([exists(path('a')), exists(path('first'))]).toEqual([false, true])
})

test('a file that was made for an announcement and is gone is lost, also after a restart', async () => {
  await want({ next: { file: names.a, over: names.first } })
  await b.restart()
  host.disk.remove(path('a'))
  expect(await b.pass()).toMatchObject({ [V]: 'Failed volume-lost' })
  expect(exists(path('a'))).toBe(false)
  expect(await want({ drop: [names.a] })).toMatchObject({ [V]: 'Ready' })
})

test('a file that could not be made is made at the next try, and leaves nothing half', async () => {
  host.faults.failNext('qemuImg.create')
  const next = { file: names.a, over: names.first }
  expect(await want({ next })).toMatchObject({ [V]: expect.stringContaining('Failed') })
  expect((await host.files.list(`${b.pool}/volumes`)) ?? []).toEqual([names.first])
  expect(await want({ next })).toMatchObject({ [V]: 'Ready' })
  expect(await below('a')).toBe(path('first'))
})

describe('what lies on a file that goes', () => {
  beforeEach(async () => {
    await over('a', 'first')
    await over('b', 'a')
    await over('c', 'a')
  })

  test('is moved onto what that lies on, all of it, once', async () => {
    for (let n = 0; n < 2; n++) {
      const { output, progress } = await b.run('volume', 'rebase', V, { ...at(), from: names.a })
      expect((output['files'] as unknown as { file: string }[]).map((f) => f.file).sort()).toEqual(Object.values(names).sort())
      if (n === 0) expect(progress.at(-1)).toMatchObject({ percent: 100 })
      else expect(progress).toEqual([])
    }
    expect([await below('b'), await below('c'), await below('a')]).toEqual([path('first'), path('first'), path('first')])
  })

  test('is moved further when the command was cut off between two', async () => {
    await host.qemuImg.rebase({
      disk: { path: path('b'), format: 'qcow2' },
      onto: { path: path('first'), format: 'qcow2' },
      timeoutMs: 1,
    })
    await b.run('volume', 'rebase', V, { ...at(), from: names.a })
    expect([await below('b'), await below('c')]).toEqual([path('first'), path('first')])
  })

  test('stands alone when that lies on nothing', async () => {
    await b.run('volume', 'rebase', V, { ...at(), from: names.first })
    expect(await below('a')).toBeUndefined()
    expect(await below('b')).toBe(path('a'))
  })

  test('stays where it is when that is gone, or is of another storage', async () => {
    host.disk.remove(path('a'))
    await expect(b.run('volume', 'rebase', V, { ...at(), from: names.a })).rejects.toMatchObject({ code: 'volume-lost' })
    await expect(b.run('volume', 'rebase', V, { ...at(), poolUuid: id(9), from: names.a })).rejects.toMatchObject({
      code: 'host-command-failed',
    })
  })
})

test('a file is merged into the one below it, unless another lies there too', async () => {
  await over('a', 'first')
  const merge = () => b.run('volume', 'merge', V, { ...at(), file: names.a, into: names.first })
  expect((await merge()).output).toEqual({ merged: true })
  await over('b', 'first')
  await expect(merge()).rejects.toMatchObject({ code: 'volume-layered' })
  host.disk.remove(path('a'))
  expect((await merge()).output).toEqual({ merged: false })
})

test('a volume that goes takes all its files along, and its image when it was the last', async () => {
  await over('a', 'first')
  await over('b', 'a')
  expect(await b.want(tomb('volume', V))).toMatchObject({ [V]: 'Gone' })
  expect((await host.files.list(`${b.pool}/volumes`)) ?? []).toEqual([])
})
