/** A DHCP client in a namespace: busybox's udhcpc, asked once. */
import { chmod, writeFile } from 'node:fs/promises'
import type { Exec, IpScope } from '../src/index.ts'

// prints what it was given; sets nothing
const SCRIPT =
  '#!/bin/sh\n[ "$1" = bound ] && echo "GOT ip=$ip mask=$mask router=$router dns=$dns mtu=$mtu routes=$staticroutes"\nexit 0\n'

export interface LeaseClientWorld {
  exec: Exec
  scope: IpScope
  netns: string
  dir: string
}

/** Returns a function that asks with a given MAC: the line of what it got, undefined if nobody offers. */
export function dhcpRequest(world: LeaseClientWorld): (mac: string) => Promise<string | undefined> {
  const script = `${world.dir}/udhcpc.sh`
  return async (mac) => {
    await writeFile(script, SCRIPT)
    await chmod(script, 0o755)
    await world.scope.links.set('eth0', { up: false, mac })
    await world.scope.links.set('eth0', { up: true })
    const options = ['mtu', 'staticroutes'].flatMap((option) => ['-O', option])
    const argv = ['udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-t', '3', '-T', '1', ...options, '-s', script]
    const { stdout } = await world.exec.run('busybox', argv, { timeoutMs: 15_000, netns: world.netns, okCodes: [0, 1] })
    return stdout.split('\n').find((line) => line.startsWith('GOT '))
  }
}

/** The address only. */
export function leaseClient(world: LeaseClientWorld): (dir: string, mac: string) => Promise<string | undefined> {
  const request = dhcpRequest(world)
  return async (_dir, mac) => (await request(mac))?.match(/ ip=(\S+)/)?.[1]
}
