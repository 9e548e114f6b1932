/** A real guest reads what its VM's tags say to it, from a disk that a real qemu gives it, and shows it on its console. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { READY_LINE, SEED_LINE } from '@skerry/deploy'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Demo, makeDemo, removeDemo } from '../harness/demo.ts'
import { startSite, type TestSite, until } from '../harness/site.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM5YmU3 me@home'
const USER_DATA = '#cloud-config\nwrite_files: [canary-9d2e ☂]\n'
const BOOT_MS = 180_000

let site: TestSite
let demo: Demo
beforeAll(async () => {
  site = await startSite()
  demo = await makeDemo(site, { services: [] })
}, BOOT_MS)
afterAll(async () => {
  try {
    if (demo) await removeDemo(site, demo)
  } finally {
    await site?.stop()
  }
}, BOOT_MS)

const folderOf = (vm: string) => join(site.dir, 'agent-kvm/vms', vm)
const consoleOf = (vm: string) => readFile(join(folderOf(vm), 'console.log'), 'latin1')

it(
  'its name, key, network and user data; and the disk is its own and goes with it',
  async () => {
    const systemTags = ['hostname::shop-7', `sshkey::${KEY}`, `userdata::${Buffer.from(USER_DATA).toString('base64')}`]
    const vm = await site.call('CreateVmInstance', { name: 'seeded', ...demo.vmParams, systemTags })
    const uuid = vm['uuid'] as string
    const [nic] = vm['vmNics'] as { ip: string; mac: string }[]
    const shown = await until('the boot of the guest', BOOT_MS, async () => {
      const text = await consoleOf(uuid)
      return text.includes(READY_LINE) && text
    })
    const told = String(shown).replaceAll('\r', '')
    const id = uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    for (const line of [`instance-id: ${id}`, 'local-hostname: shop-7', `  - ${KEY}`])
      expect(told).toContain(`${SEED_LINE} meta-data ${line}\n`)
    for (const line of [`      macaddress: ${nic!.mac}`, `      - ${nic!.ip}/24`])
      expect(told).toContain(`${SEED_LINE} network-config ${line}\n`)
    expect(told).toContain(`${SEED_LINE} user-data ${createHash('sha256').update(USER_DATA).digest('hex')}\n`)
    expect(told).toContain(`${READY_LINE} shop-7\n`)

    const [seed] = (await readdir(folderOf(uuid))).filter((name) => name.startsWith('seed-'))
    expect((await stat(join(folderOf(uuid), seed!))).mode & 0o777).toBe(0o600)
    await site.call('DestroyVmInstance', { uuid })
    await site.call('ExpungeVmInstance', { uuid })
    await until('the end of its folder', BOOT_MS, async () => !(await readdir(join(site.dir, 'agent-kvm/vms'))).includes(uuid))
    for (const name of ['agent-kvm', 'controller']) {
      const log = await readFile(join(site.dir, `${name}.log`), 'utf8')
      expect(log).not.toContain('canary-9d2e')
      expect(log).not.toContain(Buffer.from(USER_DATA).toString('base64'))
    }
  },
  2 * BOOT_MS,
)
