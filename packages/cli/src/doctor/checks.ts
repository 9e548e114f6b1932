/** What is wrong with a machine, and what helps. Pure: facts in, findings out. */
import { humanBytes } from '../output.ts'
import type { AgentFacts, Doctor } from './facts.ts'

export interface Finding {
  check: string
  /** `fail`: Skerry will not work. `warn`: it will, with a limit. */
  verdict: 'ok' | 'warn' | 'fail'
  found: string
  remedy: string
}

const GIB = 2 ** 30
const finding = (check: string, verdict: Finding['verdict'], found: string, remedy = ''): Finding => ({
  check,
  verdict,
  found,
  remedy: verdict === 'ok' ? '' : remedy,
})

function kvm({ kvm: { present, usable, works, cpuFlags } }: Doctor): Finding {
  if (usable && works === false) {
    return finding(
      'kvm',
      'warn',
      '/dev/kvm opens, but QEMU cannot run a CPU on it',
      'give this machine full nested virtualisation; until then guests are emulated (slow)',
    )
  }
  if (usable) return finding('kvm', 'ok', '/dev/kvm can be opened')
  if (present)
    return finding(
      'kvm',
      'warn',
      '/dev/kvm is there, but this user may not open it',
      'add the user to the group kvm: usermod -aG kvm <user>; until then guests are emulated (slow)',
    )
  const why = cpuFlags ? 'the CPU can, but /dev/kvm is missing' : 'the CPU offers no vmx or svm'
  return finding(
    'kvm',
    'warn',
    why,
    `${cpuFlags ? 'load the module: modprobe kvm_intel or kvm_amd' : 'switch virtualisation on in the firmware, or nested virtualisation on the outer host'}; until then guests are emulated (slow)`,
  )
}

function clock({ clock: { synchronised } }: Doctor): Finding {
  if (synchronised === true) return finding('clock', 'ok', 'synchronised')
  const found = synchronised === false ? 'not synchronised' : 'unknown: no time service answers'
  return finding('clock', 'warn', found, 'install and start a time service: apt-get install chrony')
}

function disk({ path, totalBytes, availableBytes }: Doctor['disks'][number]): Finding {
  const found = `${path}: ${humanBytes(availableBytes)} of ${humanBytes(totalBytes)} free`
  if (availableBytes < GIB) return finding('disk', 'fail', found, 'free space there, or set SKERRY_STATE_DIR to a larger disk')
  return finding(
    'disk',
    availableBytes < 10 * GIB ? 'warn' : 'ok',
    found,
    'images and volumes need room: 10 GiB or more is better',
  )
}

function mtu({ uplink }: Doctor): Finding {
  if (uplink === undefined)
    return finding(
      'mtu',
      'warn',
      'there is no default route',
      'guests will not reach outside: ip route add default via <gateway>',
    )
  const found = `${uplink.name}: ${uplink.mtu}`
  return finding(
    'mtu',
    uplink.mtu < 1500 ? 'warn' : 'ok',
    found,
    `guests assume 1500: raise it (ip link set ${uplink.name} mtu 1500) or expect large packets to be lost`,
  )
}

function forward({ forwardPolicy, ipForward }: Doctor): Finding {
  if (forwardPolicy === 'drop')
    return finding(
      'forward',
      'warn',
      'the FORWARD chain drops by default (Docker or ufw did that)',
      'let bridged guests through: iptables -I DOCKER-USER -i sk+ -j ACCEPT, or ufw default allow routed',
    )
  if (ipForward === false)
    return finding('forward', 'ok', 'no FORWARD policy drops; the router switches forwarding on in its own namespace')
  return finding('forward', 'ok', forwardPolicy === undefined ? 'no FORWARD policy' : 'FORWARD accepts')
}

/** Least versions that are known to work; older ones were not tried. */
const wanted: Record<string, { least: string; package: string }> = {
  qemu: { least: '7.0', package: 'qemu-system-x86' },
  libvirtd: { least: '8.0', package: 'libvirt-daemon-system' },
  dnsmasq: { least: '2.80', package: 'dnsmasq-base' },
  lighttpd: { least: '1.4.53', package: 'lighttpd' },
  nft: { least: '1.0.0', package: 'nftables' },
  'nats-server': { least: '2.9.0', package: 'nats-server' },
}

/** Is `have` at least `least`, compared number by number? */
export function atLeast(have: string, least: string): boolean {
  const [a, b] = [have, least].map((text) => text.split('.').map(Number)) as [number[], number[]]
  for (let i = 0; i < b.length; i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0)
  return true
}

function version(name: string, text: string | undefined): Finding {
  const { least, package: pkg } = wanted[name] ?? { least: '0', package: name }
  if (text === undefined) return finding(name, 'fail', 'not installed', `apt-get install ${pkg}`)
  const number = /\d+(\.\d+)+/.exec(text)?.[0] ?? '0'
  return finding(
    name,
    atLeast(number, least) ? 'ok' : 'warn',
    number,
    `${least} or newer is known to work: apt-get install ${pkg}`,
  )
}

function backend({ backend: seen }: AgentFacts): Finding[] {
  if (seen === undefined) return []
  const { pid, ffi } = seen
  if (pid === undefined)
    return [finding('libvirt-ffi', 'warn', 'no backend process of agent-kvm runs', 'look into the log of agent-kvm: it says why')]
  if (ffi === undefined)
    return [
      finding('libvirt-ffi', 'warn', `process ${pid} does not show what it has loaded`, 'run this as root, or again in a moment'),
    ]
  return [finding('libvirt-ffi', 'ok', `${ffi}, in process ${pid}`)]
}

function agents(facts: AgentFacts[]): Finding[] {
  return facts.flatMap((one) => [...agent(one), ...backend(one)])
}

function agent({ kind, pid, folder, documents, damaged }: AgentFacts): Finding[] {
  const name = `agent-${kind}`
  const process =
    pid === undefined
      ? finding(
          name,
          'fail',
          `no process runs, though ${folder} is there`,
          'start it: scripts/up, or its systemd unit; guests run on meanwhile',
        )
      : finding(name, 'ok', `runs as process ${pid}, holds ${documents} documents`)
  if (damaged.length === 0) return [process]
  const lost = damaged.filter((d) => d.lost).length
  const found = `${damaged.length} documents of its ledger are damaged (${damaged[0]?.path}), ${lost} without a previous copy`
  return [
    process,
    finding(name, 'warn', found, 'look at the disk; what is lost comes back with the next sync from the controller'),
  ]
}

export function diagnose(facts: Doctor): Finding[] {
  const node = finding(
    'node',
    atLeast(facts.node.replace(/^v/, ''), '20.0.0') ? 'ok' : 'fail',
    facts.node,
    'Node.js 20 or newer is needed',
  )
  const programs = Object.keys(wanted).map((name) => version(name, facts.versions[name]))
  return [
    kvm(facts),
    clock(facts),
    ...facts.disks.map(disk),
    mtu(facts),
    forward(facts),
    node,
    ...programs,
    ...agents(facts.agents),
  ]
}
