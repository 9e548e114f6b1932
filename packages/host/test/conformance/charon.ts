/** What every `Charon` does. The world has a peer at 192.0.2.2 that carries 10.2.0.0/24 and 10.3.0.0/24, and a VIP 192.0.2.1 in `netns`. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Charon, type CharonConnection, type CharonEvent, charonFiles, type Files, type Processes } from '../../src/index.ts'

export interface CharonWorld {
  charon: Charon
  files: Files
  process: Processes
  dir: string
  netns: string
  /** The key that the peer has. */
  key: string
  /** A second agent's view: the same machine, a new tool object. */
  again(): Charon
}

export const PEER = '192.0.2.2'
export const connection = (name: string, change: Partial<CharonConnection> = {}): CharonConnection => ({
  ...{ name, version: 'ikev2', local: { address: '192.0.2.1', id: '192.0.2.1' }, peer: { address: PEER, id: PEER } },
  ...{ ikeProposal: 'aes256-sha256-ecp256', espProposal: 'aes256-sha256', ikeLifeSeconds: 3600, lifeSeconds: 600 },
  children: [{ name: 'net', localCidrs: ['10.1.0.0/24'], peerCidrs: ['10.2.0.0/24', '10.3.0.0/24'] }],
  ...change,
})
const bytes = (text: string) => new TextEncoder().encode(text)

export function charonSuite(title: string, make: () => Promise<{ world: CharonWorld; cleanUp(): Promise<void> }>): void {
  describe(`charon (${title})`, () => {
    let world: CharonWorld
    let cleanUp: () => Promise<void>
    const talk = () => world.charon.at(world.dir)
    const tunnels = async () => (await talk().look()).tunnels
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
      await world.charon.start({ dir: world.dir, netns: world.netns })
    })
    afterEach(async () => {
      await world.charon.stop(world.dir)
      await cleanUp()
    })

    it('runs once, is found again by another agent, and ends', async () => {
      const first = await world.charon.running(world.dir)
      await world.charon.start({ dir: world.dir, netns: world.netns })
      expect(await world.again().running(world.dir)).toEqual(first)
      await world.files.remove(charonFiles(world.dir).pid)
      expect(await world.again().running(world.dir)).toEqual(first)
      expect((await world.process.get(first!.pid))?.cmdline.join(' ')).not.toContain('secret')
      await world.charon.stop(world.dir)
      await world.charon.stop(world.dir)
      expect(await world.charon.running(world.dir)).toBeUndefined()
      await expect(talk().look()).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('holds connections and keys by name, and lets go of one without touching others', async () => {
      await talk().load(connection('one'), bytes(world.key))
      await talk().load(connection('two', { peer: { address: '192.0.2.9', id: '192.0.2.9' } }), bytes('other'))
      const both = await talk().look()
      expect([both.connections.sort(), both.keys.sort()]).toEqual([
        ['one', 'two'],
        ['one', 'two'],
      ])
      await talk().initiate('one', 'net')
      await vi.waitFor(async () => expect(await tunnels()).toMatchObject([{ connection: 'one', established: true }]))
      await talk().unload('two')
      await talk().unload('two')
      expect(await talk().look()).toMatchObject({ connections: ['one'], keys: ['one'], tunnels: [{ connection: 'one' }] })
    })

    it('makes a tunnel, tells so, and ends it', async () => {
      const events: CharonEvent[] = []
      const watch = await talk().watch((event) => events.push(event))
      await talk().load(connection('one'), bytes(world.key))
      await talk().initiate('one', 'net')
      await vi.waitFor(async () =>
        expect((await tunnels())[0]?.carried).toMatchObject([
          { child: 'net', installed: true, localCidrs: ['10.1.0.0/24'], peerCidrs: ['10.2.0.0/24', '10.3.0.0/24'], bytesIn: 0 },
        ]),
      )
      await vi.waitFor(() => expect(events).toContainEqual({ connection: 'one', is: 'up' }))
      await talk().terminate('one')
      await talk().terminate('one')
      await vi.waitFor(async () => expect(await tunnels()).toEqual([]))
      await vi.waitFor(() => expect(events).toContainEqual({ connection: 'one', is: 'down' }))
      watch.close()
      await watch.ended
    })

    it('says why there is no tunnel when the key is another one', async () => {
      const lines: string[] = []
      await talk().watch((event) => event.is === 'log' && event.connection === 'one' && lines.push(event.line))
      await talk().load(connection('one'), bytes(`${world.key}x`))
      await talk().initiate('one', 'net')
      await vi.waitFor(() => expect(lines).toContain('received AUTHENTICATION_FAILED notify error'))
      expect(await tunnels()).toEqual([])
    })

    it('ends what it tells when it ends itself, and refuses what it does not know', async () => {
      await expect(talk().initiate('one', 'net')).rejects.toMatchObject({ code: 'host-command-failed' })
      const { ended } = await talk().watch(() => undefined)
      await world.charon.stop(world.dir)
      // the fake finds out when it is looked for
      await world.charon.running(world.dir)
      await ended
    })
  })
}
