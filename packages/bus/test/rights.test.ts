/** The rights of DESIGN §7 on a real nats-server, with exactly the configuration and the JWTs that a site uses. */
import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SkerryError } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { announceService, discoverServices, type GatheringBus, serverConfig } from '../src/index.ts'
import { eventually, failure } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')

if (requireOrSkip('rights on nats-server', { programs: ['nats-server'] })) {
  describe('rights', () => {
    const A = newUuid()
    const B = newUuid()
    const of = (uuid: string): string => `skerry.v1.agent.kvm.${uuid}`
    let server: TestNats
    let controller: GatheringBus
    let agentA: GatheringBus
    let agentB: GatheringBus
    const denied: string[] = []
    /** Everything that the controller can see. */
    const heard: string[] = []

    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
      const onError = (e: SkerryError): void => void denied.push(`${e.code} ${e.details.operation} ${e.details.subject}`)
      controller = await server.connect('controller')
      agentA = await server.connect('agent', { agent: { kind: 'kvm', uuid: A }, onError })
      agentB = await server.connect('agent', { agent: { kind: 'kvm', uuid: B } })
      for (const agent of [
        { bus: agentA, uuid: A },
        { bus: agentB, uuid: B },
      ]) {
        agent.bus.serve(`${of(agent.uuid)}.do.>`, async (m) => ({ by: agent.uuid, subject: m.subject }))
        announceService(agent.bus, { name: 'agent-kvm', version: '0.1.0', id: agent.uuid, endpoints: [] })
        await agent.bus.flush()
      }
      for (const pattern of [
        'skerry.v1.agent.*.*.status.>',
        'skerry.v1.agent.*.*.hb',
        'skerry.v1.agent.*.*.progress.*',
        'skerry.v1.evt.>',
      ]) {
        controller.subscribe(pattern, (m) => void heard.push(m.subject))
      }
      controller.serve('skerry.v1.agent.*.*.ask.>', async () => 'told')
      controller.serve('skerry.v1.api.>', async () => 'called', { queue: 'api' })
      await controller.flush()
    })
    afterAll(() => server.stop())

    it('the server runs exactly serverConfig()', async () => {
      const tls = {
        certFile: join(server.dir, 'cert.pem'),
        keyFile: join(server.dir, 'key.pem'),
        caFile: join(server.dir, 'ca.pem'),
      }
      const listen = { host: '127.0.0.1', port: server.port }
      const expected = serverConfig({
        ...{ site: server.site!, listen, tls },
        jetstreamDir: join(server.dir, 'jetstream'),
        resolverDir: join(server.dir, 'accounts'),
      })
      expect(await readFile(join(server.dir, 'nats-server.conf'), 'utf8')).toBe(expected)
    })

    describe('an agent may', () => {
      it('serve its own commands and reply', async () => {
        const reply = await controller.request(`${of(A)}.do.vm.1.start`, null, { timeoutMs: 30_000 })
        expect(reply.data).toEqual({ by: A, subject: `${of(A)}.do.vm.1.start` })
      })

      it('publish its own status, progress and heartbeat, and ask the controller', async () => {
        heard.length = 0
        const subjects = [`${of(A)}.status.vm.1`, `${of(A)}.progress.c1`, `${of(A)}.hb`]
        for (const subject of subjects) agentA.publish(subject, null)
        await eventually(() => heard.length === 3)
        expect(heard).toEqual(subjects)
        expect((await agentA.request(`${of(A)}.ask.sync`, null, { timeoutMs: 30_000 })).data).toBe('told')
        expect(denied).toEqual([])
      })

      it('hold a console session both ways', async () => {
        const typed: unknown[] = []
        const shown: unknown[] = []
        const session = `${of(A)}.io.s1`
        const input = agentA.subscribe(`${session}.in`, (m) => void typed.push(m.data))
        const output = controller.subscribe(`${session}.out`, (m) => void shown.push(m.data))
        await Promise.all([agentA.flush(), controller.flush()])
        controller.publish(`${session}.in`, 'ls')
        agentA.publish(`${session}.out`, 'bin')
        await eventually(() => typed.length === 1 && shown.length === 1)
        await Promise.all([input.stop(), output.stop()])
      })

      it('be found as a NATS service', async () => {
        const found = async () =>
          ((await discoverServices(controller, { name: 'agent-kvm', timeoutMs: 300 })) as { id: string }[])
            .map((s) => s.id)
            .sort()
        await expect.poll(found).toEqual([A, B].sort())
      })
    })

    describe('an agent may not', () => {
      it.each([
        ['give another agent commands', () => `${of(B)}.do.vm.1.stop`],
        ['speak as another: status', () => `${of(B)}.status.vm.1`],
        ['speak as another: heartbeat', () => `${of(B)}.hb`],
        ['speak as another: asking', () => `${of(B)}.ask.sync`],
        ['speak as itself of another kind', () => `skerry.v1.agent.storage.${A}.hb`],
        ['call the API', () => 'skerry.v1.api.vm.-.create'],
        ['publish facts', () => 'skerry.v1.evt.vm.1.started'],
        ['speak for a controller', () => 'skerry.v1.ctl.1.drain'],
        ['ping services', () => '$SRV.PING'],
        ['use JetStream: info', () => '$JS.API.INFO'],
        ['use JetStream: create', () => '$JS.API.STREAM.CREATE.evil'],
        ['acknowledge for consumers', () => '$JS.ACK.x'],
        ['ask the system', () => '$SYS.REQ.SERVER.PING'],
        ['answer into another’s inbox', () => `_INBOX_${B}.x.1`],
        ['answer into the controller’s inbox unasked', () => '_INBOX_ctl.x.1'],
      ])('%s', async (_what, subject) => {
        heard.length = 0
        denied.length = 0
        expect((await failure(agentA.request(subject(), { evil: true }, { timeoutMs: 30_000 }))).code).toBe('permission-denied')
        agentA.publish(subject(), { evil: true })
        await eventually(() => denied.length === 1)
        expect(denied).toEqual([`permission-denied publish ${subject()}`])
        await controller.flush()
        expect(heard).toEqual([])
      })

      it.each([
        ['another’s commands', () => `${of(B)}.do.>`],
        ['another’s commands, to answer for it', () => `${of(B)}.do.vm.1.start`],
        ['everybody’s commands', () => 'skerry.v1.agent.kvm.*.do.>'],
        ['its own subtree beyond its commands', () => `${of(A)}.>`],
        ['another’s inbox', () => `_INBOX_${B}.>`],
        ['the controller’s inbox', () => '_INBOX_ctl.>'],
        ['plain inboxes', () => '_INBOX.>'],
        ['another’s heartbeat', () => `${of(B)}.hb`],
        ['another’s console', () => `${of(B)}.io.*.in`],
        ['API calls', () => 'skerry.v1.api.>'],
        ['facts', () => 'skerry.v1.evt.>'],
        ['JetStream', () => '$JS.>'],
        ['the system', () => '$SYS.>'],
        ['another’s service pings', () => `$SRV.PING.agent-kvm.${B}`],
        ['all service subjects', () => '$SRV.>'],
        ['everything', () => '>'],
        ['any one token', () => '*'],
        ['its console under one more wildcard', () => `${of(A)}.io.>`],
      ])('hear %s', async (_what, pattern) => {
        denied.length = 0
        const stolen: unknown[] = []
        const sub = agentA.subscribe(pattern(), (m) => void stolen.push(m.subject))
        await agentA.flush()
        await eventually(() => denied.length === 1)
        expect(denied).toEqual([`permission-denied subscription ${pattern()}`])
        for (let n = 0; n < 5; n += 1) {
          const reply = await controller.request(`${of(B)}.do.vm.1.start`, null, { timeoutMs: 30_000 })
          expect(reply.data).toMatchObject({ by: B })
        }
        await agentB.request(`${of(B)}.ask.sync`, null, { timeoutMs: 30_000 })
        await agentA.flush()
        expect(stolen).toEqual([])
        await sub.stop()
      })

      it('answer one request twice', async () => {
        denied.length = 0
        const inboxes: string[] = []
        const spy = await server.connect('controller')
        spy.subscribe('_INBOX_ctl.>', (m) => void inboxes.push(m.subject))
        await spy.flush()
        await controller.request(`${of(A)}.do.vm.1.start`, null, { timeoutMs: 30_000 })
        await eventually(() => inboxes.length === 1)
        agentA.publish(inboxes[0] as string, 'again')
        await eventually(() => denied.length === 1)
        await spy.close()
      })
    })

    it('the controller may use JetStream, within the limits of the account', async () => {
      const info = (await controller.request('$JS.API.INFO', null, { timeoutMs: 30_000 })).data as { limits: unknown }
      expect(info.limits).toMatchObject({ max_storage: 4_294_967_296, max_memory: 67_108_864, max_streams: 64 })
      const config = { name: 'evt', subjects: ['skerry.v1.evt.>'], storage: 'file', retention: 'limits', max_bytes: 1_048_576 }
      const made = (await controller.request('$JS.API.STREAM.CREATE.evt', config, { timeoutMs: 30_000 })).data
      expect(made).toMatchObject({ config: { name: 'evt' } })
      await controller.request('$JS.API.STREAM.DELETE.evt', null, { timeoutMs: 30_000 })
    })

    it('the controller may not hear the system', async () => {
      expect((await failure(controller.request('$SYS.REQ.SERVER.PING', null, { timeoutMs: 2_000 }))).code).toBe(
        'permission-denied',
      )
    })

    it('the command line may watch all and call the API, but not command agents or speak facts', async () => {
      const cliDenied: string[] = []
      const cli = await server.connect('operator-cli', { onError: (e) => void cliDenied.push(String(e.details.subject)) })
      const watched: string[] = []
      cli.subscribe('skerry.v1.agent.>', (m) => void watched.push(m.subject))
      await cli.flush()
      agentA.publish(`${of(A)}.hb`, null)
      await eventually(() => watched.includes(`${of(A)}.hb`))
      const call = 'skerry.v1.api.vm.-.create'
      expect((await cli.request(call, null, { timeoutMs: 30_000 })).data).toBe('called')
      await expect.poll(() => discoverServices(cli, { timeoutMs: 300 })).toHaveLength(2)
      for (const subject of [`${of(A)}.do.vm.1.stop`, 'skerry.v1.evt.vm.1.x', '$JS.API.INFO', '$SYS.REQ.SERVER.PING']) {
        expect((await failure(cli.request(subject, null, { timeoutMs: 30_000 }))).code).toBe('permission-denied')
      }
      // Nor hear calls, others' or its own: sessions and passwords are in them.
      const spied: string[] = []
      cli.subscribe('skerry.>', (m) => void spied.push(m.subject))
      cli.subscribe('skerry.v1.*.vm.-.create', (m) => void spied.push(m.subject))
      await cli.flush()
      await controller.request(call, null, { timeoutMs: 30_000 })
      agentA.publish(`${of(A)}.hb`, null)
      await eventually(() => spied.length > 0)
      expect(spied).toEqual([`${of(A)}.hb`])
      for (const pattern of [call, 'skerry.v1.api.>']) {
        cli.subscribe(pattern, () => undefined)
        await eventually(() => cliDenied.includes(pattern))
      }
      cli.subscribe('_INBOX_ctl.>', () => undefined)
      await eventually(() => cliDenied.includes('_INBOX_ctl.>'))
      await cli.close()
    })

    it('a console proxy may open consoles and carry their bytes, and nothing else', async () => {
      const refused: string[] = []
      const proxy = await server.connect('console-proxy', { onError: (e) => void refused.push(String(e.details.subject)) })
      const shown: unknown[] = []
      proxy.subscribe(`${of(A)}.io.s2.out`, (m) => void shown.push(m.data))
      const typed: unknown[] = []
      const input = agentA.subscribe(`${of(A)}.io.s2.in`, (m) => void typed.push(m.data))
      await Promise.all([proxy.flush(), agentA.flush()])
      const { data } = await proxy.request(`${of(A)}.do.vm.1.console`, null, { timeoutMs: 30_000 })
      expect(data).toMatchObject({ by: A })
      proxy.publish(`${of(A)}.io.s2.in`, 'ls')
      agentA.publish(`${of(A)}.io.s2.out`, 'bin')
      await eventually(() => typed.length === 1 && shown.length === 1)
      await input.stop()
      const commands = ['vm.1.allow-console', 'vm.1.stop', 'vm.1.reboot', 'host.1.facts'].map((verb) => `${of(A)}.do.${verb}`)
      const others = [
        `${of(A)}.hb`,
        `${of(A)}.ask.sync`,
        'skerry.v1.api.vm.-.create',
        'skerry.v1.evt.vm.1.x',
        '$JS.API.INFO',
        '$SRV.PING',
      ]
      for (const subject of [...commands, ...others])
        expect((await failure(proxy.request(subject, null, { timeoutMs: 30_000 }))).code, subject).toBe('permission-denied')
      for (const pattern of [
        'skerry.>',
        `${of(A)}.status.>`,
        `${of(A)}.do.>`,
        `${of(A)}.io.*.in`,
        '_INBOX_ctl.>',
        'skerry.v1.evt.>',
      ]) {
        proxy.subscribe(pattern, () => undefined)
        await eventually(() => refused.includes(pattern))
      }
      await proxy.close()
    })

    it('keys are kept from other users of the machine', async () => {
      expect((await stat(join(server.dir, 'key.pem'))).mode & 0o077).toBe(0)
    })
  })
}
