/** What a bus does: one suite, run on the real nats-server and on its memory twin. */
import { randomUUID } from 'node:crypto'
import type { SkerryError } from '@skerry/contract'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import type { ConnectionOptions, GatheringBus } from '../src/index.ts'
import { lifecycle } from './conformance/lifecycle.ts'
import { messages } from './conformance/messages.ts'
import { requests } from './conformance/requests.ts'
import type { Setup, World } from './conformance/world.ts'

export function conformance(name: string, makeWorld: () => Promise<World>): void {
  describe(`the bus on ${name}`, () => {
    let world: World
    let open: GatheringBus[] = []
    const errors: SkerryError[] = []
    const connect = async (options: ConnectionOptions = {}): Promise<GatheringBus> => {
      const bus = await world.connect({ onError: (error) => void errors.push(error), ...options })
      open.push(bus)
      return bus
    }
    const setup: Setup = {
      world: { breakLinks: () => world.breakLinks(), mendLinks: () => world.mendLinks() },
      errors,
      connect,
      pair: async () => ({ a: await connect(), b: await connect(), at: `t${randomUUID().replaceAll('-', '')}` }),
    }

    beforeAll(async () => {
      world = await makeWorld()
    })
    afterEach(async () => {
      await Promise.all(open.map((bus) => bus.close()))
      open = []
      errors.length = 0
    })
    afterAll(() => world.end())

    requests(setup)
    messages(setup)
    lifecycle(setup)
  })
}
