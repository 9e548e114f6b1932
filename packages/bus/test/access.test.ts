/** Who gets in at all: credentials and certificates on a real nats-server with a site's own configuration. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { TLSSocket } from 'node:tls'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectNats, createCa, createSite, credsFile, issueServerCert, issueUser } from '../src/index.ts'
import { eventually, failure } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')

if (requireOrSkip('access on nats-server', { programs: ['nats-server'] })) {
  describe('access', () => {
    const A = newUuid()
    const of = (uuid: string): string => `skerry.v1.agent.kvm.${uuid}`
    let server: TestNats
    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
      const controller = await server.connect('controller')
      controller.serve('skerry.v1.agent.*.*.ask.>', async () => 'told')
      await controller.flush()
    })
    afterAll(() => server.stop())

    describe('nobody gets in', () => {
      const target = () => ({ servers: [server.url], name: 'stranger', tls: { ca: server.ca!.certPem } })

      it('without credentials', async () => {
        expect((await failure(connectNats(target()))).code).toBe('permission-denied')
      })

      it('with credentials of another site', async () => {
        const other = await createSite()
        const user = await issueUser({ accountSeed: other.account.seed, kind: 'controller' })
        const stranger = connectNats({ ...target(), credentials: { jwt: user.jwt, seed: user.seed as string } })
        expect((await failure(stranger)).code).toBe('permission-denied')
      })

      it('with a JWT whose seed it does not have', async () => {
        const [mine, theirs] = await Promise.all(
          [1, 2].map(() => issueUser({ accountSeed: server.site!.account.seed, kind: 'controller' })),
        )
        const thief = connectNats({ ...target(), credentials: { jwt: theirs!.jwt, seed: mine!.seed as string } })
        expect((await failure(thief)).code).toBe('permission-denied')
      })

      it('with an expired JWT', async () => {
        const expiresAt = new Date(Date.now() - 5_000)
        const user = await issueUser({ accountSeed: server.site!.account.seed, kind: 'controller', expiresAt })
        const late = connectNats({ ...target(), credentials: { jwt: user.jwt, seed: user.seed as string } })
        expect((await failure(late)).code).toBe('permission-denied')
      })

      it('in plain text: the server speaks to no client that does not start TLS', async () => {
        const user = await issueUser({ accountSeed: server.site!.account.seed, kind: 'controller' })
        const socket = createConnection(server.port, '127.0.0.1')
        let received = ''
        socket.on('data', (chunk) => {
          received += chunk.toString('latin1')
        })
        socket.write(`CONNECT ${JSON.stringify({ jwt: user.jwt })}\r\nPING\r\n`)
        socket.on('error', () => undefined) // the server may reset the connection: it ends either way
        await new Promise((resolve) => socket.once('close', resolve))
        expect(received).toContain('"tls_required":true')
        expect(received).not.toContain('PONG')
      })

      it('when the server’s certificate is of another CA: the client refuses', async () => {
        const foreign = await createCa()
        const misled = connectNats({ ...target(), tls: { ca: foreign.certPem }, waitOnFirstConnect: true })
        const error = await failure(misled)
        expect(error.code).toBe('permission-denied')
        expect(error.message).toContain('CA')
      })

      it('when the certificate is of our CA but names another host: the client refuses', async () => {
        const { certPem, keyPem } = await issueServerCert(server.ca!, { names: ['elsewhere.example'], ips: ['127.0.0.9'] })
        const impostor = createServer((socket) => {
          socket.write(
            'INFO {"server_id":"x","version":"2.9.10","proto":1,"max_payload":1048576,"tls_required":true,"headers":true}\r\n',
          )
          new TLSSocket(socket, { isServer: true, cert: certPem, key: keyPem }).on('error', () => socket.destroy())
        }).listen(0, '127.0.0.1')
        await once(impostor, 'listening')
        const { port } = impostor.address() as AddressInfo
        for (const host of ['127.0.0.1', 'localhost']) {
          const error = await failure(connectNats({ ...target(), servers: [`tls://${host}:${port}`] }))
          expect(error).toMatchObject({ code: 'permission-denied', details: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' } })
        }
        impostor.close()
      })

      it('when the server has no TLS but the client wants it', async () => {
        const plain = await startNats()
        const downgraded = connectNats({ ...target(), servers: [plain.url] })
        expect((await failure(downgraded)).code).toBe('permission-denied')
        await plain.stop()
      })
    })

    it('a key pair made on the agent’s own machine works, also as a creds file', async () => {
      const own = await issueUser({ accountSeed: server.site!.account.seed, kind: 'agent', agent: { kind: 'kvm', uuid: A } })
      const uuid = newUuid()
      const issued = await issueUser({
        accountSeed: server.site!.account.seed,
        userPublicKey: own.publicKey,
        kind: 'agent',
        agent: { kind: 'storage', uuid },
      })
      expect(issued.seed).toBeUndefined()
      const creds = credsFile({ jwt: issued.jwt, seed: own.seed as string })
      const bus = await connectNats({
        servers: [`tls://localhost:${server.port}`],
        name: 'creds',
        tls: { ca: server.ca!.certPem },
        inboxPrefix: issued.inboxPrefix,
        credentials: { creds },
      })
      expect((await bus.request(`skerry.v1.agent.storage.${uuid}.ask.sync`, null, { timeoutMs: 30_000 })).data).toBe('told')
      await bus.close()
    })

    it('a user who is connected when its JWT expires is cut off, told so, and comes back with a renewed one', async () => {
      const accountSeed = server.site!.account.seed
      const agent = { kind: 'kvm', uuid: newUuid() }
      const first = await issueUser({ accountSeed, kind: 'agent', agent, expiresAt: new Date(Date.now() + 2_000) })
      let jwt = first.jwt
      const faults: string[] = []
      const states: string[] = []
      const bus = await connectNats({
        ...{ servers: [server.url], name: 'expiring', tls: { ca: server.ca!.certPem } },
        inboxPrefix: first.inboxPrefix,
        credentials: () => ({ jwt, seed: first.seed as string }),
        reconnect: { minMs: 50, maxMs: 100 },
        onError: (e) => void faults.push(e.code),
      })
      bus.onState((s) => void states.push(s))
      await eventually(() => states.includes('disconnected'))
      await eventually(() => faults.length >= 3) // refused again and again, and still trying
      expect(new Set(faults)).toEqual(new Set(['permission-denied']))
      jwt = (await issueUser({ accountSeed, kind: 'agent', agent, userPublicKey: first.publicKey })).jwt
      await eventually(() => states.at(-1) === 'connected')
      // One that goes out in the last moment of a connection that is refused is lost.
      const ask = () => bus.request(`${of(agent.uuid)}.ask.sync`, null, { timeoutMs: 30_000 })
      const { data } = await ask().catch(ask).catch(ask)
      expect(data).toBe('told')
      await bus.close()
    }, 30_000)
  })
}
