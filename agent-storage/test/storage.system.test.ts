/** agent-storage with the real qemu-img, file system and HTTP, in a temporary folder. Needs qemu-utils, no root. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realHost } from '@skerry/host'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { backing, bench, doc, id, md5, POOL, STORE, sha256, tomb, volumeSpec } from './bench.ts'
import { type ImageServer, imageServer } from './image-server.ts'

const available = requireOrSkip('agent-storage with the real qemu-img', { programs: ['qemu-img', 'qemu-io'] })

describe.skipIf(!available)('agent-storage on this machine', () => {
  let root: string
  let server: ImageServer
  let image: Buffer
  let b: Awaited<ReturnType<typeof bench>>

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'skerry-storage-'))
    await mkdir(join(root, 'made'))
    const make = (name: string, ...args: string[]) => {
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...args.slice(1), join(root, 'made', name), ...args.slice(0, 1)])
      return join(root, 'made', name)
    }
    const good = make('good.qcow2', '32M')
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x5a 0 3M', good], { stdio: 'ignore' })
    const other = make('other.qcow2', '48M')
    const evil = make('evil.qcow2', '32M', '-u', '-b', '/etc/passwd', '-F', 'raw')
    image = await readFile(good)
    server = await imageServer(image, await readFile(other), await readFile(evil))
  })
  afterAll(async () => {
    await server.close()
    await rm(root, { recursive: true })
  })
  let count = 0
  beforeEach(async () => {
    const dir = join(root, `t${++count}`)
    await mkdir(dir)
    b = await bench(realHost(), dir)
    await b.pools()
  })
  afterEach(async () => {
    await b.stop()
    expect(b.faults).toEqual([])
  })

  const download = (path: string, over: Record<string, unknown> = {}, signal?: AbortSignal) =>
    b.run(
      'image',
      'download',
      id(5),
      { storePath: b.store, url: path.startsWith('/') ? server.url(path) : path, format: 'qcow2', checksum: null, ...over },
      signal,
    )
  const stored = async () => [...(await readdir(`${b.store}/images`)), ...(await readdir(`${b.store}/refs`))].sort()
  const sum = () => sha256(image)
  const whole = () => [`${id(5)}.json`, `${sum()}.qcow2`].sort()
  const asked = (path: string) => server.requests.filter((r) => r.startsWith(`${path} `)).map((r) => r.split(' ')[1])

  test('downloads over HTTP with true progress, both digests, and what qemu-img says of it', async () => {
    const { output, progress } = await download('/good', { checksum: `sha256:${sum()}` })
    expect(output).toEqual({
      installPath: `${b.store}/images/${sum()}.qcow2`,
      size: 32 * 1024 ** 2,
      actualSize: image.length,
      md5: md5(image),
      sha256: sum(),
      format: 'qcow2',
    })
    expect(image.equals(await readFile(String(output['installPath'])))).toBe(true)
    const moves = progress.filter((p) => p['step'] === 'download')
    expect(moves.at(-1)).toMatchObject({ doneBytes: image.length, totalBytes: image.length, percent: 100, remainingMs: 0 })
    expect(await stored()).toEqual(whole())
    expect((await download('/good?a=b', { checksum: `md5:${md5(image)}` })).output).toEqual(output)
  })

  test('follows a redirect over HTTP, but not to a file, in a circle, or to nobody', async () => {
    await expect(download('/to-file')).rejects.toMatchObject({
      code: 'image-unreachable',
      details: { location: 'file:///etc/passwd' },
    })
    await expect(download('/loop')).rejects.toMatchObject({ code: 'image-unreachable' })
    expect(asked('/loop')).toHaveLength(6)
    await expect(download('/404')).rejects.toMatchObject({ code: 'image-unreachable', details: { status: 404 } })
    expect(await stored()).toEqual([])
    expect((await download('/redirect')).output['sha256']).toBe(sum())
  })

  test('goes on where a connection was cut, as long as the source has the same content', async () => {
    const { output } = await download('/cut')
    expect(output['sha256']).toBe(sum())
    // what was under way when the connection broke may be lost, on a busy machine
    const [first, ...rest] = asked('/cut')
    const [second, third] = rest.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1])) as [number, number]
    expect([first, rest.length]).toEqual(['-', 2])
    expect(second).toBeGreaterThan(0)
    expect(second).toBeLessThanOrEqual(image.length / 3)
    expect(third).toBeGreaterThan(second)
    expect(third).toBeLessThanOrEqual(second + image.length / 3)
    expect(await stored()).toEqual(whole())
  })

  test('begins anew when the source cannot promise the same content, or has other content by now', async () => {
    expect((await download('/cut-without-etag')).output['sha256']).toBe(sum())
    expect(asked('/cut-without-etag')).toEqual(['-', '-'])
    await b.run('image', 'remove', id(5), { storePath: b.store, sha256: null })
    const { output } = await download('/changed')
    expect(output['size']).toBe(48 * 1024 ** 2)
    expect(asked('/changed')).toEqual(['-', 'bytes=100000-'])
  })

  test('keeps the beginning when the source goes away for longer, and a later command goes on with it', async () => {
    await expect(download('/down-once')).rejects.toMatchObject({ code: 'image-unreachable' })
    expect(await stored()).toEqual([`${id(5)}.part`, `${id(5)}.part.json`])
    const { output } = await download('/down-once')
    expect(output['sha256']).toBe(sum())
    expect(asked('/down-once').at(-1)).toBe('bytes=100000-')
    expect(await stored()).toEqual(whole())
  }, 30_000)

  test('leaves nothing of a source that never gave a byte', async () => {
    await expect(download('/cut-always')).rejects.toMatchObject({ code: 'image-unreachable' })
    expect(await stored()).toEqual([])
  }, 30_000)

  test('ends when it is aborted; a removal afterwards leaves nothing', async () => {
    const abort = new AbortController()
    const late = new Error('too late')
    setTimeout(() => abort.abort(late), 200)
    await expect(download('/slow', {}, abort.signal)).rejects.toBe(late)
    await b.run('image', 'remove', id(5), { storePath: b.store, sha256: null })
    expect(await stored()).toEqual([])
  })

  test('refuses wrong bytes, a hostile qcow2, a wrong format and a truncated image, and leaves nothing', async () => {
    await expect(download('/good', { checksum: `md5:${'0'.repeat(32)}` })).rejects.toMatchObject({ code: 'image-checksum' })
    await expect(download('/evil')).rejects.toMatchObject({
      code: 'image-refused',
      message: expect.stringContaining('/etc/passwd'),
    })
    await expect(download('/good', { format: 'raw' })).rejects.toMatchObject({ code: 'image-refused' })
    await expect(download('/good', { format: 'iso' })).rejects.toMatchObject({ code: 'image-refused' })
    const torn = join(root, 'made/torn.qcow2')
    await writeFile(torn, image.subarray(0, 70_000))
    await expect(download(`file://${torn}`)).rejects.toMatchObject({ code: 'image-refused' })
    expect(await stored()).toEqual([])
  })

  test('takes local files, but no links and nothing protected', async () => {
    expect((await download(`file://${join(root, 'made/good.qcow2')}`)).output['sha256']).toBe(sum())
    execFileSync('ln', ['-sfn', '/etc', join(root, 'made/link')])
    execFileSync('ln', ['-sfn', '/etc/passwd', join(root, 'made/passwd')])
    for (const path of [join(root, 'made/link/passwd'), join(root, 'made/passwd'), '/etc/passwd', join(root, 'made')]) {
      const refused = b.run('image', 'download', id(6), {
        storePath: b.store,
        url: `file://${path}`,
        format: 'raw',
        checksum: null,
      })
      await expect(refused).rejects.toMatchObject({ code: 'image-refused' })
    }
    expect(await stored()).toEqual(whole())
  })

  test('makes overlays that hold the image, grows them, and leaves nothing when all is buried', async () => {
    await download('/good')
    const spec = volumeSpec(b.pool, id(7), {
      sizeBytes: 32 * 1024 ** 2,
      backing: backing(b.pool, b.store, { uuid: id(5), sha256: sum(), format: 'qcow2' }),
    })
    expect((await b.want(doc('volume', id(7), spec), doc('volume', id(8), volumeSpec(b.pool, id(8)))))[id(7)]).toBe('Ready')
    const info = JSON.parse(execFileSync('qemu-img', ['info', '--output=json', spec.path], { encoding: 'utf8' }))
    expect(info).toMatchObject({
      format: 'qcow2',
      'virtual-size': 32 * 1024 ** 2,
      'backing-filename': spec.backing?.cachePath,
      'backing-filename-format': 'qcow2',
    })
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'read -P 0x5a 0 3M', spec.path], { stdio: 'ignore' })
    const grown = { ...spec, sizeBytes: 64 * 1024 ** 2, birth: 'exists' as const }
    expect((await b.want(doc('volume', id(7), grown)))[id(7)]).toBe('Ready')
    expect(b.status(id(7))?.observed).toMatchObject({ sizeBytes: 64 * 1024 ** 2 })
    expect(await b.plan()).toEqual([])
    await b.restart()
    expect(await b.pass()).toMatchObject({ [id(7)]: 'Ready', [id(8)]: 'Ready', [POOL]: 'Ready' })
    await b.want(tomb('volume', id(7)), tomb('volume', id(8)))
    await b.run('image', 'remove', id(5), { storePath: b.store, sha256: sum() })
    expect(await b.want(tomb('pool', POOL), tomb('pool', STORE))).toEqual({
      [POOL]: 'Gone',
      [STORE]: 'Gone',
      [id(7)]: 'Gone',
      [id(8)]: 'Gone',
    })
    await expect(stat(b.pool)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(stat(b.store)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('tells capacity of a folder that is not there yet as that of its file system', async () => {
    const { output } = await b.run('storage', 'capacity', id(9), {
      path: `${b.pool}-other/deep`,
      kind: 'primary',
      storageUuid: id(9),
    })
    const observed = b.status(POOL)?.observed as { totalBytes: number }
    expect(output['totalBytes']).toBe(observed.totalBytes)
  })
})
