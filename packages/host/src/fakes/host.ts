/**
 * A machine in memory that implements the same ports as the real one and passes the same suites: for agents' tests and the
 * simulator. Fake programs are as small as their suites allow; what a fake can't answer, it refuses.
 */
import { createHash } from 'node:crypto'
import { bridges } from '../bridge.ts'
import { dnsmasq } from '../dnsmasq.ts'
import type { Facts, MachineFacts } from '../facts.ts'
import type { Haproxy } from '../haproxy.ts'
import type { Host } from '../index.ts'
import { lighttpd } from '../lighttpd.ts'
import { fakeBridgeFilter } from './bridge-filter.ts'
import { FakeCharons } from './charon.ts'
import { type FakeFlows, fakeConntrack } from './conntrack.ts'
import { fakeFatImages } from './fat-image.ts'
import { FakeDisk, fakeFiles } from './files.ts'
import { type Gate, gate } from './gate.ts'
import { type FakeBalancers, fakeHaproxy } from './haproxy.ts'
import { FakeNetwork, fakeIp } from './ip.ts'
import { fakeRouting } from './ip-rule.ts'
import { FakeLeases } from './leases.ts'
import { startLighttpd } from './lighttpd.ts'
import { FakeRuleset, fakeNftScope } from './nft.ts'
import { FakeProcessTable, type FakeProgram, fakeExec, fakeProcesses } from './processes.ts'
import { fakeQemuImg } from './qemu-img.ts'
import { type FakeServers, fakeTcp } from './tcp.ts'

export interface FakeHostConfig {
  /** Epoch ms for file times and leases; default: a fixed instant. */
  nowMs?: () => number
  /** Read at each look: what is changed in it later is seen. */
  machine?: Partial<MachineFacts>
  /** NICs and their addresses; default `eth0` with 192.0.2.10/24 and a free `eth1`. */
  nics?: readonly { name: string; cidr?: string }[]
}

export interface FakeHost extends Host {
  readonly faults: Pick<Gate, 'failNext'> & Pick<Gate, 'before'>
  readonly disk: FakeDisk
  readonly network: FakeNetwork
  readonly processTable: FakeProcessTable
  /** Who listens on which address, seen from which namespace. */
  readonly servers: FakeServers
  /** Peers of IPsec, and what they do. */
  readonly charons: FakeCharons
  /** Connections, by namespace; '' is the host's own. */
  readonly flows: FakeFlows
  /** What each haproxy knows, by its folder. */
  readonly balancers: FakeBalancers
  /** Rules of a namespace, to count transactions. */
  ruleset(netns?: string): FakeRuleset
  /** A guest asks for its address; the lease appears. Undefined: no running dnsmasq of that folder knows the MAC. */
  requestLease(dir: string, mac: string): Promise<string | undefined>
  /** Power cut and boot: files stay; processes, namespaces, links and rules are gone; the boot id is new. */
  reboot(): void
}

/** Rules go with their namespace. */
function rulesetsOf(network: FakeNetwork): (netns?: string) => FakeRuleset {
  const rules = new WeakMap<object, FakeRuleset>()
  return (netns = '') => {
    const namespace = network.in(netns)
    const known = rules.get(namespace) ?? new FakeRuleset()
    rules.set(namespace, known)
    return known
  }
}

export function fakeHost(config: FakeHostConfig = {}): FakeHost {
  const nowMs = config.nowMs ?? (() => 1_700_000_000_000)
  const gates = gate()
  const disk = new FakeDisk(nowMs)
  for (const folder of ['/tmp', '/var/lib', '/run', '/etc']) disk.makeDir(folder, 0o755)
  const network = new FakeNetwork()
  const processTable = new FakeProcessTable()
  const servers: FakeServers = new Map()
  const [flows, balancers]: [FakeFlows, FakeBalancers] = [new Map(), new Map()]
  const charons = new FakeCharons({ disk, processTable, hasNetns: (name) => network.namespaces.has(name) })
  const plugIn = () => plugNics(network, config.nics)
  plugIn()
  let boot = 1
  const ruleset = rulesetsOf(network)
  const facts = fakeFacts(config.machine ?? {}, () => boot)
  const files = gates.wrap('files', fakeFiles(disk))
  const processes = gates.wrap('process', fakeProcesses(processTable))
  const machine: Machine = { disk, network, processTable }
  const exec = gates.wrap('exec', fakeExec(processTable, programsOf(machine)))
  const ip = fakeIp(network, gates)
  const tool = dnsmasq({ exec, files, processes })
  const leases = new FakeLeases({ disk, nowMs, running: tool.running })
  return {
    ip,
    routing: fakeRouting(network, gates),
    conntrack: { at: (netns) => gates.wrap('conntrack', fakeConntrack(flows).at(netns)) },
    bridge: gates.wrap('bridge', bridges(ip)),
    bridgeFilter: gates.wrap('bridgeFilter', fakeBridgeFilter(network)),
    nft: gatedNft(gates, ruleset),
    dnsmasq: gates.wrap('dnsmasq', tool),
    haproxy: gatedHaproxy(gates, fakeHaproxy(machine, balancers)),
    lighttpd: gates.wrap('lighttpd', lighttpd({ exec, files, processes })),
    charon: gatedCharon(gates, charons),
    qemuImg: gates.wrap('qemuImg', fakeQemuImg(disk)),
    fatImages: gates.wrap('fatImages', fakeFatImages(disk)),
    ...{ files, process: processes },
    facts: gates.wrap('facts', facts),
    tcp: gates.wrap('tcp', fakeTcp(servers)),
    exec,
    faults: gates,
    ...machine,
    servers,
    charons,
    flows,
    balancers,
    ruleset,
    requestLease: (dir, mac) => leases.ask(dir, mac),
    reboot() {
      boot += 1
      processTable.killAll()
      network.reset()
      flows.clear()
      balancers.clear()
      plugIn()
    },
  }
}

const gatedHaproxy = (gates: Gate, tool: Haproxy): Haproxy => ({
  ...gates.wrap('haproxy', tool),
  at: (dir) => gates.wrap('haproxy.runtime', tool.at(dir)),
})

const gatedNft = (gates: Gate, ruleset: (netns?: string) => FakeRuleset): Host['nft'] => ({
  at: (netns) =>
    gates.wrap(
      'nft',
      fakeNftScope(() => ruleset(netns)),
    ),
})

function gatedCharon(gates: Gate, charons: FakeCharons): Host['charon'] {
  const port = charons.port()
  return { ...gates.wrap('charon', port), at: (dir) => gates.wrap('charon', port.at(dir)) }
}

interface Machine {
  disk: FakeDisk
  network: FakeNetwork
  processTable: FakeProcessTable
}

const programsOf = (machine: Machine): Record<string, FakeProgram> => ({
  dnsmasq: (argv, opts) => startDnsmasq(machine, argv, opts.netns),
  lighttpd: (argv, opts) => startLighttpd(machine, argv, opts.netns),
})

function plugNics(network: FakeNetwork, nics: FakeHostConfig['nics']): void {
  for (const nic of nics ?? [{ name: 'eth0', cidr: '192.0.2.10/24' }, { name: 'eth1' }]) network.addNic(nic.name, nic.cidr)
}

/** What the real program does at start, as far as anyone can see: needs its file and interface, writes its pid. */
async function startDnsmasq(machine: Machine, argv: readonly string[], netns = ''): Promise<{ code?: number; stderr?: string }> {
  const conf = argv[0]?.replace('--conf-file=', '') ?? ''
  const text = machine.disk.files.get(conf)
  if (!text) return { code: 3, stderr: `dnsmasq: cannot read ${conf}: No such file or directory` }
  const value = (key: string) => new TextDecoder().decode(text.data).match(new RegExp(`^${key}=(.*)$`, 'm'))?.[1] ?? ''
  const ns = machine.network.in(netns)
  const listens = ns.addresses.some((address) => address.cidr.startsWith(`${value('listen-address')}/`))
  if (!ns.links.some((link) => link.name === value('interface')) || !listens)
    return { code: 2, stderr: 'dnsmasq: failed to create listening socket: Cannot assign requested address' }
  const { pid } = machine.processTable.start(['dnsmasq', ...argv])
  machine.disk.put(value('pid-file'), new TextEncoder().encode(`${pid}\n`))
  return {}
}

function fakeFacts(overrides: Partial<MachineFacts>, boot: () => number): Facts {
  const hex = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)
  const hostname = overrides.hostname ?? 'fake'
  const bootId = () => hex(`${hostname} boot ${boot()}`)
  const memoryBytes = () => overrides.memoryBytes ?? 16 * 1024 ** 3
  return {
    bootId: async () => bootId(),
    machine: async () => ({
      hostname,
      cpuModel: 'Fake processor',
      cpuCount: 8,
      cpuSockets: 1,
      memoryBytes: memoryBytes(),
      osName: 'Debian GNU/Linux',
      osVersion: '12',
      kernel: '6.1.0',
      architecture: 'x86_64',
      machineUuid: hex(hostname),
      ...overrides,
      bootId: bootId(),
    }),
    cpu: async () => ({ busy: 1000, total: 10_000 }),
    memory: async () => ({ totalBytes: memoryBytes(), availableBytes: memoryBytes() / 2 }),
    load: async () => [0.5, 0.4, 0.3],
    nics: async () => [],
  }
}
