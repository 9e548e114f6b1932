/** What every `BridgeFilter` does. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BridgeFilter, IpScope } from '../../src/index.ts'

export function bridgeFilterSuite(
  title: string,
  make: () => Promise<{ filter: BridgeFilter; scope: IpScope; cleanUp: () => Promise<void> }>,
): void {
  describe(`bridge filter (${title})`, () => {
    let filter: BridgeFilter
    let scope: IpScope
    let cleanUp: () => Promise<void>
    beforeEach(async () => {
      ;({ filter, scope, cleanUp } = await make())
    })
    afterEach(() => cleanUp())

    it('shows the frames of one bridge and of no other, until that is made again', async () => {
      for (const name of ['br1', 'br2']) await scope.links.add({ kind: 'bridge', name })
      expect([await filter.isOn('br1'), await filter.isOn('br2')]).toEqual([false, false])
      await filter.switchOn('br1')
      await filter.switchOn('br1')
      expect([await filter.isOn('br1'), await filter.isOn('br2')]).toEqual([true, false])
      await scope.links.del('br1')
      await scope.links.add({ kind: 'bridge', name: 'br1' })
      expect(await filter.isOn('br1')).toBe(false)
    })

    it('loads what there is, and says where there is nothing to load', async () => {
      expect([true, false]).toContain(await filter.load('nf_conntrack_bridge'))
    })

    it('knows nothing of what is no bridge, and refuses it', async () => {
      expect(await filter.isOn('br9')).toBeUndefined()
      expect(await filter.isOn('lo')).toBeUndefined()
      await expect(filter.switchOn('br9')).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(filter.isOn('a; b')).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })
}
