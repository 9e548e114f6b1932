/** nats-server with the very files that `up` writes: who gets in, who doesn't, and a new certificate. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectNats, createCa, issueUser, type NatsCredentials, type Site } from '@skerry/bus'
import { type SkerryError, subjects } from '@skerry/contract'
import { files } from '@skerry/host'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { folders, type Layout, layoutOf } from '../src/layout.ts'
import { readUpSettings, type Settings } from '../src/settings.ts'
import { natsPublicUrl, prepareSite } from '../src/site/secrets.ts'

const disk = files()
const A = 'a'.repeat(32)
const B = 'b'.repeat(32)

if (requireOrSkip('the site that up makes', { programs: ['nats-server'] })) {
  describe('the server of a site', () => {
    let root: string
    let layout: Layout
    let given: Settings
    let site: Site
    let end: () => Promise<void>

    const start = async () => {
      const server = spawn('nats-server', ['-c', layout.natsConfig], { stdio: ['ignore', 'ignore', 'pipe'] })
      const ended = once(server, 'exit')
      let log = ''
      await new Promise<void>((resolve, reject) => {
        ended.then(() => reject(new Error(log)))
        server.stderr.on('data', (chunk) => {
          log += chunk
          if (log.includes('Server is ready')) resolve()
        })
      })
      end = async () => {
        server.kill('SIGTERM')
        await ended
      }
    }
    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'skerry-up-nats-'))
      layout = layoutOf(root)
      given = readUpSettings([], { SKERRY_STATE_DIR: root, SKERRY_NATS_ADDR: `127.0.0.1:${await freePort()}` }) as Settings
      for (const { path, mode } of folders(layout)) await disk.makeDir(path, mode)
      await prepareSite({ files: disk, layout, settings: given, now: Date.now() })
      site = JSON.parse((await disk.read(layout.natsSite))!)
      await start()
    })
    afterAll(async () => {
      await end()
      await rm(root, { recursive: true, force: true })
    })

    const user = async (kind: 'controller' | 'agent') => {
      const signed = { accountSeed: site.signingKey.seed, account: site.account.publicKey }
      const { jwt, seed, inboxPrefix } = await issueUser(
        kind === 'agent' ? { ...signed, kind, agent: { kind: 'kvm', uuid: A } } : { ...signed, kind },
      )
      return { credentials: { jwt, seed: seed as string }, inboxPrefix }
    }
    const enter = (o: { credentials?: NatsCredentials; inboxPrefix?: string; tls?: { ca: string } }) =>
      connectNats({ servers: [natsPublicUrl(given)], name: 'test', reconnect: { minMs: 20, maxMs: 50 }, ...o })
    const code = (entering: Promise<unknown>) =>
      entering.then(
        () => 'let in',
        (error: SkerryError) => error.code,
      )
    const ca = async () => ({ ca: (await disk.read(layout.caCert))! })

    test('lets in who is signed for it, and gives an agent its own subjects alone', async () => {
      const controller = await enter({ ...(await user('controller')), tls: await ca() })
      controller.serve('skerry.v1.agent.*.*.ask.*', async () => 'told')
      await controller.flush()
      const agent = await enter({ ...(await user('agent')), tls: await ca() })
      expect((await agent.request(subjects.ask('kvm', A, 'sync'), null, { timeoutMs: 30_000 })).data).toBe('told')
      for (const subject of [
        subjects.ask('kvm', B, 'sync'),
        subjects.do('kvm', B, 'vm', B, 'stop'),
        '$JS.API.INFO',
        '$SYS.REQ.SERVER.PING',
      ])
        expect(await code(agent.request(subject, null, { timeoutMs: 30_000 })), subject).toBe('permission-denied')
      await Promise.all([agent.close(), controller.close()])
    })

    test('lets nobody in without credentials, without TLS, or who trusts another CA', async () => {
      expect(await code(enter({ tls: await ca() }))).toBe('permission-denied')
      const stranger = await createCa()
      expect(await code(enter({ ...(await user('controller')), tls: { ca: stranger.certPem } }))).toBe('permission-denied')
      // without the site's CA a client has nothing to trust the server by: no plain text, no unverified TLS
      expect(await code(enter(await user('controller')))).not.toBe('let in')
    })

    test('serves a renewed certificate after a new start; whoever was connected comes back by itself', async () => {
      const bus = await enter({ ...(await user('controller')), tls: await ca() })
      const states: string[] = []
      bus.onState((state) => void states.push(state))
      await prepareSite({ files: disk, layout, settings: { ...given, renewTls: true }, now: Date.now() })
      await end()
      await start()
      const until = Date.now() + 20_000
      while (states.at(-1) !== 'connected' || states.length < 3) {
        expect(Date.now(), states.join()).toBeLessThan(until)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await bus.close()
    })
  })
}
