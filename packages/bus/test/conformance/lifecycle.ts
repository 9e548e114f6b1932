/** Being found, losing the connection, and closing. */
import { randomUUID } from 'node:crypto'
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { announceService, discoverServices } from '../../src/index.ts'
import { eventually, failure, pause, type Setup } from './world.ts'

export function lifecycle({ connect, pair, world }: Setup): void {
  describe('discovery', () => {
    const ids = (found: readonly unknown[]) => found.map((service) => (service as { id: string }).id)
    const agent = (id: string, name: string) => ({ name, version: '1.2.3', id, endpoints: [] })

    it('lists every announced service, or those of a name, in the form of ADR-32', async () => {
      const { a, b } = await pair()
      const c = await connect()
      const [id1, id2] = [randomUUID(), randomUUID()]
      const name = `n-${randomUUID()}`
      announceService(b, agent(id1, name))
      announceService(c, agent(id2, name))
      await Promise.all([b.flush(), c.flush()])
      // whoever is slow to answer is found by another look
      await expect
        .poll(async () => ids(await discoverServices(a, { name, timeoutMs: 300 })))
        .toEqual(expect.arrayContaining([id1, id2]))
      await expect
        .poll(() => discoverServices(a, { name, timeoutMs: 300 }))
        .toContainEqual({ type: 'io.nats.micro.v1.ping_response', name, id: id1, version: '1.2.3', metadata: {} })
      await expect
        .poll(async () => ids(await discoverServices(a, { timeoutMs: 300 })))
        .toEqual(expect.arrayContaining([id1, id2]))
      expect((await a.request(`$SRV.PING.${name}.${id2}`, null, { timeoutMs: 30_000 })).data).toMatchObject({ id: id2 })
    })

    it('shows endpoints and the numbers of what they served', async () => {
      const { a, b, at } = await pair()
      const serving = b.serve(`${at}.>`, async (m) => {
        if (m.data === 'bad') throw new SkerryError('in-use', 'is in use')
      })
      const id = randomUUID()
      announceService(b, { ...agent(id, 'agent-test'), endpoints: [{ name: 'do', subject: `${at}.>`, serving }] })
      await b.flush()
      await a.request(`${at}.x`, null, { timeoutMs: 30_000 })
      await failure(a.request(`${at}.x`, 'bad', { timeoutMs: 30_000 }))
      const ask = async (verb: string): Promise<unknown> =>
        (await a.request(`$SRV.${verb}.agent-test.${id}`, null, { timeoutMs: 30_000 })).data
      expect(await ask('INFO')).toMatchObject({
        type: 'io.nats.micro.v1.info_response',
        endpoints: [{ name: 'do', subject: `${at}.>` }],
      })
      expect(await ask('STATS')).toMatchObject({
        type: 'io.nats.micro.v1.stats_response',
        endpoints: [{ name: 'do', num_requests: 2, num_errors: 1, last_error: 'is in use' }],
      })
    })

    it('of nobody is empty at once, and a stopped service is gone', async () => {
      const { a, b } = await pair()
      const name = `n-${randomUUID()}`
      const began = performance.now()
      expect(await discoverServices(a, { name, timeoutMs: 30_000 })).toEqual([])
      expect(performance.now() - began).toBeLessThan(30_000)
      const service = announceService(b, agent(randomUUID(), name))
      await b.flush()
      await expect.poll(() => discoverServices(a, { name, timeoutMs: 200 })).toHaveLength(1)
      await service.stop()
      expect(await discoverServices(a, { name, timeoutMs: 30_000 })).toEqual([])
    })

    it('refuses names that are no subject token', async () => {
      const { b } = await pair()
      expect(() => announceService(b, agent('a.b', 'agent-kvm'))).toThrow(SkerryError)
      expect(() => announceService(b, agent('a', 'agent-*'))).toThrow(SkerryError)
      expect(() => announceService(b, { ...agent('a', 'agent-kvm'), version: 'new' })).toThrow(SkerryError)
    })
  })

  describe('breaks', () => {
    it('are told, lose what is sent, fail requests at once, and end with everything subscribed again', async () => {
      const { a, b, at } = await pair()
      const seen: unknown[] = []
      const states: string[] = []
      const stopWatching = a.onState((s) => void states.push(s))
      expect(states).toEqual(['connected'])
      b.subscribe(at, (m) => void seen.push(m.data))
      b.serve(`${at}.do`, async () => 'served')
      await b.flush()
      expect((await a.request(`${at}.do`, null, { timeoutMs: 30_000 })).data).toBe('served')
      const bState: string[] = []
      b.onState((s) => void bState.push(s))
      await world.breakLinks()
      await eventually(() => states.length === 2 && bState.length === 2)
      a.publish(at, 'lost')
      const began = performance.now()
      const error = await failure(a.request(`${at}.do`, null, { timeoutMs: 30_000 }))
      expect(error.code).toBe('agent-unreachable')
      expect(error.details.reason).toBe('disconnected')
      expect(performance.now() - began).toBeLessThan(1_000)
      b.subscribe(`${at}.late`, (m) => void seen.push(m.data)) // made while disconnected
      await world.mendLinks()
      await eventually(() => states.at(-1) === 'connected' && bState.at(-1) === 'connected')
      expect(states).toEqual(['connected', 'disconnected', 'connected'])
      await b.flush()
      a.publish(at, 'kept')
      a.publish(`${at}.late`, 'late')
      await eventually(() => seen.length === 2)
      expect(seen).toEqual(['kept', 'late'])
      expect((await a.request(`${at}.do`, null, { timeoutMs: 30_000 })).data).toBe('served')
      stopWatching()
    })

    it('leave a request that is under way to its time-out, because it may have been carried out', async () => {
      const { a, b, at } = await pair()
      let started = false
      b.serve(at, async () => {
        started = true
        await pause(100)
      })
      await b.flush()
      const asked = failure(a.request(at, null, { timeoutMs: 600 }))
      await eventually(() => started)
      await world.breakLinks()
      expect((await asked).code).toBe('agent-timeout')
      await world.mendLinks()
    })
  })

  describe('closing', () => {
    it('finishes running handlers, sends what was published, then says disconnected', async () => {
      const { a, b, at } = await pair()
      const seen: unknown[] = []
      a.subscribe(`${at}.evt`, (m) => void seen.push(m.data))
      await a.flush()
      let started = false
      b.serve(at, async () => {
        started = true
        await pause(50)
        return 'finished'
      })
      await b.flush()
      const asked = a.request(at, null, { timeoutMs: 30_000 })
      await eventually(() => started)
      const states: string[] = []
      b.onState((s) => void states.push(s))
      b.publish(`${at}.evt`, 'last')
      await b.close()
      expect((await asked).data).toBe('finished')
      await eventually(() => seen.length === 1)
      expect(states).toEqual(['connected', 'disconnected'])
      await b.close() // twice is once
    })

    it('fails own requests under way and later, refuses subscriptions, ignores publications', async () => {
      const { a, b, at } = await pair()
      b.serve(at, () => pause(500))
      await b.flush()
      const asked = failure(a.request(at, null, { timeoutMs: 30_000 }))
      await a.flush()
      await a.close()
      expect((await asked).details.reason).toBe('closed')
      expect((await failure(a.request(at, null, { timeoutMs: 1_000 }))).details.reason).toBe('closed')
      expect(() => a.subscribe(at, () => undefined)).toThrow(SkerryError)
      a.publish(at, 'nobody')
    })
  })
}
