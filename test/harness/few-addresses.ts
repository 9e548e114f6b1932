/** A site in memory with a network of ten addresses and nobody in it, and what tests of networks do there. */
import type { Row } from '@skerry/contract'
import { expect } from 'vitest'
import { type SmallSite, startSmallSite } from './small-site.ts'
import { makeSmallWorld, type SmallWorld } from './small-world.ts'

/** Calls as ZStack's clients make them, and what they give. `site`: asked at each call, because tests begin before there is one. */
export const callsOn = (site: () => SmallSite) => {
  const call = (api: string, params: Row) => site().client.call(api, params)
  return {
    call,
    inventory: async (api: string, params: Row) => (await call(api, params))['inventory'] as Row,
    list: async (api: string, params: Row = {}) => (await call(api, params))['inventories'] as Row[],
    /** The call is refused with these words and changes nothing. */
    async refused(api: string, params: Row, words: string): Promise<void> {
      await site().settled()
      const before = site().state()
      const { last } = await site().client.exchange(api, params)
      expect(last.text).toContain(words)
      expect(last.body?.['error']).toBeDefined()
      await site().settled()
      // not by toEqual: that would print the whole graph
      expect(site().state() === before).toBe(true)
    },
  }
}

/** 10.7.0.10 to 10.7.0.19. */
export interface FewAddresses {
  site: SmallSite
  world: SmallWorld
  /** the network */
  few: string
}

export async function fewAddresses(): Promise<FewAddresses> {
  const site = await startSmallSite()
  const world = await makeSmallWorld(site)
  const few = await site.client.uuid('CreateL3Network', { name: 'few', l2NetworkUuid: world.l2 })
  await addRange({ site, few }, { startIp: '10.7.0.10', endIp: '10.7.0.19' })
  return { site, world, few }
}

export const addRange = ({ site, few }: Pick<FewAddresses, 'site' | 'few'>, more: Row): Promise<Row> =>
  callsOn(() => site).inventory('AddIpRange', {
    ...{ name: 'r', l3NetworkUuid: few, netmask: '255.255.255.0', gateway: '10.7.0.1' },
    ...more,
  })

/** A VM in the network of the world. */
export const vmOn = ({ site, world }: Pick<FewAddresses, 'site' | 'world'>, more: Row = {}): Promise<Row> =>
  callsOn(() => site).inventory('CreateVmInstance', {
    ...{ name: 'vm', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
    ...more,
  })
export const firstNic = (vm: Row): Row => (vm['vmNics'] as Row[])[0]!
