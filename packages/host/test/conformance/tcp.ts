/** What a connection to a guest has to do, on the real machine and in memory. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Tcp } from '../../src/index.ts'

export interface TcpWorld {
  tcp: Tcp
  /** Starts a server; its port, and from which namespace it is seen. */
  listen(accept: (client: Duplex) => void): Promise<{ address: string; port: number; netns?: string }>
}

const BYTES = 3_000_000

export function tcpSuite(name: string, make: () => Promise<{ world: TcpWorld; cleanUp(): Promise<unknown> }>): void {
  describe(`tcp: ${name}`, () => {
    it('carries any bytes both ways, in order, and more than fits into a buffer', async () => {
      const { world, cleanUp } = await make()
      try {
        const to = await world.listen((client) => client.pipe(client))
        const { stream, close } = await world.tcp.connect(to)
        const sent = randomBytes(BYTES)
        const got: Buffer[] = []
        stream.on('data', (chunk: Buffer) => void got.push(chunk))
        for (let at = 0; at < BYTES; at += 100_000)
          if (!stream.write(sent.subarray(at, at + 100_000))) await once(stream, 'drain')
        while (got.reduce((sum, { length }) => sum + length, 0) < BYTES) await once(stream, 'data')
        expect(Buffer.concat(got).equals(sent)).toBe(true)
        close()
      } finally {
        await cleanUp()
      }
    })

    it('says who ended it: the guest', async () => {
      const { world, cleanUp } = await make()
      try {
        const to = await world.listen((client) => client.end('bye'))
        const { stream, ended } = await world.tcp.connect(to)
        let heard = ''
        stream.on('data', (chunk: Buffer) => (heard += chunk))
        expect(await ended).toBe('the guest has closed the connection')
        expect(heard).toBe('bye')
      } finally {
        await cleanUp()
      }
    })

    it('says that nobody listens', async () => {
      const { world, cleanUp } = await make()
      try {
        const to = await world.listen(() => undefined)
        const { stream, ended } = await world.tcp.connect({ ...to, port: 9 })
        stream.resume()
        expect(await ended).toBe(`${to.address}:9: connection refused`)
      } finally {
        await cleanUp()
      }
    })

    it('lets the guest go when it is closed here', async () => {
      const { world, cleanUp } = await make()
      try {
        let left: () => void = () => undefined
        const gone = new Promise<void>((resolve) => (left = resolve))
        const to = await world.listen((client) => {
          client.write('welcome')
          client.resume()
          client.once('end', left)
        })
        const { stream, close } = await world.tcp.connect(to)
        await once(stream, 'data')
        close()
        await gone
      } finally {
        await cleanUp()
      }
    })
  })
}
