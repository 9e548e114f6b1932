/** The controller of a real site is lost and restored, then moves to another place: guests answer all the while. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Row, siteFiles } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { type Client, createClient } from '@skerry/sdk'
import { freePort, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Demo, makeDemo, removeDemo } from '../harness/demo.ts'
import { answers, uptime } from '../harness/guest.ts'
import { controllerArgs, type Program, Service, startSite, type TestSite, until } from '../harness/site.ts'
import { clean, makeVm, type Vm } from '../harness/vms.ts'

const { exec } = realHost()
const SKERRY = join(import.meta.dirname, '../../dist/cli/main.js')
const AGENTS: readonly Program[] = ['agent-kvm', 'agent-storage', 'agent-vrouter']
const HEARD_MS = 120_000
let site: TestSite
let demo: Demo
let client: Client
let session: string
let url: string
let older: Vm
let newer: Vm
let moved: { nats: TestNats; controller: Service } | undefined

async function logIn(to: string): Promise<void> {
  url = to
  client = createClient({ baseUrl: to })
  session = (await client.login('admin', 'password')).uuid
}

/** The built command line; gives what it printed. Throws with what it said when it fails. */
async function skerry(...args: string[]): Promise<string> {
  const env = [`SKERRY_URL=${url}`, `SKERRY_SESSION=${session}`, `SKERRY_STATE_DIR=${site.dir}`, `HOME=${site.dir}`]
  const argv = [...env, process.execPath, SKERRY, ...args]
  return (await exec.run('env', argv, { timeoutMs: 120_000 })).stdout
}
const fails = async (...args: string[]) => {
  const refused = await skerry(...args).then(
    () => undefined,
    (error: unknown) => error,
  )
  return JSON.stringify((refused as { details?: unknown }).details)
}
const passphrase = () => join(site.dir, 'passphrase')
const file = () => join(site.dir, 'site.backup')
const call = (api: string, params: Row) => client.call(api, params, { wait: true })

/** As `up` keeps them. */
async function layKeys(): Promise<void> {
  const { ca, site: accounts } = site.nats
  const texts: Record<string, string> = {
    [siteFiles.caCert]: ca!.certPem,
    [siteFiles.caKey]: ca!.keyPem,
    [siteFiles.natsSite]: JSON.stringify(accounts),
  }
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(site.dir, path)), { recursive: true })
    await writeFile(join(site.dir, path), text, { mode: 0o600 })
  }
}

beforeAll(async () => {
  site = await startSite()
  demo = await makeDemo(site)
  await layKeys()
  await writeFile(passphrase(), 'a passphrase of this test\n', { mode: 0o600 })
  await logIn(site.url)
})
afterAll(async () => {
  try {
    if (moved) await removeDemo({ ...site, client, call } as unknown as TestSite, demo)
    else if (demo) await removeDemo(site, demo)
  } finally {
    await moved?.controller.end('SIGTERM')
    await site?.stop()
    await moved?.nats.stop()
  }
})

describe('skerry backup', () => {
  it('takes a running site into one file that only its owner and the passphrase open', async () => {
    older = await makeVm(site, demo, 'older')
    expect(await fails('backup', file())).toContain('passphrase-file')
    const offering = call('CreateInstanceOffering', { name: 'meanwhile', cpuNum: 1, memorySize: 128 * 1024 ** 2 })
    const said = await skerry('backup', file(), '--passphrase-file', passphrase())
    await offering
    expect(said).toMatch(/seq \d+, incarnation 1: \d+ rows, \d+ secrets, \d+ keys\n.* in .* s, read back and checked/)
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    const bytes = await readFile(file(), 'latin1')
    for (const secret of [site.nats.ca!.keyPem, site.nats.site!.account.seed]) expect(bytes).not.toContain(secret.trim())
    expect(await skerry('backup', 'verify', file(), '--passphrase-file', passphrase())).toContain('whole: as of')
    expect(await fails('backup', 'verify', file())).toContain('is encrypted')
  })
})

describe('after the loss of the controller', () => {
  it('the restored one stops no guest; what is newer is orphaned, adopted, removed; the audit finds no difference', async () => {
    newer = await makeVm(site, demo, 'newer')
    const extra = await makeVm(site, demo, 'extra')
    for (const vm of [older, newer, extra]) await answers(demo.l3, vm.ip)
    const up = await uptime(demo.l3, newer.ip)
    expect(await fails('restore', file(), '--passphrase-file', passphrase())).toContain('is in use by')
    await site.kill('controller')
    await rm(join(site.dir, 'controller'), { recursive: true })

    expect(await skerry('restore', file(), '--passphrase-file', passphrase())).toContain('this is incarnation 2')
    await site.start('controller')
    await logIn(site.url)
    // Each agent tells of its own when it is heard: that of the disks may be heard before that of the guests.
    const orphans = await until('the orphaned guests', HEARD_MS, async () => {
      const found = JSON.parse(await skerry('get', 'orphans', '-q', 'noun=vm', '-o', 'json')) as Row[]
      return found.length >= 2 && found
    })
    expect(orphans.map((o) => [o['name'], o['condition'], o['ips']]).sort()).toEqual([
      ['extra', 'Orphaned', [extra.ip]],
      ['newer', 'Orphaned', [newer.ip]],
    ])
    await answers(demo.l3, newer.ip)
    await until('no host unheard', HEARD_MS, () => skerry('adopt', 'orphan', 'newer', '--dry-run'))
    await skerry('adopt', 'orphan', 'newer', '--wait')
    await skerry('remove', 'orphan', 'extra', '--wait')
    const vms = JSON.parse(await skerry('get', 'vm', '-o', 'json')) as Row[]
    expect(vms.map((vm) => [vm['name'], vm['state']]).sort()).toEqual([
      ['newer', 'Running'],
      ['older', 'Running'],
    ])
    expect(await uptime(demo.l3, newer.ip)).toBeGreaterThan(up)
    await clean({ ...site, client } as TestSite)
  })
})

describe('moving the controller', () => {
  it('agents find it at its new place with their old credentials; no guest notices', async () => {
    const pids = await site.libvirtd.qemuPids()
    await skerry('backup', file(), '--passphrase-file', passphrase())
    await site.kill('controller')
    await site.nats.stop()
    const place = join(site.dir, 'moved')
    await skerry('restore', file(), '--passphrase-file', passphrase(), '--state-dir', place)
    expect(await readFile(join(place, siteFiles.natsSite), 'utf8')).toBe(JSON.stringify(site.nats.site))
    const { site: accounts, ca } = site.nats
    const nats = await startNats({ dir: join(place, 'server'), tls: true, auth: true, of: { site: accounts!, ca: ca! } })
    const port = await freePort()
    const controller = new Service('controller', await controllerArgs(place, nats, port), place)
    moved = { nats, controller }
    controller.start()
    const to = `http://127.0.0.1:${port}`
    await until('the controller at its new place', 60_000, async () => (await fetch(`${to}/readyz`)).ok)
    await logIn(to)

    expect(await skerry('agent', 'point', '--nats', nats.url)).toMatch(/agent-kvm.*agent-storage.*agent-vrouter/s)
    for (const agent of AGENTS) await site.kill(agent)
    for (const agent of AGENTS) await site.start(agent)
    await until('three connected agents', HEARD_MS, async () => {
      const { inventories } = await client.query('agent', { q: ['status=Connected'] })
      return inventories.length === AGENTS.length
    })
    await until('no differences', HEARD_MS, async () => (await client.auditHosts()).differences.length === 0)
    await answers(demo.l3, older.ip)
    expect(await site.libvirtd.qemuPids()).toEqual(pids)
    const { inventories } = await client.query('vm')
    expect(inventories.map((vm) => vm['state'])).toEqual(['Running', 'Running'])
  })
})
