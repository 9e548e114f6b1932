/** A file that somebody else's guest writes into becomes a volume's by a second name, and loses it again without harm. */
import { volumePath } from '@skerry/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { doc, id, POOL, volumeSpec } from './bench.ts'
import { fakeBench } from './fake-bench.ts'

type Bench = Awaited<ReturnType<typeof fakeBench>>
let host: Bench['host']
let b: Bench['b']
let exists: Bench['exists']
const V = id(7)
const SIZE = 16 * 1024 ** 2
const own = () => volumePath(b.pool, V, 'qcow2')
const mine = () => `${b.pool}/mine/root.qcow2`
const input = (over = {}) => ({ poolUuid: POOL, poolPath: b.pool, file: mine(), as: `${V}.qcow2`, ...over })
const run = async (verb: 'link' | 'unlink', over = {}) => (await b.run('volume', verb, V, input(over))).output

beforeEach(async () => {
  ;({ host, b, exists } = await fakeBench())
  await b.pools()
  host.disk.makeDir(`${b.pool}/mine`, 0o755)
  await host.qemuImg.create({ path: mine(), format: 'qcow2', sizeBytes: SIZE })
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
})

test('a file gets the name of a volume, once or twice, and its document finds it there', async () => {
  expect(await run('link')).toMatchObject({ sizeBytes: SIZE })
  expect(await run('link')).toMatchObject({ sizeBytes: SIZE })
  const spec = volumeSpec(b.pool, V, { birth: 'exists', sizeBytes: SIZE, backing: null })
  expect(await b.want(doc('volume', V, spec))).toMatchObject({ [V]: 'Ready' })
  expect(exists(mine())).toBe(true)
})

test('the name is taken away again, and never the last one', async () => {
  await run('link')
  expect(await run('unlink')).toMatchObject({ unlinked: true })
  expect(await run('unlink')).toMatchObject({ unlinked: false })
  expect([exists(mine()), exists(own())]).toEqual([true, false])
  await run('link')
  await host.files.remove(mine())
  expect(await run('unlink')).toMatchObject({ unlinked: false })
  await host.files.write(mine(), 'another')
  expect(await run('unlink')).toMatchObject({ unlinked: false })
  expect(exists(own())).toBe(true)
})

test('nothing else becomes a volume', async () => {
  const below = { path: mine(), format: 'qcow2' as const }
  await host.qemuImg.create({ path: `${b.pool}/mine/over.qcow2`, format: 'qcow2', backing: below })
  await host.files.write(`${b.pool}/mine/text`, 'no disk')
  await host.files.write('/data/beside.qcow2', 'x')
  const refused: [string, object, string][] = [
    ['lies on another', { file: `${b.pool}/mine/over.qcow2` }, 'illegal-state'],
    ['is no image', { file: `${b.pool}/mine/text` }, 'illegal-state'],
    ['is not there', { file: `${b.pool}/mine/none` }, 'illegal-state'],
    ['is outside', { file: '/data/beside.qcow2' }, 'invalid-argument'],
    ['is a volume already', { file: `${b.pool}/volumes/${id(8)}.qcow2` }, 'invalid-argument'],
    ['is for another', { as: `${id(8)}.qcow2` }, 'invalid-argument'],
    ['is in another storage', { poolUuid: id(99) }, 'host-command-failed'],
  ]
  for (const [what, over, code] of refused) await expect(run('link', over), what).rejects.toMatchObject({ code })
  await host.files.write(own(), 'somebody is here')
  await expect(run('link')).rejects.toMatchObject({ code: 'in-use' })
  expect(await host.files.read(own())).toBe('somebody is here')
})
