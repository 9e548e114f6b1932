/** Requests and the errors they end with. */
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { Answer, type Msg } from '../../src/index.ts'
import { eventually, failure, MIB, pause, type Setup } from './world.ts'

export function requests({ pair, errors }: Setup): void {
  describe('requests', () => {
    it('get the handler’s value with subject, data and headers passed through', async () => {
      const { a, b, at } = await pair()
      b.serve(`${at}.do.>`, async (m: Msg) => ({ subject: m.subject, data: m.data, epoch: m.headers['Skerry-Epoch'] }))
      await b.flush()
      const data = { text: 'ä€😀\n"', list: [1, null, true], nested: { x: 1.5 } }
      const reply = await a.request(`${at}.do.vm.start`, data, { timeoutMs: 30_000, headers: { 'Skerry-Epoch': '7' } })
      expect(reply.data).toEqual({ subject: `${at}.do.vm.start`, data, epoch: '7' })
    })

    it('carry their time-out as the deadline, unless one is given', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async (m) => m.headers['Skerry-Deadline'])
      await b.flush()
      expect((await a.request(at, null, { timeoutMs: 4_321.9 })).data).toBe('4321')
      expect((await a.request(at, null, { timeoutMs: 30_000, headers: { 'Skerry-Deadline': '12' } })).data).toBe('12')
    })

    it('fail at once as unreachable when nobody serves the subject', async () => {
      const { a, at } = await pair()
      const began = performance.now()
      const error = await failure(a.request(at, null, { timeoutMs: 30_000 }))
      expect(error.code).toBe('agent-unreachable')
      expect(error.details).toEqual({ subject: at, reason: 'no-responders' })
      expect(performance.now() - began).toBeLessThan(5_000)
    })

    it('fail as timed out when somebody serves the subject but does not answer in time', async () => {
      const { a, b, at } = await pair()
      let release = (): void => undefined
      b.serve(at, () => new Promise<void>((resolve) => (release = resolve)))
      await b.flush()
      const error = await failure(a.request(at, null, { timeoutMs: 60 }))
      expect(error.code).toBe('agent-timeout')
      expect(error.details).toEqual({ subject: at, timeoutMs: 60 })
      release() // the late answer must not disturb anything
      await b.flush()
      expect((await failure(a.request(`${at}.none`, null, { timeoutMs: 30_000 }))).code).toBe('agent-unreachable')
    })

    it('are given up by their signal, with its reason as the cause', async () => {
      const { a, b, at } = await pair()
      b.serve(at, () => pause(200))
      await b.flush()
      const stop = new AbortController()
      const asked = failure(a.request(at, null, { timeoutMs: 30_000, signal: stop.signal }))
      stop.abort(new Error('the job was cancelled'))
      const error = await asked
      expect(error.code).toBe('deadline-exceeded')
      expect((error.cause as Error).message).toBe('the job was cancelled')
      const late = await failure(a.request(at, null, { timeoutMs: 30_000, signal: stop.signal }))
      expect(late.code).toBe('deadline-exceeded')
    })

    it('are refused before they are sent when no time is left', async () => {
      const { a, at } = await pair()
      expect((await failure(a.request(at, null, { timeoutMs: 0 }))).code).toBe('deadline-exceeded')
      expect((await failure(a.request(at, null, { timeoutMs: Number.NaN }))).code).toBe('deadline-exceeded')
    })

    it('get headers of the reply where the handler gives some', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async () => new Answer({ made: true }, { 'Skerry-Status': '201' }))
      await b.flush()
      const reply = await a.request(at, null, { timeoutMs: 30_000 })
      expect([reply.data, reply.headers['Skerry-Status']]).toEqual([{ made: true }, '201'])
    })

    it('treat undefined as null in both directions', async () => {
      const { a, b, at } = await pair()
      const seen: unknown[] = []
      b.serve(at, async (m) => void seen.push(m.data))
      await b.flush()
      expect((await a.request(at, undefined, { timeoutMs: 30_000 })).data).toBeNull()
      expect(seen).toEqual([null])
    })
  })

  describe('errors', () => {
    it('thrown by a handler are thrown again at the requester, with details and causes', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async () => {
        const cause = new SkerryError('host-command-failed', 'qemu-img said no', { exitCode: 1 })
        throw new SkerryError('volume-lost', 'cannot open the root volume', { volumeUuid: 'v1' }, { cause })
      })
      await b.flush()
      const error = await failure(a.request(at, null, { timeoutMs: 30_000 }))
      expect(error).toMatchObject({
        code: 'volume-lost',
        message: 'cannot open the root volume',
        details: { volumeUuid: 'v1' },
      })
      expect(error.cause).toMatchObject({ code: 'host-command-failed', details: { exitCode: 1 } })
      expect(errors).toEqual([])
    })

    it('that are defects reach the requester as internal and the server’s onError, and the next request is served', async () => {
      const { a, b, at } = await pair()
      let calls = 0
      b.serve(at, (m) => {
        calls += 1
        if (m.data === 'sync') throw new TypeError('thrown before any await')
        if (m.data === 'async') return Promise.reject(new TypeError('rejected'))
        return Promise.resolve('fine')
      })
      await b.flush()
      for (const data of ['sync', 'async']) {
        expect((await failure(a.request(at, data, { timeoutMs: 30_000 }))).code).toBe('internal')
      }
      expect((await a.request(at, null, { timeoutMs: 30_000 })).data).toBe('fine')
      expect(calls).toBe(3)
      expect(errors.map((e) => e.code)).toEqual(['internal', 'internal'])
      expect(errors[0]?.cause).toBeInstanceOf(TypeError)
    })

    it('are written as their server says, what can’t be read too, and are errors still', async () => {
      const { a, b, at } = await pair()
      const failure = (thrown: unknown) => {
        const { code, message } = thrown as SkerryError
        return new Answer({ code, detail: message, status: 409 }, { 'Skerry-Status': '409' })
      }
      b.serve(at, () => Promise.reject(new SkerryError('in-use', 'two VMs use it')), { failure })
      await b.flush()
      const [raw] = await a.gather(at, null, { timeoutMs: 30_000, max: 1 })
      expect(raw?.data).toEqual({ code: 'in-use', detail: 'two VMs use it', status: 409 })
      expect([raw?.headers['Skerry-Status'], raw?.headers['Skerry-Error']]).toEqual(['409', 'in-use'])
      await expect(a.request(at, null, { timeoutMs: 30_000 })).rejects.toMatchObject({
        code: 'in-use',
        message: 'two VMs use it',
      })
    })

    it('larger than a message arrive cut to code and message', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async () => {
        throw new SkerryError('in-use', 'm'.repeat(10_000), { blob: 'x'.repeat(2 * MIB) })
      })
      await b.flush()
      const error = await failure(a.request(at, null, { timeoutMs: 30_000 }))
      expect(error.code).toBe('in-use')
      expect(error.message.length).toBe(4_096)
      expect(error.details).toEqual({})
    })

    it('in a subscription’s handler, sync or async, are reported and the subscription lives on', async () => {
      const { a, b, at } = await pair()
      const seen: unknown[] = []
      b.subscribe(at, (m) => {
        seen.push(m.data)
        if (m.data === 1) throw new Error('sync')
        if (m.data === 2) return Promise.reject(new Error('async')) as unknown as undefined
      })
      await b.flush()
      for (const n of [1, 2, 3]) a.publish(at, n)
      await eventually(() => seen.length === 3 && errors.length === 2)
      expect(seen).toEqual([1, 2, 3])
      expect(errors.map((e) => (e.cause as Error).message)).toEqual(['sync', 'async'])
    })
  })
}
