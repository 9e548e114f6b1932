/** Bridges and taps that agent-kvm of this site made: named by its ledger, so another site's stay. */
import { type LedgerFiles, openLedger } from '@skerry/agent'
import { bridgeName, kvmDesired, routerNetns, tapName } from '@skerry/contract'
import type { Files, Host } from '@skerry/host'
import type { Layout } from '../layout.ts'

async function entriesOf(files: LedgerFiles & Files, stateDir: string, noun: string) {
  if ((await files.stat(`${stateDir}/ledger`)) === undefined) return []
  const ledger = await openLedger({ dir: `${stateDir}/ledger`, files, clock: { now: () => Date.now() } })
  return [...ledger.entries(noun)]
}

/** Returns what was removed. */
export async function removeLinks(host: Host, layout: Layout): Promise<string[]> {
  const stateDir = layout.agent('kvm')
  const bridges = (await entriesOf(host.files, stateDir, 'bridge')).map(({ uuid }) => bridgeName(uuid))
  const vms = (await entriesOf(host.files, stateDir, 'vm')).map(({ spec }) => kvmDesired.vm.spec.safeParse(spec))
  const taps = vms.flatMap((vm) => (vm.success ? vm.data.nics.map(({ nicUuid }) => tapName(nicUuid)) : []))
  const links = host.ip.at().links
  const removed: string[] = []
  for (const name of [...taps, ...bridges]) {
    if ((await links.get(name)) === undefined) continue
    await links.del(name)
    removed.push(name)
  }
  return removed
}

/** Ends what runs in the namespaces of this site's routers (dnsmasq, lighttpd): agent-vrouter starts it again when it is back. */
export async function endRouterDaemons(host: Host, layout: Layout): Promise<number> {
  const routers = await entriesOf(host.files, layout.agent('vrouter'), 'router')
  const there = new Set(await host.ip.netns.list())
  let ended = 0
  for (const netns of routers.map(({ uuid }) => routerNetns(uuid))) {
    if (!there.has(netns)) continue
    for (const pid of await host.ip.netns.pids(netns)) {
      const who = await host.process.get(pid)
      if (who === undefined || !(await host.process.signal(who, 'SIGTERM'))) continue
      ended += 1
      if (!(await host.process.waitGone(who, 3_000))) await host.process.signal(who, 'SIGKILL')
    }
  }
  return ended
}
