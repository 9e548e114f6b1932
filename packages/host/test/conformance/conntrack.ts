/** What every `Conntrack` does, real or fake. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Conntrack, FakeFlow } from '../../src/index.ts'

export interface ConntrackWorld {
  conntrack: Conntrack
  netns: string
  /** A connection that is there. */
  put(flow: FakeFlow): Promise<void>
}

const VIP = '198.51.100.20'
const to = (port: number, more: Partial<FakeFlow> = {}): FakeFlow => ({
  ...{ source: '192.0.2.7', destination: VIP, answeredTo: '192.0.2.7', protocol: 'tcp', port },
  ...more,
})

export function conntrackSuite(title: string, make: () => Promise<{ world: ConntrackWorld; cleanUp(): Promise<void> }>): void {
  describe(`conntrack (${title})`, () => {
    let world: ConntrackWorld
    let cleanUp: () => Promise<void>
    const forget = (match: Parameters<ReturnType<Conntrack['at']>['forget']>[0]) => world.conntrack.at(world.netns).forget(match)
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
    })
    afterEach(() => cleanUp())

    it('forgets what was sent to an address, and nothing else', async () => {
      await world.put(to(80))
      await world.put(to(53, { protocol: 'udp' }))
      await world.put(to(80, { destination: '198.51.100.21' }))
      expect(await forget({ destination: VIP })).toBe(2)
      expect(await forget({ destination: VIP })).toBe(0)
      expect(await forget({ destination: '198.51.100.21' })).toBe(1)
    })

    it('forgets what is answered to an address', async () => {
      await world.put({ source: '10.0.0.5', destination: '192.0.2.7', answeredTo: VIP, protocol: 'tcp', port: 443 })
      await world.put(to(80))
      expect(await forget({ answeredTo: VIP })).toBe(1)
      expect(await forget({ source: '192.0.2.7' })).toBe(1)
    })

    it('forgets a protocol and a range of ports, both ends included', async () => {
      for (const port of [79, 80, 85, 90, 91]) await world.put(to(port))
      await world.put(to(80, { protocol: 'udp' }))
      expect(await forget({ destination: VIP, protocol: 'tcp', ports: { from: 80, to: 90 } })).toBe(3)
      expect(await forget({ destination: VIP, protocol: 'tcp', ports: { from: 91, to: 91 } })).toBe(1)
      expect(await forget({ destination: VIP })).toBe(2)
    })

    it('refuses to forget everything, and ports of no protocol', async () => {
      for (const match of [{}, { protocol: 'tcp' as const }, { destination: VIP, ports: { from: 1, to: 2 } }])
        await expect(forget(match)).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })
}
