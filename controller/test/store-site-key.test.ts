/** Another site key for stored secrets: whatever moment it is cut off at, everything can be opened again, and it can be gone on with. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { realDisk } from '../src/store/disk.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { type KeyedSecrets, openSecrets } from '../src/store/secrets.ts'
import { loadSiteKey, nextSiteKey, rotateSiteKey } from '../src/store/site-key.ts'

const dir = '/secrets'
const OLD = Buffer.alloc(32, 1)
const NEW = Buffer.alloc(32, 2)
const open = (disk: FakeDisk, siteKey: Buffer, nextKey?: Buffer) =>
  openSecrets({ dir, disk, siteKey, nextKey, random: randomBytes })
const folders: string[] = []
afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true })
})

async function filled(): Promise<{ disk: FakeDisk; secrets: KeyedSecrets; ids: string[] }> {
  const disk = fakeDisk()
  const secrets = await open(disk, OLD)
  const ids: string[] = []
  for (let n = 0; n < 4; n += 1) ids.push(await secrets.put(`value ${n}`))
  return { disk, secrets, ids }
}
const values = (secrets: KeyedSecrets, ids: string[]) => Promise.all(ids.map((id) => secrets.get(id)))
const EXPECTED = ['value 0', 'value 1', 'value 2', 'value 3']

describe('another site key', () => {
  it('opens everything, and the old one nothing any more; what hashes are made with stays', async () => {
    const { disk, secrets, ids } = await filled()
    const before = secrets.sealKey
    await secrets.rewrap(NEW)
    expect(await values(secrets, ids)).toEqual(EXPECTED)
    const after = await open(disk, NEW)
    expect(await values(after, ids)).toEqual(EXPECTED)
    expect(after.sealKey.equals(before)).toBe(true)
    await expect(open(disk, OLD)).rejects.toMatchObject({ code: 'invalid-argument' })
    const third = Buffer.alloc(32, 3)
    await after.rewrap(third)
    expect((await open(disk, third)).sealKey.equals(before)).toBe(true)
  })

  it('may be cut off before any write to the disk: with both keys all is there, and a repeat ends it', async () => {
    for (let cut = 1; ; cut += 1) {
      const { disk, secrets, ids } = await filled()
      let renames = 0
      const rename = disk.rename
      disk.rename = async (from, to) => {
        renames += 1
        if (renames === cut) throw new Error('cut off')
        return rename(from, to)
      }
      const ended = await secrets.rewrap(NEW).then(
        () => true,
        () => false,
      )
      const crashed = disk.crash(() => 0)
      const again = await open(crashed, OLD, NEW)
      expect(await values(again, ids), `cut at ${cut}`).toEqual(EXPECTED)
      expect(again.sealKey.equals(OLD)).toBe(true)
      await again.rewrap(NEW)
      const after = await open(crashed, NEW)
      expect(await values(after, ids)).toEqual(EXPECTED)
      expect(after.sealKey.equals(OLD)).toBe(true)
      if (ended) {
        expect(cut).toBe(7) // seal key, four values, fingerprint
        return
      }
    }
  })

  it('takes what is put and shredded meanwhile', async () => {
    const { disk, secrets, ids } = await filled()
    const rewrapping = secrets.rewrap(NEW)
    const fresh = await secrets.put('fresh')
    await secrets.shred(ids[3]!)
    await rewrapping
    const after = await open(disk, NEW)
    expect(await after.get(fresh)).toBe('fresh')
    expect((await after.list()).sort()).toEqual([...ids.slice(0, 3), fresh].sort())
  })

  it('stands beside the old one until nothing needs that', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-key-'))
    folders.push(folder)
    const file = join(folder, 'site.key')
    const old = await loadSiteKey(file)
    const secrets = await openSecrets({ dir: join(folder, 'secrets'), disk: realDisk, siteKey: old, random: randomBytes })
    const id = await secrets.put('canary')
    expect(await nextSiteKey(file)).toBeUndefined()
    const next = await loadSiteKey(`${file}.next`) // as a rotation that was cut off leaves it
    expect((await nextSiteKey(file))!.equals(next)).toBe(true)
    await rotateSiteKey(file, secrets)
    expect((await readFile(file)).equals(next)).toBe(true)
    expect((await stat(file)).mode & 0o077).toBe(0)
    expect((await readdir(folder)).sort()).toEqual(['secrets', 'site.key'])
    const after = await openSecrets({ dir: join(folder, 'secrets'), disk: realDisk, siteKey: next, random: randomBytes })
    expect(await after.get(id)).toBe('canary')
  })
})
