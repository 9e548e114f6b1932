/**
 * A small site of namespaces: a host with a bridge, guests on it, and a server outside. The host is a namespace too, so its
 * forwarding and tables are not this machine's. All names are of this run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import { execInNetns, type Host, realExec, realHost } from '@skerry/host'
import { type AnyModule, createReconciler, type Reconciler } from '@skerry/reconcile'
import { balancerDir, balancersDir } from '../src/balancers/spec.ts'
import { vrouterModules } from '../src/build.ts'
import { charonDir } from '../src/ipsec/records.ts'
import { routerDir } from '../src/routers/service.ts'
import { keysOfTests } from './keys.ts'
import type { Desired } from './world.ts'

/** Prints what it was given, and configures the guest with it. */
const CLIENT = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip -4 addr flush dev $interface
ip addr add $ip/$mask dev $interface
[ -n "$router" ] && ip route replace default via $router
set -- $staticroutes
while [ -n "$2" ]; do ip route replace $1 via $2; shift 2; done
echo "GOT ip=$ip router=$router dns=$dns domain=$domain host=$hostname lease=$lease"
`
const OUTSIDE_HOST_IP = '203.0.113.1'
export const OUTSIDE_IP = '203.0.113.9'

export interface Guest {
  netns: string
  /** The line of what it was offered; undefined: nothing. */
  dhcp(mac: string): Promise<string | undefined>
  run(cmd: string, argv: readonly string[], okCodes?: readonly number[]): Promise<string>
}

/** Namespaces are made from outside: a mount made inside `ip netns exec` is seen by nobody else. */
function hostInside(netns: string, elsewhere: ReadonlySet<string>): Host {
  const outer = realHost()
  const own = { ...outer.ip.netns, list: async () => (await outer.ip.netns.list()).filter((name) => !elsewhere.has(name)) }
  const inner = realHost({ exec: execInNetns(realExec(), netns) })
  return { ...inner, ip: { netns: own, at: (name) => (name === undefined ? inner.ip.at() : outer.ip.at(name)) } }
}

export class Lab {
  readonly suffix = randomBytes(4).toString('hex')
  readonly hostNs = `skt-h-${this.suffix}`
  readonly outsideNs = `skt-o-${this.suffix}`
  readonly real = realHost()
  /** Namespaces of routers on other hosts: on a machine of its own it would not see them. */
  readonly elsewhere = new Set<string>()
  readonly host: Host = hostInside(this.hostNs, this.elsewhere)
  readonly faults: unknown[] = []
  /** With their keys, as the controller tells them. */
  readonly certificates = new Map<string, string>()
  readonly #guests: string[] = []
  readonly #children: ChildProcess[] = []
  readonly ipsec = keysOfTests(() => ({ host: this.host, stateDir: this.stateDir }))
  root = ''
  stateDir = ''

  async up(): Promise<void> {
    this.root = await mkdtemp(join(tmpdir(), 'skerry-vrouter-'))
    await chmod(this.root, 0o755)
    this.stateDir = join(this.root, 'state')
    await this.host.files.makeDir(this.stateDir, 0o711)
    await writeFile(join(this.root, 'client.sh'), CLIENT, { mode: 0o755 })
    for (const ns of [this.hostNs, this.outsideNs]) {
      await this.real.ip.netns.add(ns)
      await this.real.ip.at(ns).links.set('lo', { up: true })
    }
    await this.real.ip.at(this.hostNs).links.add({ kind: 'veth', name: 'wan0', peer: { name: 'eth0', netns: this.outsideNs } })
    await this.real.ip.at(this.hostNs).addresses.add('wan0', `${OUTSIDE_HOST_IP}/24`)
    await this.real.ip.at(this.outsideNs).addresses.add('eth0', `${OUTSIDE_IP}/24`)
    await this.real.ip.at(this.hostNs).links.set('wan0', { up: true })
    await this.real.ip.at(this.outsideNs).links.set('eth0', { up: true })
    await this.real.ip.at(this.hostNs).sysctl.write('net/ipv4/ip_forward', 0)
  }

  async down(routers: readonly string[]): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    this.ipsec.keeper.stop()
    for (const uuid of (await this.host.files.list(balancersDir(this.stateDir))) ?? [])
      await this.host.haproxy.stop(balancerDir(this.stateDir, uuid))
    for (const router of routers) {
      await this.host.dnsmasq.stop(routerDir(this.stateDir, router))
      await this.host.lighttpd.stop(routerDir(this.stateDir, router))
      await this.host.charon.stop(charonDir(this.stateDir, router))
      await this.real.ip.netns.del(routerNetns(router))
    }
    for (const ns of [...this.#guests, this.outsideNs, this.hostNs]) await this.real.ip.netns.del(ns)
    await rm(this.root, { recursive: true, force: true })
  }

  /** As agent-kvm would. */
  async bridge(name: string): Promise<void> {
    await this.host.ip.at().links.add({ kind: 'bridge', name })
    await this.host.ip.at().links.set(name, { up: true })
  }

  /** `tap`: name of its port on the bridge, where that matters. */
  async guest(name: string, bridge: string, tap?: string): Promise<Guest> {
    const netns = `skt-g-${this.suffix}-${name}`
    await this.real.ip.netns.add(netns)
    this.#guests.push(netns)
    const port = tap ?? `tg${this.suffix}${name}`
    await this.real.ip.at(this.hostNs).links.add({ kind: 'veth', name: port, peer: { name: 'eth0', netns } })
    await this.real.ip.at(this.hostNs).links.set(port, { master: bridge, up: true })
    const { links } = this.real.ip.at(netns)
    await links.set('lo', { up: true })
    const run = async (cmd: string, argv: readonly string[], okCodes: readonly number[] = [0]) =>
      (await this.real.exec.run(cmd, argv, { timeoutMs: 20_000, netns, okCodes })).stdout
    return {
      netns,
      run,
      dhcp: async (mac) => {
        await links.set('eth0', { up: false, mac })
        await links.set('eth0', { up: true })
        const argv = [
          'udhcpc',
          '-i',
          'eth0',
          '-f',
          '-n',
          '-q',
          '-t',
          '3',
          '-T',
          '1',
          '-O',
          'domain',
          '-O',
          'hostname',
          '-O',
          'staticroutes',
          '-s',
          join(this.root, 'client.sh'),
        ]
        return (await run('busybox', argv, [0, 1])).split('\n').find((line) => line.startsWith('GOT '))
      },
    }
  }

  /** A server outside, on port 8080, that tells each caller who it is. */
  async outsideServer(): Promise<void> {
    const program =
      "require('net').createServer((s) => s.end(s.remoteAddress + '\\n')).listen(8080, '0.0.0.0', () => console.log('up'))"
    const server = this.inside(this.outsideNs, [process.execPath, '-e', program])
    await once(server.stdout as NodeJS.ReadableStream, 'data')
  }

  /** A program of a test in a namespace, with its output as it comes. */
  inside(netns: string, argv: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', netns, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#children.push(child)
    return child
  }

  modules(): [AnyModule, AnyModule, AnyModule] {
    return vrouterModules({
      ...{ host: this.host, stateDir: this.stateDir, hostTable: 'skerry_vrouter', ipsec: this.ipsec },
      certificate: async (uuid) => this.certificates.get(uuid) ?? '',
    }) as [AnyModule, AnyModule, AnyModule]
  }

  /** An agent's loop without timers: `pass()` is the only thing that moves. A second one is the agent after a restart. */
  loop(desired: Desired): Reconciler {
    let nowMs = 0
    const loop = createReconciler({
      modules: this.modules(),
      ledger: desired,
      clock: { now: () => Date.now() },
      // each look at the clock is an hour later, so that nothing waits for another try
      timers: { set: () => undefined, clear: () => undefined, nowMs: () => (nowMs += 3_600_000) },
      bootId: 'b',
      onStatus: () => undefined,
      onFault: (error) => this.faults.push(error),
      intervalMs: 1e9,
    })
    loop.start()
    return loop
  }
}
