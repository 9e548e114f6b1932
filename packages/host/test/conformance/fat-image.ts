/** What every `FatImages` does. `dir` exists and is empty. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { FatImages, Files } from '../../src/index.ts'

export function fatImageSuite(title: string, make: () => Promise<{ fatImages: FatImages; files: Files; dir: string }>): void {
  describe(`FAT images (${title})`, () => {
    let fatImages: FatImages
    let files: Files
    let dir: string
    beforeEach(async () => {
      ;({ fatImages, files, dir } = await make())
    })
    const image = { label: 'cidata', files: { 'meta-data': 'a: 1\n', 'user-data': '#cloud-config\nä: "☂"\n', empty: '' } }

    it('gives back label, names and texts as they were given', async () => {
      await fatImages.write(`${dir}/seed.img`, image)
      expect(await fatImages.read(`${dir}/seed.img`)).toEqual(image)
    })

    it('keeps the file to its owner and leaves nothing beside it', async () => {
      await fatImages.write(`${dir}/seed.img`, image)
      expect((await files.stat(`${dir}/seed.img`))?.mode).toBe(0o600)
      expect(await files.list(dir)).toEqual(['seed.img'])
    })

    it('replaces an image that is there, with another size where that is needed', async () => {
      await fatImages.write(`${dir}/seed.img`, image)
      const large = { label: 'cidata', files: { 'user-data': 'x'.repeat(1_000_000) } }
      await fatImages.write(`${dir}/seed.img`, large)
      expect(await fatImages.read(`${dir}/seed.img`)).toEqual(large)
    })

    it('says of an image that is not there that it is not there', async () => {
      expect(await fatImages.read(`${dir}/none.img`)).toBeUndefined()
    })

    it('refuses labels and names that FAT or its tools would read otherwise, and leaves nothing behind', async () => {
      const wrong = [
        { label: 'far-too-long-a-label', files: {} },
        { label: '', files: {} },
      ]
      const names = ['../up', 'a/b', '-i', 'x:y', '']
      for (const bad of [...wrong, ...names.map((name) => ({ label: 'cidata', files: { [name]: 'x' } }))])
        await expect(fatImages.write(`${dir}/bad.img`, bad)).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(fatImages.write('relative.img', image)).rejects.toMatchObject({ code: 'invalid-argument' })
      expect(await files.list(dir)).toEqual([])
    })
  })
}
