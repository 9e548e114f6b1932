/** A host with one bridge, and guests on it: all namespaces, with names of this run. What agent-kvm's guards do is real. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { kvmSecurity } from '@skerry/contract'
import { execInNetns, type Host, realExec, realHost } from '@skerry/host'
import { createReconciler, type DesiredEntry, type DesiredSource, type Reconciler } from '@skerry/reconcile'
import { securityModules } from '../src/security/modules.ts'

export const BRIDGE = 'skbr0000000001'
export const newUuid = () => randomBytes(16).toString('hex')

/** Sends back what it gets, on four ports and in both families. */
const ECHO =
  "let up = 0; for (const port of [22, 25, 80, 443]) require('net').createServer((s) => s.on('error', () => 0).pipe(s)).listen(port, '::', () => ++up === 4 && console.log('up'))"
/** Ends with 0 when a connection came about. */
const CALL =
  "const s = require('net').connect(+process.argv[2], process.argv[1], () => process.exit(0)); s.on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 1000)"

type Specs = {
  securityMembers: kvmSecurity.SecurityMembersSpec
  securityGroup: kvmSecurity.SecurityGroupSpec
  nicSecurity: kvmSecurity.NicSecuritySpec
}

export class Desired implements DesiredSource {
  readonly #entries = new Map<string, DesiredEntry & { noun: string }>()
  #seq = 1
  put<N extends keyof Specs>(noun: N, uuid: string, spec: Specs[N]): void {
    this.#set(noun, { uuid, tombstone: false, schema: 1, spec, facts: {} })
  }
  bury(noun: keyof Specs, uuid: string): void {
    this.#set(noun, { uuid, tombstone: true, schema: 1, spec: this.#entries.get(`${noun}/${uuid}`)?.spec, facts: {} })
  }
  *entries(noun: string): Iterable<DesiredEntry> {
    for (const entry of this.#entries.values()) if (entry.noun === noun) yield entry
  }
  #set(noun: string, entry: Omit<DesiredEntry, 'generation'>): void {
    this.#seq += 1
    this.#entries.set(`${noun}/${entry.uuid}`, { ...entry, noun, generation: { incarnation: 1, seq: this.#seq } })
  }
}

/** An agent's loop without timers: `pass()` is the only thing that moves. */
export function loopOf(host: Host, desired: Desired, faults: unknown[]): Reconciler {
  let nowMs = 0
  const loop = createReconciler({
    modules: securityModules({ host }),
    ledger: desired,
    clock: { now: () => 0 },
    timers: { set: () => undefined, clear: () => undefined, nowMs: () => (nowMs += 3_600_000) },
    bootId: 'b',
    onStatus: () => undefined,
    onFault: (error) => faults.push(error),
    intervalMs: 1e9,
  })
  loop.start()
  return loop
}

export interface Guest {
  uuid: string
  tap: string
  mac: string
  ip4: string
  ip6: string
  netns: string
}

export class GuardLab {
  readonly suffix = randomBytes(4).toString('hex')
  readonly hostNs = `skt-g-${this.suffix}-h`
  readonly real = realHost()
  readonly host: Host = realHost({ exec: execInNetns(realExec(), this.hostNs) })
  readonly faults: unknown[] = []
  readonly #namespaces: string[] = []
  readonly #children: ChildProcess[] = []

  async up(): Promise<void> {
    await this.#namespace(this.hostNs)
    await this.host.ip.at().links.add({ kind: 'bridge', name: BRIDGE })
    await this.host.ip.at().links.set(BRIDGE, { up: true })
    await this.host.exec.run('ip', ['link', 'set', BRIDGE, 'type', 'bridge', 'forward_delay', '0'], { timeoutMs: 5_000 })
    // what a stock host has: no bridge shows its frames by itself
    for (const key of ['net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables'])
      await this.host.ip
        .at()
        .sysctl.write(key, 0)
        .catch(() => undefined)
  }

  async down(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const netns of this.#namespaces.reverse()) await this.real.ip.netns.del(netns)
  }

  async guest(n: number): Promise<Guest> {
    const uuid = newUuid()
    const netns = `skt-g-${this.suffix}-${n}`
    const guest = {
      uuid,
      netns,
      tap: `sktp${uuid.slice(0, 11)}`,
      mac: `02:00:00:00:00:0${n}`,
      ip4: `10.5.0.${n}`,
      ip6: `fd05::${n}`,
    }
    await this.#namespace(netns)
    const inHost = this.real.ip.at(this.hostNs)
    await inHost.links.add({ kind: 'veth', name: guest.tap, peer: { name: 'eth0', netns, mac: guest.mac } })
    await inHost.links.set(guest.tap, { master: BRIDGE, up: true })
    await this.run(guest, 'ip', ['addr', 'add', `${guest.ip4}/24`, 'dev', 'eth0'])
    await this.run(guest, 'ip', ['addr', 'add', `${guest.ip6}/64`, 'dev', 'eth0', 'nodad'])
    await this.run(guest, 'ip', ['link', 'set', 'eth0', 'up'])
    const servers = this.inside(guest, [process.execPath, '-e', ECHO])
    await once(servers.stdout as NodeJS.ReadableStream, 'data')
    return guest
  }

  async run({ netns }: Guest, cmd: string, argv: readonly string[], okCodes: readonly number[] = [0]): Promise<string> {
    return (await this.real.exec.run(cmd, argv, { timeoutMs: 20_000, netns, okCodes })).stdout
  }

  /** Whether a new connection comes about. */
  async reaches(from: Guest, to: string, port: number): Promise<boolean> {
    const argv = ['-e', CALL, to, String(port)]
    const { code } = await this.real.exec.run(process.execPath, argv, { timeoutMs: 20_000, netns: from.netns, okCodes: [0, 1] })
    return code === 0
  }

  async pings(from: Guest, to: string, more: readonly string[] = []): Promise<boolean> {
    const argv = ['ping', '-c', '1', '-W', '1', ...more, to]
    return (await this.run(from, 'busybox', argv, [0, 1])).includes(' 0% packet loss')
  }

  inside({ netns }: Guest, argv: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', netns, ...argv], { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#children.push(child)
    return child
  }

  async #namespace(name: string): Promise<void> {
    await this.real.ip.netns.add(name)
    this.#namespaces.push(name)
    await this.real.ip.at(name).links.set('lo', { up: true })
  }
}
