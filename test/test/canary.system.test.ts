/**
 * Secrets on a real site: nats-server, controller and agents as processes with real files. The same calls as in the fast suite;
 * then everything is searched: folders, logs, arguments and environments of processes, the bus, the command line, a support bundle.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { inspect } from 'node:util'
import { encodeUser } from '@nats-io/jwt'
import { createUser, fromSeed } from '@nats-io/nkeys'
import { type Bus, connectNats } from '@skerry/bus'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Canaries, type Haystack } from '../harness/canary.ts'
import { Attack } from '../harness/secret-attack.ts'
import { enrolmentJourneys, type Ground, resourceJourneys, sessionJourneys } from '../harness/secret-journeys.ts'
import { type Program, startSite, type TestSite, until } from '../harness/site.ts'
import { sha512 } from '../harness/zstack-client.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Files in which a secret may stand, and why. */
const allowed: Readonly<Record<string, string>> = {
  'admin.password': 'the file by which the administrator gives the first password; its owner alone reads it',
}

/** Every file below a folder. Sockets and what has just gone are passed over. */
async function filesBelow(folder: string): Promise<Haystack[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(paths.map(async (path) => ({ where: relative(folder, path), bytes: await readFile(path) })))
}

/** Arguments and environment of every process of the machine. */
async function processes(): Promise<Haystack[]> {
  const found: Haystack[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)))
    for (const file of ['cmdline', 'environ'])
      await readFile(`/proc/${pid}/${file}`).then(
        (bytes) => void found.push({ where: `/proc/${pid}/${file} of ${bytes.toString().split('\0')[1] ?? ''}`, bytes }),
        () => undefined, // it has ended
      )
  return found
}

/** A user of the site's account without limits: hears every reply too. */
async function everything({ nats }: TestSite, hear: (text: string) => void): Promise<Bus> {
  const user = createUser()
  const account = fromSeed(new TextEncoder().encode(nats.site!.account.seed))
  const jwt = await encodeUser('overhears', user, account, {})
  const seed = new TextDecoder().decode(user.getSeed())
  const bus = await connectNats({
    servers: [nats.url],
    name: 'overhears',
    credentials: { jwt, seed },
    tls: { ca: nats.ca!.certPem },
  })
  bus.subscribe('>', (message) => hear(inspect(message, { depth: 12, maxStringLength: null })))
  return bus
}

describe.runIf(requireOrSkip('secrets on a real site', { root: true, programs: ['nats-server', 'libvirtd'] }))(
  'a site of processes',
  () => {
    const canaries = new Canaries()
    const captured: string[] = []
    const running: Haystack[] = []
    const said: Haystack[] = []
    const counts: number[] = []
    let site: TestSite
    let attack: Attack
    let bus: Bus
    let home: string
    let shown: Haystack[] = []

    const secretFiles = async () =>
      (await readdir(join(site.dir, 'controller/secrets'))).filter((name) => name.endsWith('.secret'))
    const skerry = (...argv: string[]) =>
      new Promise<string>((resolve) => {
        const env = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: home }
        const child = execFile(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...argv], { env }, (error, out, err) => {
          said.push({ where: `what skerry ${argv[0]} said`, bytes: Buffer.from(out + err) })
          resolve(`${error?.code ?? 0} ${out}${err}`)
        })
        child.stdin?.end()
      })

    beforeAll(async () => {
      const adminPassword = canaries.value('of admin')
      site = await startSite({ adminPassword })
      home = await mkdtemp(join(tmpdir(), 'skerry-canary-'))
      bus = await everything(site, (text) => captured.push(text))
      const { uuid: session } = await site.client.login('admin', adminPassword)
      attack = await Attack.begin({ url: site.url, canaries, session: canaries.made('the session of the test', session) })
      canaries.made('what stands for the password of admin', sha512(adminPassword))
      const managementIp = '127.0.0.1'
      const ground: Ground = { attack, canaries, adminPassword, managementIp, folder: join(site.dir, 'store'), refused: '/etc' }
      await sessionJourneys(ground)
      await enrolmentJourneys(ground, { issuesCredentials: true })
      await resourceJourneys(ground, async ({ cluster }) => {
        // those of calls that failed go right after the answer
        await until('the secrets of what failed to be gone', 30_000, async () => (await secretFiles()).length <= 2)
        counts.push((await secretFiles()).length)
        const passwords = join(home, 'passwords')
        await mkdir(passwords)
        await writeFile(join(passwords, 'admin'), adminPassword)
        await writeFile(join(passwords, 'host'), canaries.value('by the command line'))
        expect(await skerry('login', '--url', site.url, '--password-file', join(passwords, 'admin'))).toMatch(/^0 /)
        const host = ['h2', '--management-ip', '192.0.2.250', '--cluster', cluster, '--username', 'root']
        const adding = skerry('add', 'host', ...host, '--password-file', join(passwords, 'host'), '--wait')
        running.push(...(await processes()))
        expect(await adding).toContain('agent')
        await site.kill('controller')
        await site.start('controller')
        running.push(...(await processes()))
        expect(await skerry('support', join(home, 'bundle.tar.gz'), '--state-dir', site.dir)).toMatch(/^0 /)
        await rm(passwords, { recursive: true })
      })
      await until('the secrets of what was deleted to be gone', 30_000, async () => (await secretFiles()).length === 0)
      counts.push((await secretFiles()).length)
      shown = await Promise.all(
        ['/metrics', '/openapi.json', '/v1/jobs', '/v1/hosts', '/v1/conditions'].map(async (path) => {
          const response = await fetch(site.url + path, { headers: { Authorization: `OAuth ${session}` } })
          return { where: path, bytes: Buffer.from(await response.text()) }
        }),
      )
      await bus.close()
      for (const program of Object.keys(site.services) as Program[]) await site.services[program].end('SIGTERM')
    }, 240_000)

    afterAll(async () => {
      await attack?.end()
      await site?.stop()
      if (home) await rm(home, { recursive: true, force: true })
    })

    test('answers none, in HTTP or on the command line', () => {
      expect(attack.heard.length).toBeGreaterThan(150)
      expect(canaries.search([...attack.heard, ...shown, ...said])).toEqual([])
    })

    test('has none in its folders: log, snapshots, secrets, ledgers, identities, logs of services, configuration of nats-server', async () => {
      const files = [...(await filesBelow(site.dir)), ...(await filesBelow(site.nats.dir))]
      const names = files.map(({ where }) => where)
      for (const wanted of [
        'controller.log',
        'controller/log/log-',
        'agent-storage/ledger/',
        'agent-kvm/identity.json',
        'agent-kvm.log',
        /nats-server\.conf$/,
      ])
        expect([
          wanted,
          names.some((name) => (typeof wanted === 'string' ? name.startsWith(wanted) : wanted.test(name))),
        ]).toEqual([wanted, true])
      const found = canaries.search(files.filter(({ where }) => !(where in allowed)))
      expect(found).toEqual([])
      expect(canaries.search(files.filter(({ where }) => where in allowed)).length).toBeGreaterThan(0)
    })

    test('has none in the arguments and environments of processes', () => {
      expect(running.some(({ where }) => where.includes('controller/main.js'))).toBe(true)
      expect(canaries.search(running)).toEqual([])
    })

    test('says none on NATS, replies included', () => {
      expect(captured.some((text) => text.includes('_INBOX_'))).toBe(true)
      expect(captured.some((text) => text.includes('skerry.v1.evt.host'))).toBe(true)
      expect(canaries.search(captured.map((text, i) => ({ where: `NATS message ${i}`, bytes: Buffer.from(text) })))).toEqual([])
    })

    test('packs none into a support bundle', async () => {
      const bytes = await readFile(join(home, 'bundle.tar.gz'))
      expect(bytes.length).toBeGreaterThan(2_000)
      expect(canaries.search([{ where: 'bundle.tar.gz', bytes }])).toEqual([])
    })

    test('leaves on the command line side only the session, in its own file', async () => {
      const files = (await filesBelow(home)).filter(({ where }) => where !== 'bundle.tar.gz')
      expect(files.map(({ where }) => where)).toEqual(['skerry/contexts.json'])
      expect(canaries.search(files)).toEqual([])
    })

    test('kept one for each resource, and shredded them with it', () => {
      expect(counts).toEqual([2, 0])
    })
  },
)
