import { openLedger } from '@skerry/agent'
import { fakeHost } from '@skerry/host'
import { describe, expect, it } from 'vitest'
import { agentsOf } from '../src/doctor/agents.ts'
import { atLeast, diagnose } from '../src/doctor/checks.ts'
import type { Doctor } from '../src/doctor/facts.ts'
import { healthy } from './cli-world.ts'

const agent = { kind: 'kvm', pid: 7, folder: '/s/agent-kvm', documents: 3, damaged: [] }

const findingOf = (check: string, facts: Partial<Doctor>) =>
  diagnose({ ...healthy, ...facts }).find((finding) => finding.check === check)

describe('doctor', () => {
  it('finds nothing on a sound machine', () => expect(diagnose(healthy).filter(({ verdict }) => verdict !== 'ok')).toEqual([]))
  it.each([
    ['kvm', 'warn', { kvm: { present: true, usable: false, works: undefined, cpuFlags: true } }, 'usermod'],
    ['kvm', 'warn', { kvm: { present: false, usable: false, works: undefined, cpuFlags: true } }, 'modprobe'],
    ['kvm', 'warn', { kvm: { present: false, usable: false, works: undefined, cpuFlags: false } }, 'firmware'],
    ['kvm', 'warn', { kvm: { present: true, usable: true, works: false, cpuFlags: true } }, 'nested'],
    ['clock', 'warn', { clock: { synchronised: false } }, 'chrony'],
    ['disk', 'fail', { disks: [{ path: '/', totalBytes: 2 ** 30, availableBytes: 2 ** 20 }] }, 'free space'],
    ['mtu', 'warn', { uplink: { name: 'eth0', mtu: 1400 } }, 'mtu 1500'],
    ['mtu', 'warn', { uplink: undefined }, 'default'],
    ['forward', 'warn', { forwardPolicy: 'drop' as const }, 'DOCKER-USER'],
    ['node', 'fail', { node: 'v18.19.0' }, 'Node.js 20'],
    ['nft', 'warn', { versions: { ...healthy.versions, nft: 'nftables v0.9.8' } }, '1.0.0'],
    ['agent-kvm', 'fail', { agents: [{ ...agent, pid: undefined }] }, 'scripts/up'],
    ['libvirt-ffi', 'warn', { agents: [{ ...agent, backend: { pid: undefined, ffi: undefined } }] }, 'log of agent-kvm'],
    ['libvirt-ffi', 'warn', { agents: [{ ...agent, backend: { pid: 8, ffi: undefined } }] }, 'as root'],
    ['dnsmasq', 'fail', { versions: { ...healthy.versions, dnsmasq: undefined } }, 'apt-get install dnsmasq-base'],
  ] as const)('%s: %s, with a remedy', (check, verdict, facts, remedy) => {
    expect(findingOf(check, facts as Partial<Doctor>)).toMatchObject({ verdict, remedy: expect.stringContaining(remedy) })
  })
  it('compares versions number by number', () => {
    expect(atLeast('2.10.0', '2.9')).toBe(true)
    expect(atLeast('2.9', '2.9.0')).toBe(true)
    expect(atLeast('1.9.9', '2.0')).toBe(false)
  })
})

describe('the agents of a machine, without controller', () => {
  const u = 'a'.repeat(32)
  const tombstone = (seq: number) => ({
    noun: 'vm',
    uuid: u,
    generation: { incarnation: 1, seq },
    job: null,
    tombstone: true as const,
  })

  it('are found where a site runs them from its own copies, with the FFI library through which libvirt is reached', async () => {
    const host = fakeHost()
    const program = '/s/app/agent-kvm-0123456789abcdef'
    const { pid } = host.processTable.start([
      'node',
      `${program}/main.js`,
      '--state-dir',
      '/s/agents/kvm',
      '--management-ip',
      'x',
    ])
    const seen = async () => (await agentsOf(host.files, host.process, '/s'))[0]
    expect(await seen()).toMatchObject({ kind: 'kvm', pid, folder: '/s/agents/kvm', backend: { pid: undefined } })
    const child = host.processTable.start(
      ['node', `${program}/child.js`, 'qemu:///system', '8', 'auto'],
      ['/usr/bin/node', `${program}/node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node`],
    )
    const agents = [(await seen())!]
    expect(agents).toMatchObject([{ backend: { pid: child.pid, ffi: 'koffi' } }])
    expect(findingOf('libvirt-ffi', { agents })).toMatchObject({ verdict: 'ok', found: `koffi, in process ${child.pid}` })
  })

  it('are found by their folder or process, their ledgers read and not touched', async () => {
    const host = fakeHost()
    expect(await agentsOf(host.files, host.process, '/s')).toEqual([])
    const ledger = await openLedger({ dir: '/s/agent-kvm/ledger', files: host.files, clock: { now: () => 1 } })
    await ledger.accept([tombstone(1)], 0)
    await ledger.accept([tombstone(2)], 0)
    const { pid } = host.processTable.start(['node', '/opt/dist/agent-storage/main.js', '--log-level', 'warn'])
    const before = new Map([...host.disk.files].map(([path, { data }]) => [path, Buffer.from(data).toString()]))
    expect(await agentsOf(host.files, host.process, '/s')).toEqual([
      { kind: 'kvm', pid: undefined, folder: '/s/agent-kvm', documents: 0, damaged: [] },
      { kind: 'storage', pid, folder: '/s/agent-storage', documents: 0, damaged: [] },
    ])
    const path = [...host.disk.files.keys()].find((file) => file.endsWith(`${u}.json`))!
    host.disk.put(path, Buffer.from('rubbish'))
    const [kvm] = await agentsOf(host.files, host.process, '/s')
    expect(kvm?.damaged).toEqual([{ path, lost: expect.any(Boolean) }])
    expect(
      diagnose({ ...healthy, agents: [kvm!] }).filter(({ check, verdict }) => check === 'agent-kvm' && verdict === 'warn'),
    ).toHaveLength(1)
    host.disk.put(path, Buffer.from(before.get(path)!))
    expect(new Map([...host.disk.files].map(([file, { data }]) => [file, Buffer.from(data).toString()]))).toEqual(before)
  })
})
