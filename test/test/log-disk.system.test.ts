/** The controller on small real file systems: full, read-only after an error, damaged; and two controllers on one folder. */
import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Row } from '@skerry/contract'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { fullDisk } from '../harness/full-disk.ts'
import { CONTROLLER, type LoneController, loneController, type Reply } from '../harness/lone-controller.ts'
import { sleep } from '../harness/site.ts'
import { type SmallDisk, smallDisk } from '../harness/small-disk.ts'
import { startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'

const RESERVE_BYTES = 64 * 1024 ** 2
const WAIT = { timeout: 60_000, interval: 50 }
const can = requireOrSkip('the log on real disks', { root: true, programs: ['nats-server', 'flock', 'mkfs.ext4', 'e2fsck'] })

let disk: SmallDisk | undefined
let controller: LoneController | undefined
afterEach(async () => {
  await controller?.stop()
  await disk?.remove()
  controller = disk = undefined
})

async function started(kind: 'tmpfs' | 'ext4'): Promise<{ disk: SmallDisk; controller: LoneController }> {
  disk = await smallDisk(kind)
  controller = await loneController({ stateDir: join(disk.dir, 'controller') })
  controller.begin()
  await controller.ready()
  await controller.login()
  const reserve = join(controller.stateDir, 'log/reserve')
  await expect
    .poll(
      () =>
        readFile(reserve).then(
          ({ length }) => length,
          () => 0,
        ),
      WAIT,
    )
    .toBe(RESERVE_BYTES)
  return { disk, controller }
}

/** Makes zones one after the other until told to stop, and keeps the names of those that were acknowledged. */
class Load {
  readonly told = new Set<string>()
  readonly refused: Reply[] = []
  readonly #controller: LoneController
  readonly #prefix: string
  #n = 0
  #stopped = false
  #running: Promise<void>[] = []

  constructor(on: LoneController, prefix: string) {
    this.#controller = on
    this.#prefix = prefix
    this.#running = Array.from({ length: 4 }, () => this.#run())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const name = `${this.#prefix}${++this.#n}`
      const reply = await this.#controller.call('CreateZone', { name })
      if (reply.status < 300) this.told.add(name)
      else {
        this.refused.push(reply)
        await sleep(20)
      }
    }
  }
}

async function zones(on: LoneController): Promise<string[]> {
  const reply = await on.call('QueryZone', { limit: 100_000 })
  expect(reply.status, reply.text).toBe(200)
  return (reply.body!['inventories'] as Row[]).map((row) => row['name'] as string)
}

/** Everything that was told is there, and nothing that was refused. */
async function holds(on: LoneController, load: Load): Promise<void> {
  expect(new Set(await zones(on))).toEqual(load.told)
}

const codes = (replies: readonly Reply[]) => [...new Set(replies.map(({ status, body }) => `${status} ${body?.['code']}`))]

describe.runIf(can).each(['tmpfs', 'ext4'] as const)('the controller on a full %s', (kind) => {
  it('refuses writes and goes on by itself when there is room, also after a start in between; small documents do not tear', async () => {
    const { disk, controller } = await started(kind)
    const load = new Load(controller, 'a')
    await expect.poll(() => load.told.size, WAIT).toBeGreaterThan(50)
    await disk.fill()
    await expect.poll(() => load.refused.length, WAIT).toBeGreaterThan(20)
    expect(codes(load.refused)).toEqual(['507 disk-full'])
    expect((await zones(controller)).length).toBeGreaterThan(50)
    expect((await controller.ask({ method: 'GET', path: '/readyz' })).status).toBe(503)

    const clusterUuid = '0'.repeat(32)
    const host = { name: 'h', clusterUuid, managementIp: '192.0.2.1', username: 'root', password: 'p' }
    expect(
      (await controller.call('AddKVMHost', host)).status,
      'a call with a secret is refused as any other',
    ).toBeGreaterThanOrEqual(400)
    const secrets = await readdir(join(controller.stateDir, 'secrets'))
    expect(secrets.filter((file) => file.endsWith('.tmp') || file.endsWith('.secret'))).toEqual([])

    const { pid } = controller
    const before = load.told.size
    await disk.free()
    await expect.poll(() => load.told.size, WAIT).toBeGreaterThan(before + 20)
    expect(controller.pid, 'nobody restarted it').toBe(pid)
    await load.stop()
    await holds(controller, load)

    await disk.fill()
    await controller.end('SIGKILL')
    controller.begin()
    await controller.ready('/healthz')
    await controller.login()
    await holds(controller, load)
    expect((await controller.call('CreateZone', { name: 'b' })).status).toBe(507)
    await disk.free()
    await controller.ready()
    const more = new Load(controller, 'c')
    await expect.poll(() => more.told.size, WAIT).toBeGreaterThan(5)
    await more.stop()
    await controller.end('SIGTERM')
    expect(await controller.ended(), 'an end in good order').toBe(0)
    controller.begin()
    await controller.ready()
    // The session was given on a full disk, so it ended with its process.
    await controller.login()
    for (const name of more.told) load.told.add(name)
    await holds(controller, load)
  })
})

it.runIf(can)('a site on a full tmpfs undoes what fails, ends deletions, and goes on when there is room', async () => {
  disk = await smallDisk('tmpfs', 24)
  const site = await startSmallSite({ dir: disk.dir })
  try {
    await fullDisk(site, await makeSmallWorld(site), disk)
  } finally {
    await site.stop()
  }
})

it.runIf(can)(
  'a file system that turns read-only: writes are refused with its error, reads go on, nothing that was told is lost',
  async () => {
    const { disk, controller } = await started('ext4')
    const load = new Load(controller, 'a')
    await expect.poll(() => load.told.size, WAIT).toBeGreaterThan(50)
    await disk.abort()
    await expect.poll(() => load.refused.length, WAIT).toBeGreaterThan(20)
    await load.stop()
    expect(codes(load.refused)).toEqual(['503 store-stopped'])
    const { details, detail } = load.refused.at(-1)!.body as { details: Row; detail: string }
    expect(details).toMatchObject({ errno: expect.stringMatching(/^(EROFS|EIO)$/), path: expect.stringContaining('/log/log-') })
    expect(detail).toMatch(/read-only|reports an error/)
    expect((await zones(controller)).length).toBeGreaterThanOrEqual(load.told.size)
    expect((await controller.ask({ method: 'GET', path: '/readyz' })).status).toBe(503)

    // Started on it as it is: what is there can be read.
    await controller.end('SIGKILL')
    controller.begin()
    await controller.ready('/healthz')
    await controller.login()
    const there = await zones(controller)
    for (const name of load.told) expect(there).toContain(name)
    expect(await controller.call('CreateZone', { name: 'no' })).toMatchObject({ status: 503, body: { code: 'store-stopped' } })

    await controller.end('SIGKILL')
    await disk.repair()
    controller.begin()
    await controller.ready()
    await controller.login()
    const after = new Set(await zones(controller))
    for (const name of load.told) expect(after).toContain(name)
    expect((await controller.call('CreateZone', { name: 'yes' })).status).toBe(201)
  },
)

/** The controller's own program, from another network and process namespace where asked. */
async function program(args: readonly string[], prefix: readonly string[] = []): Promise<{ code: number; out: string }> {
  const [cmd = '', ...rest] = [...prefix, process.execPath, CONTROLLER, ...args]
  return promisify(execFile)(cmd, rest, { timeout: 60_000 }).then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, out: error.stdout }),
  )
}

describe.runIf(can)('a state folder', () => {
  it('is opened by one controller, whatever namespace the other is in, and is free when that is killed', async () => {
    const { controller } = await started('tmpfs')
    const args = ['--state-dir', controller.stateDir, '--http-port', String(await freePort())]
    for (const prefix of [[], ['unshare', '--net', '--pid', '--fork', '--ipc', '--uts']]) {
      const { code, out } = await program(args, prefix)
      expect(code).toBe(1)
      expect(out).toContain(`is in use by process ${controller.pid}`)
    }
    expect((await program(['recover', '--state-dir', controller.stateDir])).out).toContain('is in use by')
    await controller.end('SIGKILL')
    expect(await program(['recover', '--state-dir', controller.stateDir])).toMatchObject({ code: 0 })
    controller.begin()
    await controller.ready()
  })

  it('with a damaged log is served read-only, is explained by recover, and writable again after its cut', async () => {
    const { controller } = await started('tmpfs')
    for (let n = 1; n <= 20; n++) expect((await controller.call('CreateZone', { name: `z${n}` })).status).toBe(201)
    await controller.end('SIGKILL')
    const file = join(controller.stateDir, 'log/log-000000000000001.seg')
    const bytes = await readFile(file)
    const at = bytes.indexOf('"z10"')
    bytes[at + 1] = bytes[at + 1]! ^ 1
    await writeFile(file, bytes)

    controller.begin()
    await controller.ready('/healthz')
    await controller.login()
    expect(await zones(controller)).toHaveLength(9)
    expect(await controller.call('CreateZone', { name: 'no' })).toMatchObject({
      status: 500,
      body: { code: 'log-corrupt', details: { file: 'log-000000000000001.seg', offset: expect.any(Number) } },
    })
    expect((await controller.ask({ method: 'GET', path: '/readyz' })).status).toBe(503)
    await controller.end('SIGTERM')

    const recover = ['recover', '--state-dir', controller.stateDir]
    const told = await program(recover)
    expect(told.code).toBe(2)
    expect(told.out).toMatch(/damaged: .*log-000000000000001\.seg at byte \d+/)
    expect(told.out).toMatch(/zone [0-9a-f]{32} created/)
    expect((await program([...recover, '--cut'])).code).toBe(0)
    expect(await readdir(join(controller.stateDir, 'log'))).toContain('log-000000000000001.seg.damaged')
    expect(await program(recover)).toMatchObject({ code: 0, out: expect.stringContaining('incarnation 2') })
    controller.begin()
    await controller.ready()
    await controller.login()
    expect(await zones(controller)).toHaveLength(9)
    expect((await controller.call('CreateZone', { name: 'yes' })).status).toBe(201)
  })
})
