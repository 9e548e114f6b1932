/** What every `Routing` does, real or fake. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ip, Routing } from '../../src/index.ts'

export function routingSuite(title: string, make: () => { ip: Ip; routing: Routing; prefix: string }): void {
  describe(`routing rules (${title})`, () => {
    const { ip, routing, prefix } = make()
    const ns = `${prefix}r`
    const rules = () => routing.at(ns)
    const marked = { priority: 1001, mark: 0x1000_002c, table: '268435500' }
    const neighbours = { priority: 1000, table: 'main', suppressPrefix: 0 }
    const own = [
      { priority: 0, table: 'local' },
      { priority: 32_766, table: 'main' },
      { priority: 32_767, table: 'default' },
    ]
    beforeEach(() => ip.netns.add(ns))
    afterEach(() => ip.netns.del(ns))

    it('begin with those of the kernel', async () => {
      expect(await rules().list()).toEqual(own)
    })

    it('are listed as they were added, in their order, and once', async () => {
      await rules().add(marked)
      await rules().add(neighbours)
      await rules().add(marked)
      expect(await rules().list()).toEqual([own[0], neighbours, marked, own[1], own[2]])
    })

    it('go by all that they say, and are gone twice without complaint', async () => {
      await rules().add(marked)
      await rules().del({ ...marked, mark: 7 })
      expect(await rules().list()).toContainEqual(marked)
      await rules().del(marked)
      await rules().del(marked)
      expect(await rules().list()).toEqual(own)
    })

    it('of a source are told apart by it', async () => {
      const from = { priority: 1002, source: '198.51.100.20', table: '268435500' }
      const other = { ...from, source: '198.51.100.21' }
      await rules().add(from)
      await rules().add(other)
      expect(await rules().list()).toEqual(expect.arrayContaining([from, other]))
      await rules().del(other)
      expect(await rules().list()).toEqual([own[0], from, own[1], own[2]])
    })

    it("can't take the place of the kernel's own, nor name what is no table", async () => {
      await expect(rules().add({ priority: 0, table: 'main' })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(rules().add({ ...marked, table: '-x' })).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })
}
