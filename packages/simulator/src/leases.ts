/** Guests ask for their address as soon as they run; a dnsmasq on any simulated machine may know them, as on one wire. */
import { dirname } from 'node:path'
import type { FakeHost } from '@skerry/host'

interface Wired {
  host: FakeHost
  changed(folder: string, name: string): void
}

const CONF = '--conf-file='

function servers({ processTable }: FakeHost): string[] {
  return processTable.all().flatMap(({ cmdline }) => {
    const conf = cmdline[0] === 'dnsmasq' ? cmdline.find((arg) => arg.startsWith(CONF)) : undefined
    return conf ? [dirname(conf.slice(CONF.length))] : []
  })
}

/** The machine that gave the guest its address; undefined when nobody answers. */
export async function askForAddress<M extends Wired>(mac: string, machines: Iterable<M>): Promise<M | undefined> {
  for (const machine of machines)
    for (const folder of servers(machine.host)) {
      if ((await machine.host.requestLease(folder, mac)) === undefined) continue
      machine.changed(folder, 'leases')
      return machine
    }
  return undefined
}
