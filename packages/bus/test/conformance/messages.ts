/** What can be sent, where to, and who hears it. */
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import type { Msg } from '../../src/index.ts'
import { eventually, failure, MIB, pause, type Setup } from './world.ts'

export function messages({ connect, pair, errors }: Setup): void {
  describe('payloads', () => {
    it('of exactly the limit pass, headers counted, and one byte more is refused before sending, with its size', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async (m) => (m.data as string).length)
      await b.flush()
      const headers = { 'Skerry-Deadline': '5000' }
      const room = MIB - 12 - 'Skerry-Deadline: 5000\r\n'.length - 2 // NATS/1.0 and line ends; quotes
      expect((await a.request(at, 'x'.repeat(room), { timeoutMs: 30_000, headers })).data).toBe(room)
      const error = await failure(a.request(at, 'x'.repeat(room + 1), { timeoutMs: 30_000, headers }))
      expect(error.code).toBe('invalid-document')
      expect(error.details).toEqual({ subject: at, sizeBytes: MIB + 1, limitBytes: MIB })
      expect(() => a.publish(at, 'x'.repeat(MIB))).toThrow(SkerryError)
    })

    it('that are no JSON are refused before sending', async () => {
      const { a, at } = await pair()
      const circle: Record<string, unknown> = {}
      circle.self = circle
      expect((await failure(a.request(at, circle, { timeoutMs: 30_000 }))).code).toBe('invalid-document')
      expect(() => a.publish(at, { n: 1n })).toThrow(SkerryError)
    })

    it('too large for a reply become an error at the requester, and the next request is served', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async (m) => 'x'.repeat(m.data as number))
      await b.flush()
      const error = await failure(a.request(at, 2 * MIB, { timeoutMs: 30_000 }))
      expect(error.code).toBe('invalid-document')
      expect(error.details.limitBytes).toBe(MIB)
      expect((await a.request(at, 1, { timeoutMs: 30_000 })).data).toBe('x')
    })

    it('are copies: what the receiver changes, the sender does not see', async () => {
      const { a, b, at } = await pair()
      b.serve(at, async (m) => {
        ;(m.data as { n: number }).n = 2
        return m.data
      })
      await b.flush()
      const mine = { n: 1 }
      expect((await a.request(at, mine, { timeoutMs: 30_000 })).data).toEqual({ n: 2 })
      expect(mine).toEqual({ n: 1 })
    })
  })

  describe('subjects and headers', () => {
    it.each(['', 'a b', 'a..b', '.a', 'a.', 'a.*', 'a.>', 'a\r\nPUB b 0', 'x'.repeat(1_025)])(
      '%j cannot be published to',
      async (subject) => {
        const { a } = await pair()
        expect(() => a.publish(subject, 1)).toThrow(SkerryError)
        expect((await failure(a.request(subject, 1, { timeoutMs: 1_000 }))).code).toBe('invalid-argument')
      },
    )

    it.each(['', 'a b', 'a..b', 'a.>.b', 'a\r\nb', 'a*.b'])('%j cannot be subscribed to', async (pattern) => {
      const { a } = await pair()
      expect(() => a.subscribe(pattern, () => undefined)).toThrow(SkerryError)
      expect(() => a.serve(pattern, async () => undefined)).toThrow(SkerryError)
    })

    it('headers that would break the protocol are refused', async () => {
      const { a, at } = await pair()
      expect(() => a.publish(at, 1, { 'Skerry-Job': 'x\r\nSkerry-Actor: root' })).toThrow(SkerryError)
      expect(() => a.publish(at, 1, { 'Skerry Job': 'x' })).toThrow(SkerryError)
      expect(() => a.publish(at, 1, { 'Skerry:Job': 'x' })).toThrow(SkerryError)
    })

    it('* stands for one token and > for one or more', async () => {
      const { a, b, at } = await pair()
      const got: Record<string, string[]> = { star: [], tail: [], literal: [] }
      const keep = (list: string) => (m: Msg) => void got[list]?.push(m.subject.slice(at.length + 1))
      b.subscribe(`${at}.*.x`, keep('star'))
      b.subscribe(`${at}.>`, keep('tail'))
      b.subscribe(`${at}.a.x`, keep('literal'))
      await b.flush()
      for (const subject of ['a.x', 'b.x', 'a', 'a.b.x']) a.publish(`${at}.${subject}`, null)
      a.publish(at, null)
      await a.flush()
      await eventually(() => (got.tail?.length ?? 0) === 4)
      expect(got).toEqual({ star: ['a.x', 'b.x'], tail: ['a.x', 'b.x', 'a', 'a.b.x'], literal: ['a.x'] })
    })
  })

  describe('subscriptions', () => {
    it('keep the order of one publisher and get its headers', async () => {
      const { a, b, at } = await pair()
      const seen: unknown[] = []
      b.subscribe(at, (m) => void seen.push([m.data, m.headers['Nats-Msg-Id']]))
      await b.flush()
      for (let n = 0; n < 200; n += 1) a.publish(at, n, { 'Nats-Msg-Id': `1.${n}` })
      await eventually(() => seen.length === 200)
      expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => [n, `1.${n}`]))
    })

    it('hear each message once each, or once for all in a queue group', async () => {
      const { a, b, at } = await pair()
      const c = await connect()
      const count = { plain: 0, b: 0, c: 0 }
      b.subscribe(at, () => void (count.plain += 1))
      b.subscribe(at, () => void (count.b += 1), { queue: 'q' })
      c.subscribe(at, () => void (count.c += 1), { queue: 'q' })
      await Promise.all([b.flush(), c.flush()])
      for (let n = 0; n < 100; n += 1) a.publish(at, n)
      await eventually(() => count.plain === 100 && count.b + count.c === 100)
      expect(count.b).toBeGreaterThan(0)
      expect(count.c).toBeGreaterThan(0)
    })

    it('run their handlers concurrently', async () => {
      const { a, b, at } = await pair()
      const waiting: (() => void)[] = []
      b.serve(at, () => new Promise<void>((resolve) => waiting.push(resolve)))
      await b.flush()
      const asked = Array.from({ length: 20 }, () => a.request(at, null, { timeoutMs: 10_000 }))
      await eventually(() => waiting.length === 20)
      for (const go of waiting.reverse()) go()
      await Promise.all(asked)
    })

    it('stopped, finish what they took and take no more', async () => {
      const { a, b, at } = await pair()
      let finish = (): void => undefined
      let started = 0
      const serving = b.serve(at, async () => {
        started += 1
        await new Promise<void>((resolve) => (finish = resolve))
        return 'done'
      })
      await b.flush()
      const asked = a.request(at, null, { timeoutMs: 10_000 })
      await eventually(() => started === 1)
      let stopped = false
      const stopping = serving.stop().then(() => (stopped = true))
      await pause(20)
      expect(stopped).toBe(false)
      finish()
      expect((await asked).data).toBe('done')
      await stopping
      expect((await failure(a.request(at, null, { timeoutMs: 30_000 }))).code).toBe('agent-unreachable')
      await serving.stop() // twice is once
    })

    it('do not wait for ever for a handler that never returns: the drain time-out ends it, aloud', async () => {
      const { a, at } = await pair()
      const b = await connect({ drainTimeoutMs: 50 })
      let started = false
      const serving = b.serve(at, () => {
        started = true
        return new Promise(() => undefined)
      })
      await b.flush()
      const asked = failure(a.request(at, null, { timeoutMs: 300 }))
      await eventually(() => started)
      await serving.stop()
      expect(errors.map((e) => e.code)).toEqual(['deadline-exceeded'])
      await asked
    })
  })
}
