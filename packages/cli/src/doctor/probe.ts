/** Looks at this machine for `skerry doctor`. Reads only. */
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { type Exec, files, processes, realExec } from '@skerry/host'
import { z } from 'zod'
import { agentsOf } from './agents.ts'
import type { Doctor } from './facts.ts'

const TIMEOUT_MS = 5_000

/** stdout, or undefined where the program is missing or refuses: then the fact is unknown, which is an answer here. */
async function say(exec: Exec, cmd: string, argv: readonly string[]): Promise<string | undefined> {
  return exec.run(cmd, argv, { timeoutMs: TIMEOUT_MS }).then(
    ({ stdout, stderr }) => stdout || stderr,
    () => undefined,
  )
}

async function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/** A half-emulated /dev/kvm opens and then fails: QEMU is asked to set up one CPU, and leaves before the guest would run. */
const oneCpu = ['-accel', 'kvm', '-machine', 'q35', '-cpu', 'host', '-nodefaults', '-display', 'none', '-S', '-monitor', 'stdio']

async function kvmWorks(exec: Exec): Promise<boolean | undefined> {
  if ((await say(exec, 'qemu-system-x86_64', ['--version'])) === undefined) return undefined
  return exec.run('qemu-system-x86_64', oneCpu, { timeoutMs: TIMEOUT_MS, input: 'quit\n' }).then(
    () => true,
    () => false,
  )
}

async function kvm(exec: Exec): Promise<Doctor['kvm']> {
  const cpu = await readFile('/proc/cpuinfo', 'utf8')
  const usable = await may('/dev/kvm', constants.R_OK | constants.W_OK)
  return {
    present: await may('/dev/kvm', constants.F_OK),
    usable,
    works: usable ? await kvmWorks(exec) : undefined,
    cpuFlags: /\b(vmx|svm)\b/.test(cpu),
  }
}

async function clock(exec: Exec): Promise<Doctor['clock']> {
  const said =
    (await say(exec, 'timedatectl', ['show', '-p', 'NTPSynchronized', '--value'])) ??
    (await say(exec, 'chronyc', ['-c', 'tracking']))
  if (said === undefined) return { synchronised: undefined }
  return { synchronised: said.trim() === 'yes' || /,Normal\s*$/.test(said) }
}

const routes = z.array(z.object({ dev: z.string() }))
const links = z.array(z.object({ mtu: z.number() }))

async function uplink(exec: Exec): Promise<Doctor['uplink']> {
  const said = await say(exec, 'ip', ['-j', 'route', 'show', 'default'])
  const [route] = said ? routes.parse(JSON.parse(said)) : []
  if (route === undefined) return undefined
  const [link] = links.parse(JSON.parse((await say(exec, 'ip', ['-j', 'link', 'show', route.dev])) ?? '[]'))
  return link ? { name: route.dev, mtu: link.mtu } : undefined
}

const chains = z.object({
  nftables: z.array(z.object({ chain: z.object({ hook: z.string().optional(), policy: z.string().optional() }).optional() })),
})

/** `drop` if any chain on the forward hook drops by default. */
async function forwardPolicy(exec: Exec): Promise<Doctor['forwardPolicy']> {
  const said = await say(exec, 'nft', ['-j', 'list', 'chains'])
  if (said === undefined) return undefined
  const found = chains.parse(JSON.parse(said)).nftables.flatMap(({ chain }) => (chain?.hook === 'forward' ? [chain.policy] : []))
  return found.length === 0 ? undefined : found.includes('drop') ? 'drop' : 'accept'
}

const programs: Record<string, [string, string[]]> = {
  qemu: ['qemu-system-x86_64', ['--version']],
  libvirtd: ['libvirtd', ['--version']],
  dnsmasq: ['dnsmasq', ['--version']],
  lighttpd: ['lighttpd', ['-v']],
  nft: ['nft', ['--version']],
  'nats-server': ['nats-server', ['--version']],
}

/** `folders`: whose free space matters. `stateDir`: below which agents keep their state. */
export async function probe(folders: readonly string[], stateDir: string): Promise<Doctor> {
  const exec = realExec()
  const versions = Object.fromEntries(
    await Promise.all(Object.entries(programs).map(async ([name, [cmd, argv]]) => [name, await say(exec, cmd, argv)] as const)),
  )
  const disks = await Promise.all(folders.map(async (path) => ({ path, ...(await files().capacity(path)) })))
  const ipForward = (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() === '1'
  return {
    kvm: await kvm(exec),
    clock: await clock(exec),
    disks,
    uplink: await uplink(exec),
    forwardPolicy: await forwardPolicy(exec),
    ipForward,
    agents: await agentsOf(files(), processes(), stateDir),
    versions,
    node: process.version,
  }
}
