/** agent-storage on a machine in memory: what its modules and image store do, and what they leave. */
import { SkerryError } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { backing, bench, contractNouns, doc, id, POOL, STORE, sha256, tomb, volumeSpec } from './bench.ts'

let host: FakeHost
let b: Awaited<ReturnType<typeof bench>>
beforeEach(async () => {
  host = fakeHost()
  host.disk.makeDir('/data', 0o755)
  b = await bench(host, '/data/t')
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
})
const put = (path: string, data: Uint8Array | string) =>
  host.disk.put(path, typeof data === 'string' ? new TextEncoder().encode(data) : data)
const exists = (path: string) => host.disk.files.has(path) || host.disk.folders.has(path)
const ours = () => [...host.disk.files.keys()].filter((p) => p.startsWith('/data/') && !p.includes('/ledger/')).sort()

/** A stand-alone qcow2 as a user's own file. */
async function userImage(path = '/data/home/base.qcow2', sizeBytes = 16 * 1024 ** 2) {
  host.disk.makeDir('/data/home', 0o755)
  await host.qemuImg.create({ path, format: 'qcow2', sizeBytes })
  const file = host.disk.files.get(path)
  const bytes = new Uint8Array(file?.sizeBytes ?? 0)
  bytes.set(file?.data ?? [])
  put(path, bytes)
  return bytes
}
async function importImage(uuid: string, over: Record<string, unknown> = {}) {
  return b.run('image', 'download', uuid, {
    storePath: b.store,
    url: 'file:///data/home/base.qcow2',
    format: 'qcow2',
    checksum: null,
    ...over,
  })
}

test('its modules are the nouns of the contract, in that order', async () => {
  await b.pools()
  expect(contractNouns).toEqual(['pool', 'volume'])
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

describe('an image', () => {
  beforeEach(async () => void (await b.pools()))
  const storeFiles = () => ours().filter((p) => p.startsWith(`${b.store}/images`) || p.startsWith(`${b.store}/refs`))

  test('is stored once for two images of the same content, and its bytes go with the last', async () => {
    const bytes = await userImage()
    const first = await importImage(id(5), { checksum: `sha256:${sha256(bytes)}` })
    const second = await importImage(id(6))
    expect(first.output).toEqual({
      installPath: `${b.store}/images/${sha256(bytes)}.qcow2`,
      size: 16 * 1024 ** 2,
      actualSize: bytes.length,
      md5: expect.any(String),
      sha256: sha256(bytes),
      format: 'qcow2',
    })
    expect(second.output['installPath']).toBe(first.output['installPath'])
    expect(await b.kinds()).toEqual(['image-file', 'image-ref', 'image-ref', 'pool', 'pool'])
    expect((await b.run('image', 'remove', id(5), { storePath: b.store, sha256: null })).output).toEqual({ removed: true })
    expect(exists(String(first.output['installPath']))).toBe(true)
    await b.run('image', 'remove', id(6), { storePath: b.store, sha256: sha256(bytes) })
    expect(storeFiles()).toEqual([])
    expect((await b.run('image', 'remove', id(6), { storePath: b.store, sha256: null })).output).toEqual({ removed: false })
  })

  test('asked for again is answered from the store, without its source', async () => {
    await userImage()
    const first = await importImage(id(5))
    host.disk.remove('/data/home')
    expect((await importImage(id(5))).output).toEqual(first.output)
  })

  test('tells its progress in bytes', async () => {
    const bytes = await userImage()
    const { progress } = await importImage(id(5))
    expect(progress).toContainEqual(
      expect.objectContaining({ step: 'download', doneBytes: bytes.length, totalBytes: bytes.length, percent: 100 }),
    )
  })

  test.each([
    ['sha256', { checksum: `sha256:${'0'.repeat(64)}` }, 'image-checksum'],
    ['md5', { checksum: `md5:${'0'.repeat(32)}` }, 'image-checksum'],
    ['a format that it is not', { format: 'raw' }, 'image-refused'],
    ['an absent source', { url: 'file:///data/home/none.qcow2' }, 'image-unreachable'],
    ['a folder', { url: 'file:///data/home' }, 'image-refused'],
    ['/etc', { url: 'file:///etc/passwd' }, 'image-refused'],
    ['/proc', { url: 'file:///proc/kcore' }, 'image-refused'],
    ['/dev', { url: 'file:///dev/sda' }, 'image-refused'],
    ['/var/log', { url: 'file:///var/log/x' }, 'image-refused'],
    ['a hidden folder', { url: 'file:///root/.ssh/id_rsa' }, 'image-refused'],
    ['ZStack itself', { url: 'file:///usr/local/zstack/x' }, 'image-refused'],
  ])('with wrong %s is refused and leaves nothing', async (_, over, code) => {
    await userImage()
    await expect(importImage(id(5), over)).rejects.toMatchObject({ code })
    expect(storeFiles()).toEqual([])
  })

  test('with a backing file is refused before qemu-img sees it', async () => {
    await userImage()
    await host.qemuImg.create({
      path: '/data/home/evil.qcow2',
      format: 'qcow2',
      backing: { path: '/data/home/base.qcow2', format: 'qcow2' },
    })
    const file = host.disk.files.get('/data/home/evil.qcow2')
    const bytes = new Uint8Array(file?.sizeBytes ?? 0)
    bytes.set(file?.data ?? [])
    put('/data/home/evil.qcow2', bytes)
    const opened: string[] = []
    host.faults.before = (op) => {
      if (op.startsWith('qemuImg.')) opened.push(op)
    }
    await expect(importImage(id(5), { url: 'file:///data/home/evil.qcow2' })).rejects.toMatchObject({ code: 'image-refused' })
    expect(opened).toEqual([])
    expect(storeFiles()).toEqual([])
  })

  test('for which the disk is too full is refused and leaves nothing', async () => {
    const bytes = await userImage()
    const total = host.disk.totalBytes
    host.disk.totalBytes = host.disk.usedBytes() + bytes.length - 1
    await expect(importImage(id(5))).rejects.toMatchObject({ code: 'disk-full' })
    host.disk.totalBytes = total
    expect(storeFiles()).toEqual([])
  })

  test('is written only into a folder that is an image store of ours', async () => {
    await userImage()
    for (const storePath of [b.pool, '/data/home', '/etc']) {
      await expect(importImage(id(5), { storePath })).rejects.toMatchObject({ code: 'no-backup-storage' })
      await expect(b.run('image', 'remove', id(5), { storePath, sha256: 'a'.repeat(64) })).rejects.toMatchObject({
        code: 'no-backup-storage',
      })
    }
  })
})
