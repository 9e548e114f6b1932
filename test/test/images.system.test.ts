/** A real guest over an image on a real storage server, with an ISO put into its drive while it runs, and a guest that waits for one. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Sshd, startSshd } from '@skerry/agent-storage/sshd'
import type { Row } from '@skerry/contract'
import { CD_MODULES } from '@skerry/deploy'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { inGuest } from '../harness/console.ts'
import { type Demo, guestImage } from '../harness/demo.ts'
import { onDemoSite } from '../harness/demo-site.ts'
import { answers, uptime } from '../harness/guest.ts'
import { type TestSite, until } from '../harness/site.ts'
import { clean, gone, makeVm, vmOf } from '../harness/vms.ts'

const MIB = 1024 ** 2

let site: TestSite
let demo: Demo
let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(async () => {
  await sshd?.stop()
})
onDemoSite((on) => {
  site = on.site
  demo = on.demo
})

/** ISO 9660 as far as anybody looks: a volume descriptor, and bytes that nobody else has. */
async function makeIso(path: string): Promise<string> {
  const bytes = randomBytes(MIB)
  bytes.fill(0, 0, 34_816)
  bytes.set([1, ...Buffer.from('CD001'), 1], 32_768)
  await writeFile(path, bytes)
  return createHash('sha256').update(bytes).digest('hex')
}

const statusOf = async (uuid: string) => (await site.client.get('backupStorage', uuid))['status']

it('an image and an ISO on a storage server serve guests; the server goes, comes back as another, and is told', async () => {
  const folder = join(sshd.dir, 'home')
  await mkdir(folder)
  await copyFile(await guestImage(), join(folder, 'tiny.qcow2'))
  const sum = await makeIso(join(folder, 'one.iso'))
  const access = { hostname: '127.0.0.1', sshPort: sshd.port, username: 'root', password: sshd.password }
  const storage = await site.call('AddSftpBackupStorage', { name: 'server', url: join(sshd.dir, 'images'), ...access })
  expect(storage).toMatchObject({ status: 'Connected', type: 'SftpBackupStorage' })
  const uuid = storage['uuid'] as string
  await site.call('AttachBackupStorageToZone', { backupStorageUuid: uuid, zoneUuid: demo.zone })
  const add = (name: string, more: Row) =>
    site.call('AddImage', { name, url: `file://${folder}/${name}`, backupStorageUuids: [uuid], ...more })
  const image = await add('tiny.qcow2', { format: 'qcow2' })
  const iso = await add('one.iso', { format: 'iso', mediaType: 'ISO' })
  expect(await readdir(join(sshd.dir, 'images', 'refs'))).toHaveLength(2)

  const first = await makeVm(site, { ...demo, vmParams: { ...demo.vmParams, imageUuid: image['uuid'] } }, 'first')
  await answers(demo.l3, first.ip)
  await site.call('AttachIsoToVmInstance', { vmInstanceUuid: first.uuid, isoUuid: iso['uuid'] })
  await inGuest(
    site,
    first.uuid,
    `for m in ${CD_MODULES.join(' ')}; do insmod /modules/$m.ko; done; until [ -b /dev/sr0 ]; do sleep 1; done`,
    'drive',
  )
  await inGuest(site, first.uuid, `[ "$(sha256sum </dev/sr0)" = "${sum}  -" ]`, 'same')
  await clean(site)
  await site.call('DetachIsoFromVmInstance', { vmInstanceUuid: first.uuid })
  await inGuest(site, first.uuid, '! head -c 1 /dev/sr0', 'empty')
  expect(await uptime(demo.l3, first.ip)).toBeGreaterThan(1)

  const installed = vmOf(
    await site.call('CreateVmInstance', {
      name: 'installed',
      ...demo.vmParams,
      imageUuid: iso['uuid'],
      rootDiskSize: 16 * MIB,
      strategy: 'CreateStopped',
    }),
  )
  await clean(site)

  await sshd.halt()
  await until('a server that is told to be away', 120_000, async () => (await statusOf(uuid)) === 'Disconnected')
  // the board follows a commit as soon as there is time for it
  const cause = expect.objectContaining({ code: 'storage-unreachable' })
  const told = expect.objectContaining({ code: 'storage-server-away', details: expect.objectContaining({ cause }) })
  await vi.waitFor(async () => expect((await site.client.conditions()).conditions).toContainEqual(told))
  await sshd.rekey()
  await expect(site.call('ReconnectSftpBackupStorage', { uuid })).rejects.toMatchObject({ code: 'storage-host-key' })
  await site.call('UpdateSftpBackupStorage', { uuid, hostname: '127.0.0.1' })
  await site.call('ReconnectSftpBackupStorage', { uuid })
  expect(await statusOf(uuid)).toBe('Connected')

  await gone(site, first)
  await gone(site, installed)
  await site.call('DeleteBackupStorage', { uuid })
  await clean(site)
})

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const CUT_AFTER_BYTES = 13 * MIB

/** A way to the controller that breaks once, after so many bytes; `broken` is called then, and what it gives can be awaited. */
async function frailWay(
  to: string,
  broken: () => Promise<void>,
): Promise<{ url: string; cut(): Promise<void> | undefined; close(): void }> {
  const { hostname, port } = new URL(to)
  let seen = 0
  let cut: Promise<void> | undefined
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    near.on('data', (bytes: Buffer) => {
      seen += bytes.length
      if (cut || seen <= CUT_AFTER_BYTES) return
      cut = broken()
      near.destroy()
    })
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut: () => cut, close: () => void server.close() }
}

it('a file becomes an image by the command line, while the link breaks, and controller and agent are killed', async () => {
  const file = join(sshd.dir, 'disk.img')
  const bytes = randomBytes(40 * MIB)
  await writeFile(file, bytes)
  const way = await frailWay(site.url, async () => {
    await Promise.all([site.kill('controller'), site.kill('agent-storage')])
    await Promise.all([site.start('controller'), site.start('agent-storage')])
  })
  try {
    const { uuid: session } = await site.client.login('admin', 'password')
    const env = { ...process.env, HOME: sshd.dir, SKERRY_URL: way.url, SKERRY_SESSION: session }
    const argv = [CLI, 'create', 'image', 'sent', '--file', file, '--format', 'raw', '--backup-storages', demo.backupStorage]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...argv, '-o', 'json'], { env })
    expect(stderr).toContain('100%, 40 MiB of 40 MiB')
    const image = JSON.parse(stdout) as Row
    expect(image).toMatchObject({
      status: 'Ready',
      size: bytes.length,
      md5Sum: createHash('md5').update(bytes).digest('hex'),
    })
    expect(way.cut()).toBeDefined()
    await way.cut()
    await site.call('DeleteImage', { uuid: image['uuid'] })
    await site.call('ExpungeImage', { imageUuid: image['uuid'] })
    await clean(site)
  } finally {
    way.close()
  }
})
