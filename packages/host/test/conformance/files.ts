/** What every `Files` does. `dir` exists and is empty. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Files } from '../../src/index.ts'

export function filesSuite(title: string, make: () => Promise<{ files: Files; dir: string }>): void {
  describe(`files (${title})`, () => {
    let files: Files
    let dir: string
    beforeEach(async () => {
      ;({ files, dir } = await make())
    })

    it('writes, replaces and reads a file, with its mode, and leaves no temporary file', async () => {
      await files.write(`${dir}/a`, 'one', 0o600)
      await files.write(`${dir}/a`, 'two', 0o600)
      expect(await files.read(`${dir}/a`)).toBe('two')
      expect(await files.stat(`${dir}/a`)).toMatchObject({ kind: 'file', sizeBytes: 3, mode: 0o600 })
      expect(await files.list(dir)).toEqual(['a'])
    })

    it('answers undefined for what is absent, and removing it is fine', async () => {
      const path = `${dir}/none/x`
      expect(await files.read(path)).toBeUndefined()
      expect(await files.readAt(path, 0, 1)).toBeUndefined()
      expect(await files.stat(path)).toBeUndefined()
      expect(await files.list(path)).toBeUndefined()
      expect(await files.sha256(path)).toBeUndefined()
      await files.remove(path)
    })

    it('fails to write where there is no folder, and names the path', async () => {
      await expect(files.write(`${dir}/none/x`, '')).rejects.toMatchObject({
        code: 'host-command-failed',
        message: `cannot write ${dir}/none/x`,
      })
    })

    it('reads a piece, and less at the end', async () => {
      await files.write(`${dir}/a`, 'abcdef')
      const text = async (offset: number, length: number) =>
        new TextDecoder().decode(await files.readAt(`${dir}/a`, offset, length))
      expect(await text(2, 3)).toBe('cde')
      expect(await text(4, 10)).toBe('ef')
      expect(await text(10, 10)).toBe('')
    })

    it('hashes content', async () => {
      await files.write(`${dir}/a`, 'abc')
      expect(await files.sha256(`${dir}/a`)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    })

    it('writes piece by piece, and goes on where it stopped', async () => {
      const chunk = (text: string) => new TextEncoder().encode(text)
      const first = await files.sink(`${dir}/a`)
      await first.write(chunk('one '))
      await first.write(chunk('two '))
      await first.close()
      const second = await files.sink(`${dir}/a`, { append: true })
      await second.write(chunk('three'))
      await second.close()
      expect(await files.read(`${dir}/a`)).toBe('one two three')
      await (await files.sink(`${dir}/a`)).close()
      expect(await files.read(`${dir}/a`)).toBe('')
    })

    it('makes folders with parents, lists them, renames and removes trees', async () => {
      await files.makeDir(`${dir}/x/y`, 0o700)
      await files.makeDir(`${dir}/x/y`, 0o750)
      expect(await files.stat(`${dir}/x/y`)).toMatchObject({ kind: 'folder', mode: 0o750 })
      await files.write(`${dir}/x/y/f`, '1')
      await files.rename(`${dir}/x/y/f`, `${dir}/g`)
      expect(await files.list(dir)).toEqual(['g', 'x'])
      expect(await files.list(`${dir}/x/y`)).toEqual([])
      await files.remove(`${dir}/x`)
      expect(await files.list(dir)).toEqual(['g'])
    })

    it('gives a file a second name, once or twice, and never takes that of another file', async () => {
      await files.write(`${dir}/a`, 'one')
      await files.link(`${dir}/a`, `${dir}/b`)
      await files.link(`${dir}/a`, `${dir}/b`)
      await files.remove(`${dir}/a`)
      expect(await files.read(`${dir}/b`)).toBe('one')
      await files.write(`${dir}/a`, 'another')
      await expect(files.link(`${dir}/a`, `${dir}/b`)).rejects.toMatchObject({ code: 'in-use' })
      expect(await files.read(`${dir}/b`)).toBe('one')
      await expect(files.link(`${dir}/none`, `${dir}/c`)).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(files.link(`${dir}/none`, `${dir}/b`)).rejects.toMatchObject({ code: 'host-command-failed' })
      expect(await files.list(dir)).toEqual(['a', 'b'])
    })

    it('knows how much room there is', async () => {
      const { totalBytes, availableBytes } = await files.capacity(dir)
      expect(totalBytes).toBeGreaterThan(0)
      expect(availableBytes).toBeGreaterThan(0)
      expect(availableBytes).toBeLessThanOrEqual(totalBytes)
    })

    it('refuses a path that is not absolute', async () => {
      await expect(files.write('a', '')).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(files.read('../a')).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })
}
