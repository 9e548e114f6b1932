/** The image store on a machine in memory: content addresses, references, what is refused and what it leaves. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { id, sha256 } from './bench.ts'
import { fakeBench, writeOut } from './fake-bench.ts'

type Bench = Awaited<ReturnType<typeof fakeBench>>
let host: Bench['host']
let b: Bench['b']
let exists: Bench['exists']
let ours: Bench['ours']
let userImage: Bench['userImage']
let importImage: Bench['importImage']
beforeEach(async () => {
  ;({ host, b, exists, ours, userImage, importImage } = await fakeBench())
})
afterEach(async () => {
  await b.stop()
  expect(b.faults).toEqual([])
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
    writeOut(host, '/data/home/evil.qcow2')
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
