/** Removes all that this agent made on its host, whoever wants it, and nothing else. For `down --purge` only. */
import { routerNetns } from '@skerry/contract'
import { nftables } from '@skerry/host'
import { z } from 'zod'
import { balancerDir, balancersDir } from './balancers/spec.ts'
import { inventory } from './inventory.ts'
import { charonDir } from './ipsec/records.ts'
import { hostStatePath } from './routers/apply.ts'
import { bridgeTable } from './routers/flat.ts'
import type { RouterPorts } from './routers/observe.ts'
import { hostShape } from './routers/rules.ts'
import { routerDir, routersDir } from './routers/service.ts'

const hostState = z.object({ ipForward: z.string().regex(/^[01]$/) })

/**
 * The agent must have ended. Ours is what has a folder below `stateDir`: another agent's namespaces stay. Returns what was
 * removed; repeating it is fine.
 */
export async function purgeVrouter(ports: Pick<RouterPorts, 'host' | 'stateDir' | 'hostTable'>): Promise<string[]> {
  const { host, stateDir, hostTable } = ports
  const routers = new Set((await host.files.list(routersDir(stateDir))) ?? [])
  const items = (await inventory(ports)).filter(({ owner }) => owner !== null && routers.has(owner))
  const of = (...kinds: string[]) => items.filter(({ kind }) => kinds.includes(kind))
  for (const uuid of (await host.files.list(balancersDir(stateDir))) ?? []) await host.haproxy.stop(balancerDir(stateDir, uuid))
  for (const router of routers) {
    await host.dnsmasq.stop(routerDir(stateDir, router))
    await host.lighttpd.stop(routerDir(stateDir, router))
    await host.charon.stop(charonDir(stateDir, router))
  }
  for (const { facts } of of('dnsmasq')) {
    // one whose pid file is lost
    const left = await host.process.get(Number(facts['pid']))
    if (left?.cmdline.some((arg) => arg.startsWith(`--conf-file=${routersDir(stateDir)}/`)))
      await host.process.signal(left, 'SIGTERM')
  }
  for (const { id } of of('router-port', 'router-uplink', 'router-leg')) await host.ip.at().links.del(id)
  for (const { owner } of of('netns')) if (owner) await host.ip.netns.del(routerNetns(owner))
  for (const table of [hostShape(hostTable).table, bridgeTable(hostTable)]) await host.nft.at().apply(nftables.dropTable(table))
  await restoreForwarding(ports)
  await host.files.remove(balancersDir(stateDir))
  await host.files.remove(routersDir(stateDir))
  return of('netns', 'router-port', 'router-uplink', 'router-leg', 'dnsmasq', 'charon', 'router-folder').map(
    ({ kind, id }) => `${kind} ${id}`,
  )
}

/** Only if it was us who switched it on. */
async function restoreForwarding({ host, stateDir }: Pick<RouterPorts, 'host' | 'stateDir'>): Promise<void> {
  const text = await host.files.read(hostStatePath(stateDir))
  if (text === undefined) return
  const { ipForward } = hostState.parse(JSON.parse(text))
  await host.ip.at().sysctl.write('net/ipv4/ip_forward', ipForward)
  await host.files.remove(hostStatePath(stateDir))
}
