/** What one agent can't do by way of others: answers to somebody else's request, and making others speak for it. */
import { randomUUID } from 'node:crypto'
import { decode, encodeUser, type User } from '@nats-io/jwt'
import { fromSeed } from '@nats-io/nkeys'
import { type SkerryError, subjects } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { connect, jwtAuthenticator, type NatsConnection } from 'nats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectNats, createSigningKey, type GatheringBus, issueUser } from '../src/index.ts'
import { eventually, failure } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')
const A = newUuid()
const B = newUuid()
const seedBytes = (seed: string) => new TextEncoder().encode(seed)

if (requireOrSkip('replies on nats-server', { programs: ['nats-server'] })) {
  describe('an agent', () => {
    let server: TestNats
    let controller: GatheringBus
    let agentB: GatheringBus
    /** A with a client of its own making: it can name any reply subject. */
    let rawA: NatsConnection
    const violations: string[] = []
    const reported: SkerryError[] = []
    const heardByB: string[] = []
    let release: () => void = () => undefined

    const credentials = async () => {
      const agent = { kind: 'kvm', uuid: A }
      const { signingKey, account } = server.site!
      const user = await issueUser({ accountSeed: signingKey.seed, account: account.publicKey, kind: 'agent', agent })
      return { jwt: user.jwt, seed: user.seed as string, inboxPrefix: user.inboxPrefix }
    }

    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
      controller = await server.connect('controller', { onError: (e) => void reported.push(e) })
      agentB = await server.connect('agent', { agent: { kind: 'kvm', uuid: B } })
      agentB.serve(subjects.doAll('kvm', B), async (m) => {
        heardByB.push(m.subject)
        if (m.subject.endsWith('.slow')) await new Promise<void>((resolve) => (release = resolve))
        return 'of B'
      })
      controller.serve(subjects.askOfAll, async () => 'answer')
      await Promise.all([controller.flush(), agentB.flush()])
      const { jwt, seed, inboxPrefix } = await credentials()
      rawA = await connect({
        ...{ servers: server.url, tls: { ca: server.ca!.certPem }, inboxPrefix },
        authenticator: jwtAuthenticator(jwt, seedBytes(seed)),
      })
      void (async () => {
        for await (const s of rawA.status()) if (s.permissionContext) violations.push(s.permissionContext.subject)
      })()
    })
    afterAll(async () => {
      await rawA.close()
      await server.stop()
    })

    it('can’t make the controller speak to B: an answer goes into an inbox or nowhere', async () => {
      const target = subjects.do('kvm', B, 'vm', newUuid(), 'stop')
      for (const reply of [target, subjects.event('vm', A, 'started'), 'skerry.v1.api.vm.-.create', '$JS.API.STREAM.CREATE.x']) {
        reported.length = 0
        rawA.publish(subjects.ask('kvm', A, 'sync'), '{}', { reply })
        await rawA.flush()
        await eventually(() => reported.length === 1)
        expect(reported[0]).toMatchObject({ code: 'permission-denied', details: { reply } })
      }
      await controller.flush()
      await agentB.flush()
      expect(heardByB).toEqual([])
    })

    it('can’t answer a request that was meant for B, though it knows the inbox', async () => {
      const spy = await server.connect('controller')
      const inboxes: string[] = []
      spy.subscribe('_INBOX_ctl.>', (m) => void inboxes.push(m.subject))
      await spy.flush()
      expect((await controller.request(subjects.do('kvm', B, 'vm', B, 'x'), null, { timeoutMs: 30_000 })).data).toBe('of B')
      await eventually(() => inboxes.length === 1)
      const next = inboxes[0]!.replace(/[^.]+$/, (token) => (Number.parseInt(token, 36) + 1).toString(36))
      const asked = controller.request(subjects.do('kvm', B, 'vm', B, 'slow'), null, { timeoutMs: 10_000 })
      await eventually(() => heardByB.some((s) => s.endsWith('.slow')))
      violations.length = 0
      rawA.publish(next, '"of A"')
      await rawA.flush()
      await eventually(() => violations.includes(next))
      release()
      expect((await asked).data).toBe('of B')
      await spy.close()
    })

    it('may answer each request to it once, there and nowhere else', async () => {
      const sub = rawA.subscribe(subjects.doAll('kvm', A))
      await rawA.flush()
      const asked = controller.request(subjects.do('kvm', A, 'vm', A, 'x'), null, { timeoutMs: 30_000 })
      const [got] = await Promise.all([sub[Symbol.asyncIterator]().next(), Promise.resolve()])
      const { reply } = got.value as { reply: string }
      violations.length = 0
      rawA.publish(`${reply}x`, '"elsewhere"')
      rawA.publish(reply, '"first"')
      rawA.publish(reply, '"second"')
      await rawA.flush()
      expect((await asked).data).toBe('first')
      await eventually(() => violations.length === 2)
      expect(violations).toEqual([`${reply}x`, reply])
      sub.unsubscribe()
    })

    describe('gets in with no credentials but its own, as they were issued:', () => {
      const enter = (jwt: string, seed: string) =>
        failure(connectNats({ servers: [server.url], name: 'x', tls: { ca: server.ca!.certPem }, credentials: { jwt, seed } }))

      it('not with more rights written into its JWT', async () => {
        const { jwt, seed } = await credentials()
        const [head, , signature] = jwt.split('.')
        const claims = decode<User>(jwt)
        claims.nats.pub = { allow: ['>'], deny: [] }
        const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
        expect((await enter(`${head}.${body}.${signature}`, seed)).code).toBe('permission-denied')
      })

      it('not with a JWT that it signed itself, or that a stranger’s key signed for this account', async () => {
        const { seed } = await credentials()
        const user = fromSeed(seedBytes(seed))
        const account = server.site!.account.publicKey
        const rights = { pub: { allow: ['>'], deny: [] }, sub: { allow: ['>'], deny: [] }, issuer_account: account }
        const stranger = createSigningKey()
        const forged = await encodeUser('x', user, fromSeed(seedBytes(stranger.seed)), rights)
        expect((await enter(forged, seed)).code).toBe('permission-denied')
        await expect(encodeUser('x', user, user, rights)).rejects.toThrow()
      })

      it('not into the system account', async () => {
        const { jwt, seed } = await credentials()
        const bus = await connectNats({
          ...{ servers: [server.url], name: 'x', tls: { ca: server.ca!.certPem } },
          ...{ credentials: { jwt, seed }, inboxPrefix: `_INBOX_${A}` },
        })
        expect((await failure(bus.request('$SYS.REQ.CLAIMS.UPDATE', 'x', { timeoutMs: 30_000 }))).code).toBe('permission-denied')
        await bus.close()
      })
    })
  })
}
