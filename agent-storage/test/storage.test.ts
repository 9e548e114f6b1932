/** agent-storage on a machine in memory: what its modules and image store do, and what they leave. */
import { nouns, SkerryError } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { backing, doc, id, POOL, STORE, tomb, volumeSpec } from './bench.ts'
import { fakeBench } from './fake-bench.ts'

type Bench = Awaited<ReturnType<typeof fakeBench>>
let host: Bench['host']
let b: Bench['b']
let put: Bench['put']
let exists: Bench['exists']
let ours: Bench['ours']
let userImage: Bench['userImage']
let importImage: Bench['importImage']
beforeEach(async () => {
  ;({ host, b, put, exists, ours, userImage, importImage } = await fakeBench())
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
})

test('its modules are the nouns of the contract, in that order', () => {
  expect(b.nouns()).toEqual(nouns.storage.map((n) => n.noun))
})

describe('a pool', () => {
  test('is made, is Ready with its capacity, and goes without a trace', async () => {
    expect(await b.pools()).toEqual({ [POOL]: 'Ready', [STORE]: 'Ready' })
    expect(b.status(POOL)?.observed).toEqual({
      totalBytes: host.disk.totalBytes,
      availableBytes: expect.any(Number),
      usedBytes: expect.any(Number),
    })
    expect(await b.plan()).toEqual([])
    expect(await b.kinds()).toEqual(['pool', 'pool'])
    expect(await b.want(tomb('pool', POOL), tomb('pool', STORE))).toEqual({ [POOL]: 'Gone', [STORE]: 'Gone' })
    expect(exists(b.pool) || exists(b.store)).toBe(false)
    expect(await b.plan()).toEqual([])
  })

  test('that was removed can come back to the same place', async () => {
    await b.pools()
    await b.want(tomb('pool', POOL))
    expect(exists(b.pool)).toBe(false)
    expect(await b.pools()).toMatchObject({ [POOL]: 'Ready' })
  })

  test('leaves a folder that was there before it', async () => {
    host.disk.makeDir(b.pool, 0o700)
    await b.pools()
    await b.want(tomb('pool', POOL))
    expect(exists(b.pool)).toBe(true)
    expect(host.disk.folders.get(b.pool)).toBe(0o700)
  })

  test.each(['/', '/etc', '/etc/skerry', '/usr/share/x', '/var/lib', '/proc/x'])('is refused at %s', async (path) => {
    expect(await b.want(doc('pool', POOL, { path, kind: 'primary' }))).toEqual({ [POOL]: 'Refused in-use' })
    expect(ours()).toEqual([])
    await expect(b.run('storage', 'capacity', POOL, { path, kind: 'primary', storageUuid: POOL })).rejects.toMatchObject({
      code: 'in-use',
    })
  })

  test("is refused in a folder with somebody's files or with another pool's mark, and touches nothing there", async () => {
    host.disk.makeDir('/data/photos', 0o755)
    put('/data/photos/cat.jpg', 'meow')
    expect(await b.want(doc('pool', POOL, { path: '/data/photos', kind: 'primary' }))).toEqual({ [POOL]: 'Refused in-use' })
    await b.want(doc('pool', id(9), { path: '/data/other', kind: 'primary' }))
    const states = await b.want(doc('pool', POOL, { path: '/data/other', kind: 'primary' }))
    expect(states).toEqual({ [POOL]: 'Refused in-use', [id(9)]: 'Ready' })
    await b.want(tomb('pool', POOL))
    expect(exists('/data/photos/cat.jpg') && exists('/data/other/.skerry-pool.json')).toBe(true)
  })

  test('that was made before and whose disk is away fails and is not made anew; it is Ready when the disk is back', async () => {
    await b.pools()
    const marker = host.disk.files.get(`${b.pool}/.skerry-pool.json`)?.data as Uint8Array
    host.disk.remove(b.pool)
    await b.restart()
    expect((await b.pass())[POOL]).toBe('Failed volume-lost')
    expect(exists(b.pool)).toBe(false)
    host.disk.makeDir(`${b.pool}/volumes`, 0o755)
    host.disk.makeDir(`${b.pool}/cache`, 0o755)
    put(`${b.pool}/.skerry-pool.json`, marker)
    expect((await b.pass())[POOL]).toBe('Ready')
  })

  test('with volumes that nobody buried stays, and names them', async () => {
    await b.pools()
    put(`${b.pool}/volumes/${id(7)}.qcow2`, 'x')
    const states = await b.want(tomb('pool', POOL))
    expect(states[POOL]).toBe('Failed in-use')
    expect(b.status(POOL)?.error).toMatchObject({ details: { files: [`volumes/${id(7)}.qcow2`] } })
    expect(exists(`${b.pool}/volumes/${id(7)}.qcow2`)).toBe(true)
  })

  test('may go in one sync with its volumes', async () => {
    await b.pools()
    await b.want(doc('volume', id(3), volumeSpec(b.pool, id(3))))
    const states = await b.want(tomb('pool', POOL), tomb('volume', id(3)))
    expect(states).toMatchObject({ [POOL]: 'Gone', [id(3)]: 'Gone' })
    expect(exists(b.pool)).toBe(false)
  })
})

describe('a volume', () => {
  beforeEach(async () => void (await b.pools()))

  test('is made with its pool in one sync, grows, and goes without a trace', async () => {
    const spec = volumeSpec(b.pool, id(3))
    expect((await b.want(doc('volume', id(3), spec)))[id(3)]).toBe('Ready')
    expect(b.status(id(3))?.observed).toMatchObject({ sizeBytes: 64 * 1024 ** 2 })
    expect((await b.want(doc('volume', id(3), { ...spec, sizeBytes: 2 ** 30, birth: 'exists' })))[id(3)]).toBe('Ready')
    expect((await host.qemuImg.info({ path: spec.path, format: 'qcow2' }))[0]?.virtualSizeBytes).toBe(2 ** 30)
    expect(await b.plan()).toEqual([])
    expect(await b.kinds()).toEqual(['pool', 'pool', 'volume-file'])
    expect((await b.inventory()).find((i) => i.kind === 'volume-file')).toMatchObject({ id: spec.path, owner: id(3) })
    expect((await b.want(tomb('volume', id(3))))[id(3)]).toBe('Gone')
    expect(await b.kinds()).toEqual(['pool', 'pool'])
  })

  test('of raw format is made and grown too', async () => {
    const spec = { ...volumeSpec(b.pool, id(3)), format: 'raw' as const, path: `${b.pool}/volumes/${id(3)}.raw` }
    expect((await b.want(doc('volume', id(3), spec)))[id(3)]).toBe('Ready')
    expect((await b.want(doc('volume', id(3), { ...spec, sizeBytes: 2 ** 30 })))[id(3)]).toBe('Ready')
    expect(host.disk.files.get(spec.path)?.sizeBytes).toBe(2 ** 30)
  })

  test('whose file is gone is told as lost and never made anew, whether the controller or only this agent knows that it was there', async () => {
    const spec = volumeSpec(b.pool, id(3))
    await b.want(doc('volume', id(3), spec), doc('volume', id(4), { ...volumeSpec(b.pool, id(4)), birth: 'exists' }))
    host.disk.remove(spec.path)
    await b.restart()
    expect(await b.pass()).toMatchObject({ [id(3)]: 'Failed volume-lost', [id(4)]: 'Failed volume-lost' })
    expect(exists(spec.path)).toBe(false)
  })

  test('is not made where its pool is not', async () => {
    const states = await b.want(doc('volume', id(3), volumeSpec('/data/elsewhere', id(3))))
    expect(states[id(3)]).toBe('Failed host-command-failed')
    expect(exists('/data/elsewhere')).toBe(false)
  })

  test('is seen, and goes by its tombstone, where the agent has lost its ledger and hears of the pool later', async () => {
    await b.want(doc('volume', id(3), volumeSpec(b.pool, id(3))))
    host.disk.remove(b.pool.replace(/\/pool$/, '/ledger'))
    await b.restart()
    expect(await b.want(doc('volume', id(3), volumeSpec(b.pool, id(3), { birth: 'exists' })))).toEqual({ [id(3)]: 'Ready' })
    expect(await b.want(tomb('volume', id(3)))).toEqual({ [id(3)]: 'Gone' })
    expect(ours().filter((path) => path.includes(id(3)))).toEqual([])
  })

  test('that nobody names is left alone and told as Orphaned', async () => {
    await b.want(doc('volume', id(3), volumeSpec(b.pool, id(3))))
    await host.files.rename(volumeSpec(b.pool, id(3)).path, volumeSpec(b.pool, id(8)).path)
    expect(await b.pass()).toMatchObject({ [id(3)]: 'Failed volume-lost', [id(8)]: 'Orphaned' })
  })

  test('whose making fails leaves no half file and is made when the cause is gone', async () => {
    host.faults.failNext(
      'qemuImg.create',
      new SkerryError('host-command-failed', 'qemu-img failed', { stderr: 'x: No space left on device' }),
    )
    const spec = volumeSpec(b.pool, id(3))
    expect((await b.want(doc('volume', id(3), spec)))[id(3)]).toBe('Failed disk-full')
    expect(b.status(id(3))?.error).toMatchObject({ details: { path: spec.path } })
    expect(await b.kinds()).toEqual(['pool', 'pool'])
    expect((await b.want(doc('volume', id(3), spec)))[id(3)]).toBe('Ready')
  })
})

describe('an overlay', () => {
  let image: { uuid: string; sha256: string; format: 'qcow2' }
  beforeEach(async () => {
    await b.pools()
    await userImage()
    const { output } = await importImage(id(0x77))
    image = { uuid: id(0x77), sha256: String(output['sha256']), format: 'qcow2' }
  })
  const overlay = (n: number) => doc('volume', id(n), volumeSpec(b.pool, id(n), { backing: backing(b.pool, b.store, image) }))

  test('stands on one cached copy, which goes with its last user', async () => {
    expect(await b.want(overlay(3), overlay(4))).toMatchObject({ [id(3)]: 'Ready', [id(4)]: 'Ready' })
    const chain = await host.qemuImg.info({ path: volumeSpec(b.pool, id(3)).path, format: 'qcow2' })
    expect(chain.map((i) => i.path)).toEqual([volumeSpec(b.pool, id(3)).path, backing(b.pool, b.store, image).cachePath])
    expect(await b.kinds()).toEqual(['cache-file', 'image-file', 'image-ref', 'pool', 'pool', 'volume-file', 'volume-file'])
    await b.want(tomb('volume', id(3)))
    expect(await b.kinds()).toContain('cache-file')
    expect((await b.want(tomb('volume', id(4))))[id(4)]).toBe('Gone')
    expect(await b.kinds()).toEqual(['image-file', 'image-ref', 'pool', 'pool'])
  })

  test('two last users in one sync leave no cached copy either', async () => {
    await b.want(overlay(3), overlay(4))
    expect(await b.want(tomb('volume', id(3)), tomb('volume', id(4)))).toMatchObject({ [id(3)]: 'Gone', [id(4)]: 'Gone' })
    expect(await b.kinds()).toEqual(['image-file', 'image-ref', 'pool', 'pool'])
  })

  test('that never came to be leaves no cached copy after its tombstone', async () => {
    host.faults.failNext('qemuImg.create')
    expect((await b.want(overlay(3)))[id(3)]).toBe('Failed host-command-failed')
    expect(await b.kinds()).toContain('cache-file')
    expect((await b.want(tomb('volume', id(3))))[id(3)]).toBe('Gone')
    expect(await b.kinds()).not.toContain('cache-file')
  })

  test('keeps its cached copy from an agent that has lost its ledger, and hears of another user before it hears of the pool', async () => {
    await b.want(overlay(3))
    host.disk.remove(b.pool.replace(/\/pool$/, '/ledger'))
    await b.restart()
    await b.want(overlay(4))
    await b.want(tomb('volume', id(4)))
    expect(host.disk.files.has(backing(b.pool, b.store, image).cachePath)).toBe(true)
  })

  test('is not made on an image whose bytes in the store are damaged, or gone', async () => {
    const { sourcePath } = backing(b.pool, b.store, image)
    const good = host.disk.files.get(sourcePath)?.data as Uint8Array
    put(sourcePath, good.with(good.length - 1, 1))
    expect((await b.want(overlay(3)))[id(3)]).toBe('Refused image-checksum')
    host.disk.remove(sourcePath)
    expect((await b.want(overlay(4)))[id(4)]).toBe('Failed image-unreachable')
    expect(ours().filter((p) => p.startsWith(`${b.pool}/cache`) || p.startsWith(`${b.pool}/volumes`))).toEqual([])
  })

  test('for which the disk is too full fails with the path and leaves nothing half', async () => {
    const total = host.disk.totalBytes
    host.faults.before = (op) => {
      if (op === 'files.sink') host.disk.totalBytes = host.disk.usedBytes() + 1000
      if (op === 'files.remove') host.disk.totalBytes = total
    }
    expect((await b.want(overlay(3)))[id(3)]).toBe('Failed disk-full')
    expect(JSON.stringify(b.status(id(3))?.error)).toContain(`${b.pool}/cache/`)
    expect(await b.kinds()).not.toContain('cache-file')
  })
})
