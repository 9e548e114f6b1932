/** The host under a test site, cut from its power and booted again: all that a boot takes is gone, all that a disk keeps is there. */
import { randomUUID } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { realHost } from '@skerry/host'
import { startLibvirtd } from '@skerry/libvirt'
import { type Program, type TestSite, until } from './site.ts'

const { exec } = realHost()
const BOOT_ID = '/proc/sys/kernel/random/boot_id'
const OURS = /^sk(br|tp|rp|up)[0-9a-f]{11}$/
const PROGRAMS: readonly Program[] = ['controller', 'agent-kvm', 'agent-storage', 'agent-vrouter']

const run = (cmd: string, ...argv: string[]) => exec.run(cmd, argv, { timeoutMs: 20_000 })

/** Kills every process of the site and takes away what only lives in the kernel or below /run. NATS goes too. */
export async function powerCut(site: TestSite): Promise<void> {
  const guests = Object.values(await site.libvirtd.qemuPids())
  for (const program of PROGRAMS) await site.kill(program)
  await site.nats.kill()
  await Promise.all(guests.map(killed))
  await site.libvirtd.kill()
  await site.libvirtd.stop()
  for (const netns of await namespaces()) {
    const { stdout } = await run('ip', 'netns', 'pids', netns)
    await Promise.all(stdout.split('\n').filter(Boolean).map(Number).map(killed))
    await run('ip', 'netns', 'del', netns)
  }
  for (const name of await links()) await exec.run('ip', ['link', 'del', name], { timeoutMs: 20_000, okCodes: [0, 1] }) // or with its peer
  for (const { family, name } of await tables()) await run('nft', 'delete', 'table', family, name)
  await writeFile('/proc/sys/net/ipv4/ip_forward', '0')
  const runtime = join(site.dir, 'libvirt/run')
  for (const entry of await readdir(runtime)) await rm(join(runtime, entry), { recursive: true, force: true })
  await newBootId(site.dir)
}

/** libvirtd, as the machine's own init starts it. */
export async function startHypervisor(site: TestSite): Promise<void> {
  site.libvirtd = await startLibvirtd({ dir: join(site.dir, 'libvirt') })
}

/** What carries our mark in the kernel: routers, links, tables. */
export async function marked(): Promise<string[]> {
  const rules = (await tables()).map(({ family, name }) => `${family} ${name}`)
  return [...(await namespaces()), ...(await links()), ...rules]
}

async function killed(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // ended by itself meanwhile
  }
  await until(`the end of process ${pid}`, 20_000, async () => (await realHost().process.list()).every((p) => p.pid !== pid))
}

async function namespaces(): Promise<string[]> {
  return (await realHost().ip.netns.list()).filter((name) => name.startsWith('skerry-'))
}

async function links(): Promise<string[]> {
  return (await realHost().ip.at().links.list()).map((link) => link.name).filter((name) => OURS.test(name))
}

async function tables(): Promise<{ family: string; name: string }[]> {
  return (await realHost().nft.at().tables()).filter(({ name }) => name.startsWith('skerry'))
}

/** In this mount namespace only; `oldBootId` takes it back. */
async function newBootId(dir: string): Promise<void> {
  const file = join(dir, `boot-id-${randomUUID()}`)
  await writeFile(file, `${randomUUID()}\n`)
  await run('mount', '--bind', file, BOOT_ID)
}

export async function oldBootId(): Promise<void> {
  const mounted = async () => (await run('findmnt', '--noheadings', '--output', 'TARGET', '--list')).stdout.split('\n')
  while ((await mounted()).includes(BOOT_ID)) await run('umount', BOOT_ID)
}
