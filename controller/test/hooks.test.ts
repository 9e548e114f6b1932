/** Webhooks: where they may go, how often they are tried, and what they must not hold up. Real receivers on real sockets. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isLinkLocal, wrongHookUrl } from '../src/tasks/hook-address.ts'
import { hookPost, type PostHook } from '../src/tasks/hook-post.ts'
import { type HookPorts, Hooks } from '../src/tasks/hooks.ts'
import { id, makeWorld } from './world.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function receiver(answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

const message = (url: string, timeoutMs = 5_000) => ({ url, body: '{"ä":1}', headers: { 'X-Job-UUID': 'a' }, timeoutMs })
/** Resolves every name to these. */
const names = (...addresses: string[]) =>
  ((_name, o, callback) =>
    o.all
      ? callback(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )
      : callback(null, addresses[0]!, 4)) as LookupFunction

describe('an address', () => {
  it.each(['169.254.0.1', '169.254.169.254', 'fe80::1', 'febf::1', 'fe80::1%eth0', '::ffff:169.254.169.254', '::ffff:a9fe:1'])(
    '%s is link-local',
    (address) => expect(isLinkLocal(address)).toBe(true),
  )
  it.each(['127.0.0.1', '10.0.0.1', '192.168.1.1', '169.253.0.1', '::1', 'fd00::1', 'fec0::1', 'hooks.site.test', ''])(
    '%j is not',
    (address) => expect(isLinkLocal(address)).toBe(false),
  )
  it.each([
    'http://169.254.169.254/latest',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://169.254.43518/',
    'https://[fe80::1]:8443/',
    'http://[::ffff:169.254.1.1]/',
    'http://169.254.169.254./',
  ])('in %s is refused however it is written', (url) => expect(wrongHookUrl(url)).toContain('link-local'))
  it.each(['ftp://h/', '/hook', 'http://user:password@h/', 'javascript:1'])('%s is no webhook', (url) =>
    expect(wrongHookUrl(url)).toEqual(expect.any(String)),
  )
  it.each(['http://127.0.0.1:9/x', 'http://[::1]/', 'https://hooks.site.test/a?b=c', 'http://10.1.2.3/'])('%s is fine', (url) =>
    expect(wrongHookUrl(url)).toBeUndefined(),
  )
})

describe('a post', () => {
  it('sends body and headers and gives the status', async () => {
    const heard: unknown[] = []
    const port = await receiver(async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      heard.push([request.method, request.url, request.headers['x-job-uuid'], Buffer.concat(parts).toString()])
      response.writeHead(204).end()
    })
    expect(await hookPost()(message(`http://127.0.0.1:${port}/done?x=1`))).toBe(204)
    expect(heard).toEqual([['POST', '/done?x=1', 'a', '{"ä":1}']])
  })

  it('goes where a name resolves to, but never to a link-local address, and asks only once', async () => {
    const port = await receiver((_request, response) => void response.end())
    const url = `http://hooks.site.test:${port}/`
    expect(await hookPost(names('127.0.0.1'))(message(url))).toBe(200)
    for (const bad of [names('169.254.169.254'), names('127.0.0.1', '169.254.1.1'), names('fe80::1')])
      await expect(hookPost(bad)(message(url))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(hookPost()(message('http://169.254.169.254/'))).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  it('follows no redirect', async () => {
    let second = 0
    const port = await receiver((request, response) => {
      if (request.url === '/second') second++
      response.writeHead(302, { location: '/second' }).end()
    })
    expect(await hookPost()(message(`http://127.0.0.1:${port}/first`))).toBe(302)
    expect(second).toBe(0)
  })

  it('does not wait for who takes the connection and never answers, nor for a body without end', async () => {
    const silent = await receiver(() => undefined)
    await expect(hookPost()(message(`http://127.0.0.1:${silent}/`, 50))).rejects.toMatchObject({ name: 'AbortError' })
    const endless = await receiver((_request, response) => void response.writeHead(200).write('x'))
    expect(await hookPost()(message(`http://127.0.0.1:${endless}/`))).toBe(200)
  })
})

interface Tried {
  url: string
  job: string
}

async function outbox(post: PostHook, o: Partial<HookPorts> = {}, jobs: [string, string][] = [['job', 'http://a.test/hook']]) {
  const w = await makeWorld()
  await w.commit({ ops: jobs.map(([job, url]) => ({ o: 'put', t: 'hook', k: id(job), v: { uuid: id(job), url, attempts: 0 } })) })
  const tried: Tried[] = []
  const pauses: number[] = []
  const faults: unknown[] = []
  const hooks = new Hooks({
    state: w.state,
    post: (m) => {
      tried.push({ url: m.url, job: m.headers['X-Job-UUID']! })
      return post(m)
    },
    sleep: async (ms) => void pauses.push(ms),
    flushed: async () => undefined,
    report: (e) => faults.push(e),
    render: () => ({ ok: true, body: { inventory: {} } }),
    ...o,
  })
  return { hooks, tried, pauses, faults, left: () => w.state.graph.count('hook') }
}

describe('the outbox', () => {
  it('repeats, two seconds apart, until the other side says 2xx, and forgets then', async () => {
    const answers: (number | Error)[] = [500, new Error('refused'), 302, 204]
    const { hooks, tried, pauses, left } = await outbox(async () => {
      const answer = answers.shift()!
      if (answer instanceof Error) throw answer
      return answer
    })
    hooks.resume()
    await vi.waitUntil(() => left() === 0)
    expect(tried).toHaveLength(4)
    expect(pauses.slice(1)).toEqual([2_000, 2_000, 2_000])
  })

  it('gives up, aloud, after fifteen retries', async () => {
    const { hooks, tried, faults, left } = await outbox(async () => 503)
    hooks.ended(id('job'))
    await vi.waitUntil(() => left() === 0)
    expect(tried).toHaveLength(16)
    expect(faults).toHaveLength(1)
  })

  it('gives up at once where it may not go', async () => {
    const { hooks, tried, faults, left } = await outbox(hookPost(names('169.254.1.1')))
    hooks.ended(id('job'))
    await vi.waitUntil(() => left() === 0)
    expect([tried.length, faults]).toMatchObject([1, [{ code: 'invalid-argument' }]])
  })

  it('says nothing before the answer to the call has left', async () => {
    let leave: () => void = () => undefined
    const flushed = new Promise<void>((resolve) => (leave = resolve))
    const { hooks, tried, left } = await outbox(async () => 200, { flushed: () => flushed })
    hooks.ended(id('job'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(tried).toEqual([])
    leave()
    await vi.waitUntil(() => left() === 0)
    expect(tried).toHaveLength(1)
  })

  it('is not held up by a receiver that never answers', async () => {
    const dead = Array.from({ length: 40 }, (_, n): [string, string] => [`dead${n}`, `http://dead.test/${n}`])
    const never = new Promise<number>(() => undefined)
    const { hooks, tried, left } = await outbox(({ url }) => (url.includes('dead') ? never : Promise.resolve(200)), {}, [
      ...dead,
      ['job', 'http://a.test/hook'],
    ])
    hooks.resume()
    await vi.waitUntil(() => left() === 40)
    expect(tried.filter(({ url }) => url.includes('dead'))).toHaveLength(16)
    expect(tried.at(-1)!.job).toBe(id('job'))
  })

  it('keeps what it has not delivered when the process ends', async () => {
    const { hooks, tried, left } = await outbox(async () => {
      hooks.stop()
      return 500
    })
    hooks.resume()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([tried.length, left()]).toEqual([1, 1])
  })

  it('repeats the hook of a refused call only for who has a session', async () => {
    const { hooks, tried } = await outbox(async () => 500)
    const refused = { url: 'http://a.test/', body: {} }
    hooks.refused({ ...refused, jobUuid: 'nobody', again: false })
    hooks.refused({ ...refused, jobUuid: 'somebody', again: true })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([tried.filter(({ job }) => job === 'nobody').length, tried.filter(({ job }) => job === 'somebody').length]).toEqual([
      1, 16,
    ])
  })
})
