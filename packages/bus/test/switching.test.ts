/** One connection takes another's place while work goes on, on both twins. */
import { randomUUID } from 'node:crypto'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  accountJwt,
  connectNats,
  type GatheringBus,
  issueUser,
  memoryBroker,
  type RetiringBus,
  SwitchingBus,
  updateAccount,
} from '../src/index.ts'
import { eventually, failure, pause } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')

function suite(connect: () => Promise<RetiringBus>): void {
  const at = () => `skerry.v1.test.${newUuid()}`

  it('no request is lost or taken twice while connections change', async () => {
    const [asker, served] = [await connect(), new SwitchingBus(await connect())]
    const subject = at()
    const taken: unknown[] = []
    served.serve(
      subject,
      async (m) => {
        taken.push(m.data)
        await pause(Math.random() * 20)
        return m.data
      },
      { queue: 'q' },
    )
    await served.flush()
    const answers: Promise<unknown>[] = []
    let asking = true
    const load = (async () => {
      for (let n = 0; asking; n += 1) {
        answers.push(asker.request(subject, n, { timeoutMs: 20_000 }).then((m) => m.data))
        await pause(1)
      }
    })()
    const retirements: Promise<void>[] = []
    for (let n = 0; n < 5; n += 1) {
      await pause(20)
      retirements.push((await served.switchTo(await connect(), 20_000)).retired)
    }
    asking = false
    await load
    expect(await Promise.all(answers)).toEqual(answers.map((_, n) => n))
    expect([...taken].sort((a, b) => Number(a) - Number(b))).toEqual(answers.map((_, n) => n))
    await Promise.all(retirements)
    expect(served.retiring).toBe(false)
    await Promise.all([asker.close(), served.close()])
  })

  it('what began on the old connection ends there, however long it takes; so do its requests', async () => {
    const [other, bus] = [await connect(), new SwitchingBus(await connect())]
    const [slow, asked] = [at(), at()]
    let finish: () => void = () => undefined
    let reply: () => void = () => undefined
    bus.serve(slow, () => new Promise((resolve) => (finish = () => resolve('slow'))))
    other.serve(asked, () => new Promise((resolve) => (reply = () => resolve('asked'))))
    await Promise.all([bus.flush(), other.flush()])
    const [served, own] = [other.request(slow, null, { timeoutMs: 20_000 }), bus.request(asked, null, { timeoutMs: 20_000 })]
    await other.flush()
    await pause(50)
    const { retired } = await bus.switchTo(await connect(), 20_000)
    expect(bus.retiring).toBe(true)
    finish()
    expect((await served).data).toBe('slow')
    expect(bus.retiring).toBe(true)
    reply()
    expect((await own).data).toBe('asked')
    await retired
    expect(bus.retiring).toBe(false)
    await Promise.all([other.close(), bus.close()])
  })

  it('subscriptions move too, stopped ones don’t come back, and nobody is told of a break', async () => {
    const [other, bus] = [await connect(), new SwitchingBus(await connect())]
    const [kept, stopped] = [at(), at()]
    const heard: string[] = []
    const states: string[] = []
    bus.onState((state) => void states.push(state))
    bus.subscribe(kept, (m) => void heard.push(m.subject))
    await bus.subscribe(stopped, (m) => void heard.push(m.subject)).stop()
    await (await bus.switchTo(await connect(), 5_000)).retired
    for (const subject of [stopped, kept]) other.publish(subject, null)
    await eventually(() => heard.length > 0)
    await bus.flush()
    expect(heard).toEqual([kept])
    expect(states).toEqual(['connected'])
    await Promise.all([other.close(), bus.close()])
  })

  it('a connection that is gone again takes nobody’s place', async () => {
    const [other, bus] = [await connect(), new SwitchingBus(await connect())]
    const subject = at()
    bus.serve(subject, async () => 'still here')
    const dead = await connect()
    await dead.close()
    await expect(bus.switchTo(dead, 1_000)).rejects.toThrow()
    await bus.flush()
    expect((await other.request(subject, null, { timeoutMs: 30_000 })).data).toBe('still here')
    await Promise.all([other.close(), bus.close()])
  })
}

describe('a bus in memory', () => {
  const broker = memoryBroker()
  suite(async () => broker.connect({}))
})

if (requireOrSkip('switching on nats-server', { programs: ['nats-server'] })) {
  describe('a bus on nats-server', () => {
    let server: TestNats
    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
    })
    afterAll(() => server.stop())
    suite(() => server.connect('controller') as Promise<RetiringBus>)
  })

  describe('the account that nats-server is told', () => {
    let server: TestNats
    let stays: GatheringBus
    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
      stays = await server.connect('controller')
    })
    afterAll(() => server.stop())

    it('is taken from who holds the system account’s key alone', async () => {
      const { account, operator, systemAccount, signingKey } = server.site!
      const claims = { accountPublicKey: account.publicKey, signingKeys: [signingKey.publicKey], revoked: [] }
      const to = { servers: [server.url], tls: { ca: server.ca!.certPem } }
      const good = await accountJwt({ ...claims, operatorSeed: operator.seed })
      await updateAccount({ ...to, systemAccountSeed: systemAccount.seed, jwt: good })
      expect((await failure(updateAccount({ ...to, systemAccountSeed: account.seed, jwt: good }))).code).toMatch(
        /permission-denied|not-ready/,
      )
      expect((await failure(updateAccount({ ...to, systemAccountSeed: systemAccount.seed, jwt: 'no jwt' }))).code).toBe(
        'permission-denied',
      )
    })

    it('cuts off who is revoked, now and after a new start, and leaves the others connected', async () => {
      const { account, operator, systemAccount, signingKey } = server.site!
      const user = await issueUser({
        kind: 'agent',
        agent: { kind: 'kvm', uuid: newUuid() },
        accountSeed: signingKey.seed,
        account: account.publicKey,
      })
      const to = { servers: [server.url], tls: { ca: server.ca!.certPem } }
      const enter = () =>
        connectNats({
          ...to,
          name: 'x',
          inboxPrefix: user.inboxPrefix,
          credentials: { jwt: user.jwt, seed: user.seed as string },
        })
      const bus = await enter()
      const [cut, states]: [string[], string[]] = [[], []]
      bus.onState((state) => void cut.push(state))
      stays.onState((state) => void states.push(state))
      const jwt = await accountJwt({
        ...{ accountPublicKey: account.publicKey, operatorSeed: operator.seed },
        ...{ signingKeys: [signingKey.publicKey], revoked: [user.publicKey] },
      })
      await updateAccount({ ...to, systemAccountSeed: systemAccount.seed, jwt })
      await eventually(() => cut.includes('disconnected'))
      await bus.close()
      expect((await failure(enter())).code).toBe('permission-denied')
      expect(states).toEqual(['connected'])
      await server.restart()
      expect((await failure(enter())).code).toBe('permission-denied')
    })
  })
}
