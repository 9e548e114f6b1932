/** What a network's router does for its guests, seen from the host. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import { realHost } from '@skerry/host'
import type { TestSite } from './site.ts'

const { exec } = realHost()

export async function dnsmasqPid(l3Uuid: string): Promise<number> {
  const { stdout } = await exec.run('ip', ['netns', 'pids', routerNetns(l3Uuid)], { timeoutMs: 5_000 })
  const pids = stdout.trim().split('\n').map(Number)
  for (const pid of pids) if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'dnsmasq') return pid
  throw new Error(`no dnsmasq among ${pids.join(', ')}`)
}

/** Epoch seconds at which the lease of an address ends: it moves when the guest renews. */
export async function leaseEnd(site: TestSite, l3Uuid: string, ip: string): Promise<number> {
  const text = await readFile(join(site.dir, 'agent-vrouter/routers', l3Uuid, 'leases'), 'utf8')
  const line = text.split('\n').find((l) => l.split(' ')[2] === ip)
  if (!line) throw new Error(`no lease of ${ip} in\n${text}`)
  return Number(line.split(' ')[0])
}

/** Addresses that the router's name server gives for a name. */
export async function resolved(l3Uuid: string, server: string, name: string): Promise<string[]> {
  const script = `const { Resolver } = require('node:dns').promises
const r = new Resolver({ timeout: 2000, tries: 2 }); r.setServers(['${server}'])
r.resolve4('${name}').then((a) => console.log(JSON.stringify(a)))`
  const { stdout } = await exec.run(process.execPath, ['-e', script], { timeoutMs: 15_000, netns: routerNetns(l3Uuid) })
  return JSON.parse(stdout) as string[]
}
