/** What every `QemuImg` does. `dir` exists and is empty. */
import { beforeEach, describe, expect, it } from 'vitest'
import { type Files, GUARD_BYTES, guardImage, type QemuImg } from '../../src/index.ts'

const MIB = 1024 * 1024

export function qemuImgSuite(title: string, make: () => Promise<{ qemuImg: QemuImg; files: Files; dir: string }>): void {
  describe(`qemu-img (${title})`, () => {
    let qemuImg: QemuImg
    let files: Files
    let dir: string
    beforeEach(async () => {
      ;({ qemuImg, files, dir } = await make())
    })
    const base = () => ({ path: `${dir}/base.qcow2`, format: 'qcow2' as const })

    it('makes raw and qcow2 disks of the size that was asked for', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      await qemuImg.create({ path: `${dir}/d.raw`, format: 'raw', sizeBytes: 5 * MIB })
      expect(await qemuImg.info(base())).toMatchObject([{ format: 'qcow2', virtualSizeBytes: 10 * MIB, path: base().path }])
      expect(await qemuImg.info({ path: `${dir}/d.raw`, format: 'raw' })).toMatchObject([
        { format: 'raw', virtualSizeBytes: 5 * MIB },
      ])
      expect((await files.stat(`${dir}/d.raw`))?.sizeBytes).toBe(5 * MIB)
    })

    it('makes an overlay as large as its base, or larger, and shows the chain', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      const top = { path: `${dir}/top.qcow2`, format: 'qcow2' as const }
      await qemuImg.create({ ...top, backing: base() })
      await qemuImg.create({ path: `${dir}/big.qcow2`, format: 'qcow2', backing: base(), sizeBytes: 20 * MIB })
      expect(await qemuImg.info(top)).toMatchObject([
        { path: top.path, virtualSizeBytes: 10 * MIB, backingPath: base().path, backingFormat: 'qcow2' },
        { path: base().path, virtualSizeBytes: 10 * MIB },
      ])
      expect((await qemuImg.info(top))[1]?.backingPath).toBeUndefined()
      expect((await qemuImg.info({ path: `${dir}/big.qcow2`, format: 'qcow2' }))[0]?.virtualSizeBytes).toBe(20 * MIB)
    })

    it('never writes over a file that is there', async () => {
      await files.write(`${dir}/precious`, 'data')
      await expect(qemuImg.create({ path: `${dir}/precious`, format: 'raw', sizeBytes: MIB })).rejects.toMatchObject({
        code: 'in-use',
      })
      await qemuImg.create({ ...base(), sizeBytes: MIB })
      const onto = { path: `${dir}/precious`, format: 'raw' as const }
      await expect(qemuImg.convert({ from: base(), to: onto, timeoutMs: 10_000 })).rejects.toMatchObject({ code: 'in-use' })
      expect(await files.read(`${dir}/precious`)).toBe('data')
    })

    it('grows a disk and refuses to shrink it', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      await qemuImg.resize(base(), 30 * MIB)
      expect((await qemuImg.info(base()))[0]?.virtualSizeBytes).toBe(30 * MIB)
      await expect(qemuImg.resize(base(), 5 * MIB)).rejects.toMatchObject({ code: 'host-command-failed' })
      expect((await qemuImg.info(base()))[0]?.virtualSizeBytes).toBe(30 * MIB)
    })

    it('moves a disk from one of a chain to the next, and off the chain, and tells how far it is', async () => {
      const [middle, top] = ['middle', 'top'].map((name) => ({ path: `${dir}/${name}.qcow2`, format: 'qcow2' as const }))
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      await qemuImg.create({ ...middle!, backing: base() })
      await qemuImg.create({ ...top!, backing: middle!, sizeBytes: 20 * MIB })
      const told: number[] = []
      await qemuImg.rebase({ disk: top!, onto: base(), onProgress: (percent) => told.push(percent), timeoutMs: 30_000 })
      expect(await qemuImg.info(top!)).toMatchObject([
        { virtualSizeBytes: 20 * MIB, backingPath: base().path, backingFormat: 'qcow2' },
        { path: base().path },
      ])
      expect(told.at(-1)).toBe(100)
      await qemuImg.rebase({ disk: top!, onto: null, timeoutMs: 30_000 })
      const alone = await qemuImg.info(top!)
      expect(alone).toHaveLength(1)
      expect(alone[0]).toMatchObject({ virtualSizeBytes: 20 * MIB })
      expect(alone[0]?.backingPath).toBeUndefined()
      const nowhere = { path: `${dir}/nowhere.qcow2`, format: 'qcow2' as const }
      await expect(qemuImg.rebase({ disk: top!, onto: nowhere, timeoutMs: 30_000 })).rejects.toMatchObject({
        code: 'host-command-failed',
      })
    })

    it('writes a disk into what it lies on, which grows with it, and leaves it as it is', async () => {
      const top = { path: `${dir}/top.qcow2`, format: 'qcow2' as const }
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      await qemuImg.create({ ...top, backing: base(), sizeBytes: 20 * MIB })
      await qemuImg.commit({ disk: top, timeoutMs: 30_000 })
      expect(await qemuImg.info(top)).toMatchObject([{ backingPath: base().path }, { virtualSizeBytes: 20 * MIB }])
      await expect(qemuImg.commit({ disk: base(), timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('flattens an overlay into a disk of its own and reports progress up to 100', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      const top = { path: `${dir}/top.qcow2`, format: 'qcow2' as const }
      await qemuImg.create({ ...top, backing: base() })
      const seen: number[] = []
      const to = { path: `${dir}/flat.qcow2`, format: 'qcow2' as const }
      await qemuImg.convert({ from: top, to, onProgress: (percent) => seen.push(percent), timeoutMs: 30_000 })
      expect(await qemuImg.info(to)).toMatchObject([{ virtualSizeBytes: 10 * MIB }])
      expect(seen.at(-1)).toBe(100)
      expect([...seen].sort((a, b) => a - b)).toEqual(seen)
    })

    it('finds nothing wrong with a sound image', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      expect(await qemuImg.check(base())).toEqual({ corruptions: 0, leaks: 0 })
    })

    it('fails on a file that is absent or of another format', async () => {
      await expect(qemuImg.info(base())).rejects.toMatchObject({ code: 'host-command-failed' })
      await files.write(base().path, 'no image')
      await expect(qemuImg.info(base())).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(qemuImg.create({ path: `${dir}/x`, format: 'qcow2' })).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    it('makes disks that the image guard accepts, and overlays that it refuses', async () => {
      await qemuImg.create({ ...base(), sizeBytes: 10 * MIB })
      const top = { path: `${dir}/top.qcow2`, format: 'qcow2' as const }
      await qemuImg.create({ ...top, backing: base() })
      const judge = async (path: string) => {
        const head = (await files.readAt(path, 0, GUARD_BYTES)) ?? new Uint8Array()
        return guardImage({ head, fileSizeBytes: (await files.stat(path))?.sizeBytes ?? 0, declared: 'qcow2' })
      }
      expect(await judge(base().path)).toEqual({ ok: true, format: 'qcow2', virtualSizeBytes: 10 * MIB })
      expect(await judge(top.path)).toEqual({ ok: false, reason: `it names a backing file (${base().path})` })
    })
  })
}
