/** Keys are replaced while jobs run and the controller is killed: real nats-server, real controller process, real agents' code. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Identity, loadIdentity } from '@skerry/agent'
import { connectNats, createCa, issueServerCert, issueUser } from '@skerry/bus'
import type { AgentKind, Row, SkerryError } from '@skerry/contract'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { type KeyedSite, startKeyedSite } from '../harness/keyed-site.ts'
import { type Load, startLoad } from '../harness/load.ts'
import { sleep, until } from '../harness/site.ts'
import type { SmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'

const CEILING_MS = 120_000
const TEST_MS = 180_000

if (requireOrSkip('key rotation', { programs: ['nats-server'] })) {
  describe('while VMs are made, stopped and started,', () => {
    let site: KeyedSite
    let load: Load
    const failures: unknown[] = []

    beforeAll(async () => {
      site = await startKeyedSite()
      const world = await makeSmallWorld({ client: site.client, machine: site.machine } as SmallSite)
      load = startLoad(site.client, world, 3)
    }, TEST_MS)
    afterAll(() => site.stop())

    const identityOf = (kind: AgentKind) =>
      loadIdentity(site.machine.host.files, `/var/lib/skerry/agent-${kind}`, kind) as Promise<Identity>
    const identities = () => Promise.all(AGENT_KINDS.map(identityOf))
    const letIn = (identity: Identity) =>
      site.connect(identity).then(
        async (bus) => {
          await bus.close()
          return 'let in'
        },
        (error: SkerryError) => error.code,
      )
    const rotation = async (uuid: string): Promise<Row> =>
      ((await site.own('GET', `/key-rotations/${uuid}`)) as { inventories: Row[] }).inventories[0]!
    const rotate = async (what: string): Promise<string> =>
      ((await site.own('POST', '/key-rotations', { params: { what } })) as { inventory: Row }).inventory['uuid'] as string
    const done = (uuid: string) =>
      until(`rotation ${uuid} done`, CEILING_MS, async () => (await rotation(uuid))['state'] === 'Done')
    const progressed = async () => {
      const before = load.ended.length
      await until('jobs go on', CEILING_MS, () => load.ended.length > before + 6)
    }
    const restart = async () => {
      await site.kill('SIGKILL')
      await site.start()
    }

    it(
      'each agent gets another key and loses the old one, though the controller is killed in the middle',
      async () => {
        await progressed()
        const before = await identities()
        const uuid = await rotate('agents')
        await until('one agent has followed', CEILING_MS, async () => {
          const { pending, state } = await rotation(uuid)
          return state === 'Done' || (pending as string[]).length < 3
        })
        await restart()
        await done(uuid)
        const after = await identities()
        for (const [n, old] of before.entries()) {
          expect(after[n]!.publicKey).not.toBe(old.publicKey)
          expect(after[n]!.uuid).toBe(old.uuid)
          expect(await letIn(old)).toBe('permission-denied')
          expect(await letIn(after[n]!)).toBe('let in')
        }
        await progressed()
      },
      TEST_MS,
    )

    it(
      'the key that signs is replaced: everybody moves over, then nothing that the old one signed is accepted',
      async () => {
        const before = await identities()
        const { signingKey, account } = site.nats.site!
        const uuid = await rotate('account')
        await sleep(Math.random() * 1_000)
        await restart()
        await done(uuid)
        for (const old of before) expect(await letIn(old)).toBe('permission-denied')
        for (const now of await identities()) expect(await letIn(now)).toBe('let in')
        const late = await issueUser({ kind: 'controller', accountSeed: signingKey.seed, account: account.publicKey })
        const credentials = { jwt: late.jwt, seed: late.seed as string }
        const entering = connectNats({ servers: [site.nats.url], name: 'late', tls: { ca: site.nats.ca!.certPem }, credentials })
        await expect(entering).rejects.toMatchObject({ code: 'permission-denied' })
        await progressed()
      },
      TEST_MS,
    )

    it(
      'stored secrets are put under another site key, though the controller is killed in the middle',
      async () => {
        const folder = join(site.dir, 'controller')
        const secrets = await readdir(join(folder, 'secrets'))
        const before = await readFile(join(folder, 'site.key'))
        const uuid = await rotate('site')
        await restart()
        await done(uuid)
        expect((await readFile(join(folder, 'site.key'))).equals(before)).toBe(false)
        expect((await readdir(folder)).filter((name) => name.startsWith('site.key'))).toEqual(['site.key'])
        expect(secrets.filter((name) => name.endsWith('.secret')).length).toBeGreaterThan(0)
        await restart() // opens all of them at its start
        const { conditions } = (await site.own('GET', '/conditions')) as { conditions: Row[] }
        expect(conditions.filter(({ code }) => String(code).includes('secret'))).toEqual([])
        await progressed()
      },
      TEST_MS,
    )

    it(
      'another authority takes over, with the server’s certificate: first both are trusted, in the end the new one alone',
      async () => {
        const { dir, ca: old } = site.nats
        const trust = async (...pems: string[]) => {
          await writeFile(join(dir, 'ca.pem'), pems.join(''))
          await restart()
          await done(await rotate('agents'))
          for (const { ca } of await identities()) expect(ca?.trim()).toBe(pems.join('').trim())
        }
        const next = await createCa()
        const pem = ({ certPem }: { certPem: string }) => `${certPem.trimEnd()}\n`
        await trust(pem(old!), pem(next))
        const cert = await issueServerCert(next, { names: ['localhost'], ips: ['127.0.0.1'] })
        await writeFile(join(dir, 'key.pem'), cert.keyPem, { mode: 0o600 })
        await writeFile(join(dir, 'cert.pem'), cert.certPem)
        site.nats.reload() // breaks every connection for a moment
        await progressed()
        const [identity] = await identities()
        expect(await letIn({ ...identity!, ca: pem(old!) })).toBe('permission-denied')
        await trust(pem(next))
        expect(await letIn((await identities())[0]!)).toBe('let in')
        await progressed()
      },
      TEST_MS,
    )

    it(
      'every accepted job has ended well, once',
      async () => {
        await load.stop().catch((error) => failures.push(error))
        expect(failures).toEqual([])
        expect(load.ended.filter(({ status }) => status !== 200)).toEqual([])
        expect(new Set(load.ended.map(({ jobUuid }) => jobUuid)).size).toBe(load.ended.length)
        const { inventories } = (await site.client.call('QueryVmInstance', {})) as { inventories: Row[] }
        const states = Object.fromEntries(inventories.map((vm) => [vm['uuid'], vm['state']]))
        expect(states).toEqual(Object.fromEntries(load.vms))
        const running = site.machine.libvirt.inventory().map(({ uuid }) => uuid.replaceAll('-', ''))
        expect(running.sort()).toEqual([...load.vms.keys()].sort())
        const jobs = (await site.own('GET', '/jobs?q=state!=done&limit=100')) as { inventories: Row[] }
        expect(jobs.inventories).toEqual([])
      },
      TEST_MS,
    )
  })
}
