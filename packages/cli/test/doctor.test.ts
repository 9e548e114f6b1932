import { describe, expect, it } from 'vitest'
import { atLeast, diagnose } from '../src/doctor/checks.ts'
import type { Doctor } from '../src/doctor/facts.ts'
import { healthy } from './cli-world.ts'

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
