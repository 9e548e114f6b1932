import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { realDisk } from '../src/store/disk.ts'
import { openDocument } from '../src/store/document.ts'
import { fakeDisk } from '../src/store/fake-disk.ts'
import { openSecrets } from '../src/store/secrets.ts'
import { loadSiteKey } from '../src/store/site-key.ts'

const dir = '/secrets'
const VALUE = 'canary-pässword'
const open = (disk = fakeDisk(), siteKey = Buffer.alloc(32, 1)) => openSecrets({ dir, disk, siteKey, random: randomBytes })
const folders: string[] = []
const folder = async () => {
  const made = await fs.mkdtemp(path.join(os.tmpdir(), 'skerry-store-'))
  folders.push(made)
  return made
}
afterEach(async () => {
  for (const made of folders.splice(0)) await fs.rm(made, { recursive: true })
})

describe('secrets', () => {
  it('come back after a crash, and stand nowhere in the open', async () => {
    const disk = fakeDisk()
    const id = await (await open(disk)).put(VALUE)
    expect(id).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
    const after = disk.crash(() => 0)
    const secrets = await open(after)
    expect(await secrets.get(id)).toBe(VALUE)
    expect(await secrets.list()).toEqual([id])
    for (const file of after.files()) {
      const content = after.content(file)!
      for (const form of [VALUE, Buffer.from(VALUE).toString('base64').slice(0, 12), Buffer.from(VALUE).toString('hex')])
        expect(content.includes(form)).toBe(false)
    }
  })

  it('are gone once shredded: the old bytes are overwritten, and a second time is harmless', async () => {
    const disk = fakeDisk()
    const secrets = await open(disk)
    const id = await secrets.put(VALUE)
    const file = `${dir}/${id}.secret`
    const before = Buffer.from(disk.content(file)!)
    let overwritten: Buffer | undefined
    const unlink = disk.unlink
    disk.unlink = async (name) => {
      overwritten = disk.content(name)
      return unlink(name)
    }
    await secrets.shred(id)
    expect(overwritten).toHaveLength(before.length)
    expect(overwritten!.equals(before)).toBe(false)
    await expect(secrets.get(id)).rejects.toMatchObject({ code: 'not-found' })
    await secrets.shred(id)
    expect(await secrets.list()).toEqual([])
  })

  it('that were changed or exchanged are refused', async () => {
    const disk = fakeDisk()
    const secrets = await open(disk)
    const [a, b] = [await secrets.put('a'), await secrets.put('b')]
    const swapped = fakeDisk(
      disk.files().map((file) => [file.replace(a, 'x').replace(b, a).replace('x', b), disk.content(file)!]),
    )
    await expect((await open(swapped)).get(a)).rejects.toMatchObject({ code: 'log-corrupt' })
    const content = disk.content(`${dir}/${a}.secret`)!
    disk.flip(`${dir}/${a}.secret`, content.lastIndexOf('"data":"') + 8)
    await expect(secrets.get(a)).rejects.toMatchObject({ code: 'log-corrupt' })
    expect(await secrets.get(b)).toBe('b')
  })

  it('refuse a site key that is not theirs, and ids that are paths', async () => {
    const disk = fakeDisk()
    const secrets = await open(disk)
    await expect(open(disk, Buffer.alloc(32, 2))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(secrets.get('../../etc/passwd')).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

describe('the site key', () => {
  it('is made once, for its owner only, and refused when others can read it', async () => {
    const file = path.join(await folder(), 'keys', 'site.key')
    const key = await loadSiteKey(file)
    expect(key).toHaveLength(32)
    expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
    expect(await loadSiteKey(file)).toEqual(key)
    await fs.chmod(file, 0o644)
    await expect(loadSiteKey(file)).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

describe.each(['fake', 'real'])('documents on the %s disk', (kind) => {
  it('keep their content and the previous copy', async () => {
    const disk = kind === 'fake' ? fakeDisk() : realDisk
    const file = `${kind === 'fake' ? '/x' : await folder()}/doc.json`
    const one = await openDocument(disk, file, { n: 0 })
    expect(one.existed).toBe(false)
    await Promise.all([1, 2, 3].map((n) => one.low.update((data) => void (data.n = n))))
    const two = await openDocument(disk, file, { n: 0 })
    expect([two.existed, two.low.data.n]).toEqual([true, 3])
    await disk.unlink(file)
    expect((await openDocument(disk, file, { n: 0 })).low.data.n, 'the copy before').toBeLessThanOrEqual(3)
  })
})

describe.each(['fake', 'real'])('the %s disk', (kind) => {
  it('writes at offsets, reads short at the end, truncates, lists, renames and removes', async () => {
    const disk = kind === 'fake' ? fakeDisk() : realDisk
    const base = kind === 'fake' ? '/d' : await folder()
    await disk.mkdir(`${base}/sub`)
    const file = await disk.open(`${base}/sub/a`, 'create')
    await file.write(0, Buffer.from('hello world'))
    await file.write(6, Buffer.from('skerry'))
    await file.sync()
    expect((await file.read(6, 100)).toString()).toBe('skerry')
    await file.truncate(5)
    expect(await file.size()).toBe(5)
    await file.close()
    await disk.rename(`${base}/sub/a`, `${base}/sub/b`)
    await disk.syncDir(`${base}/sub`)
    expect(await disk.list(`${base}/sub`)).toEqual(['b'])
    expect(await disk.list(`${base}/none`)).toEqual([])
    await expect(disk.open(`${base}/sub/a`, 'write')).rejects.toMatchObject({ code: 'ENOENT' })
    await disk.unlink(`${base}/sub/b`)
    await expect(disk.unlink(`${base}/sub/b`)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await disk.free(base)).toBeGreaterThan(0)
  })
})
