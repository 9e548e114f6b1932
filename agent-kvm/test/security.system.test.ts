/** The guards of network cards on a real kernel: who reaches whom, what survives, what is put right. */
import { type kvmSecurity, nouns } from '@skerry/contract'
import { nftables } from '@skerry/host'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { LINK_TABLE } from '../src/security/layout.ts'
import { BRIDGE, Desired, GuardLab, type Guest, loopOf, newUuid } from './security-world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

type Rule = kvmSecurity.SecurityRuleSpec
const rule = (type: Rule['type'], over: Partial<Rule> = {}): Rule => ({
  ...{ type, ipVersion: 4, protocol: 'ALL', action: 'ACCEPT' },
  ...over,
})
const tcp = (type: Rule['type'], port: number, over: Partial<Rule> = {}) =>
  rule(type, { protocol: 'TCP', ports: [[port, port]], ...over })

const lab = new GuardLab()
const desired = new Desired()
const [web, admin, pageOne, pageTwo] = [newUuid(), newUuid(), newUuid(), newUuid()]
let [one, two, ext] = [] as unknown as [Guest, Guest, Guest]
let loop: Reconciler

const spec = ({ tap, mac, ip4, ip6 }: Guest, over: Partial<kvmSecurity.NicSecuritySpec> = {}): kvmSecurity.NicSecuritySpec => ({
  ...{ tap, bridge: BRIDGE, mac, ips: [ip4, ip6], groups: null, cleanTraffic: false },
  ...over,
})
const groups = (...uuids: string[]) => ({ uuids, ingressPolicy: 'DENY' as const, egressPolicy: 'ALLOW' as const })
const webRules: Rule[] = [
  tcp('Ingress', 80),
  tcp('Ingress', 80, { ipVersion: 6 }),
  rule('Ingress', { protocol: 'ICMP', remoteGroupUuid: admin }),
  rule('Ingress', { protocol: 'ICMP', ipVersion: 6, remoteGroupUuid: admin }),
]
async function settle(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  expect(loop.statuses().filter(({ condition }) => !['Ready', 'Gone'].includes(condition))).toEqual([])
}
const listed = async () =>
  (await lab.host.exec.run('nft', ['-a', 'list', 'ruleset'], { timeoutMs: 10_000 })).stdout.replace(/packets \d+ bytes \d+/g, '')

describe.runIf(requireOrSkip('guards of network cards', { root: true, programs: ['ip', 'nft', 'busybox'] }))(
  'security groups',
  () => {
    beforeAll(async () => {
      await lab.up()
      ;[one, two, ext] = [await lab.guest(1), await lab.guest(2), await lab.guest(3)]
      await vi.waitFor(async () => expect(await lab.reaches(ext, one.ip4, 443)).toBe(true))
      desired.put('securityGroup', web, { rules: webRules })
      desired.put('securityGroup', admin, { rules: [tcp('Ingress', 22), tcp('Egress', 25, { action: 'DROP' })] })
      desired.put('securityMembers', pageOne, { securityGroupUuid: web, ips: [one.ip4, one.ip6] })
      desired.put('securityMembers', pageTwo, { securityGroupUuid: admin, ips: [two.ip4, two.ip6] })
      desired.put('nicSecurity', one.uuid, spec(one, { groups: groups(web), cleanTraffic: true }))
      desired.put('nicSecurity', two.uuid, spec(two, { groups: groups(admin) }))
      loop = loopOf(lab.host, desired, lab.faults)
      await settle()
    })
    afterAll(() => lab.down())

    test('let in what the rules name, and nothing else that is new; both families', async () => {
      const asked = [
        ['ext', ext, one.ip4, 80, true],
        ['ext', ext, one.ip4, 443, false],
        ['ext', ext, one.ip6, 80, true],
        ['ext', ext, one.ip6, 443, false],
        ['two', two, one.ip4, 80, true],
        ['two', two, one.ip4, 22, false],
        ['one', one, two.ip4, 22, true],
        ['one', one, two.ip4, 80, false],
        ['one', one, ext.ip4, 443, true],
        ['one', one, ext.ip6, 443, true],
        ['two', two, ext.ip4, 25, false],
        ['two', two, ext.ip4, 443, true],
      ] as const
      const got = await Promise.all(asked.map(async ([, from, to, port]) => lab.reaches(from, to, port)))
      expect(asked.map(([name, , to, port], at) => `${name} ${to} ${port} ${got[at]}`)).toEqual(
        asked.map(([name, , to, port, want]) => `${name} ${to} ${port} ${want}`),
      )
    })

    test('know who is a member of a group that a rule names, also one that lives on another host', async () => {
      expect([await lab.pings(two, one.ip4), await lab.pings(two, one.ip6)]).toEqual([true, true])
      expect([await lab.pings(ext, one.ip4), await lab.pings(ext, one.ip6)]).toEqual([false, false])
      const before = await listed()
      desired.put('securityMembers', pageTwo, { securityGroupUuid: admin, ips: [two.ip4, ext.ip4, two.ip6, ext.ip6].sort() })
      await settle()
      expect([await lab.pings(ext, one.ip4), await lab.pings(ext, one.ip6)]).toEqual([true, true])
      // handles of rules are the same: only elements have come
      const rulesOf = (text: string) => text.split('\n').filter((line) => /# handle/.test(line) && !/elements/.test(line))
      expect(rulesOf(await listed())).toEqual(rulesOf(before))
      desired.put('securityMembers', pageTwo, { securityGroupUuid: admin, ips: [two.ip4, two.ip6].sort() })
      await settle()
      expect(await lab.pings(ext, one.ip4)).toBe(false)
    })

    test('let an established connection go on when its rule goes, and no new one begin', async () => {
      const client = lab.inside(ext, ['busybox', 'nc', one.ip4, '80'])
      let heard = ''
      client.stdout?.on('data', (data) => (heard += String(data)))
      client.stdin?.write('a\n')
      await vi.waitFor(() => expect(heard).toBe('a\n'))
      desired.put('securityGroup', web, { rules: webRules.slice(1) })
      await settle()
      expect(await lab.reaches(ext, one.ip4, 80)).toBe(false)
      client.stdin?.write('b\n')
      await vi.waitFor(() => expect(heard).toBe('a\nb\n'))
      client.kill('SIGKILL')
      desired.put('securityGroup', web, { rules: webRules })
      await settle()
      expect(await lab.reaches(ext, one.ip4, 80)).toBe(true)
    })

    test('decide by the first rule that fits, group after group, and then by the policy of the card', async () => {
      const only = (ip: string, action: 'ACCEPT' | 'DROP') => tcp('Ingress', 443, { ips: [[ip, ip]], action })
      desired.put('securityGroup', web, { rules: [only(ext.ip4, 'DROP'), tcp('Ingress', 443), ...webRules] })
      desired.put('nicSecurity', one.uuid, spec(one, { groups: groups(web, admin), cleanTraffic: true }))
      await settle()
      expect([await lab.reaches(ext, one.ip4, 443), await lab.reaches(two, one.ip4, 443)]).toEqual([false, true])
      expect([await lab.reaches(ext, one.ip4, 22), await lab.reaches(one, ext.ip4, 25)]).toEqual([true, false])
      const open = { uuids: [web], ingressPolicy: 'ALLOW' as const, egressPolicy: 'DENY' as const }
      desired.put('nicSecurity', one.uuid, spec(one, { groups: open, cleanTraffic: true }))
      await settle()
      expect([await lab.reaches(ext, one.ip4, 443), await lab.reaches(ext, one.ip4, 22)]).toEqual([false, true])
      expect([await lab.reaches(one, ext.ip4, 443), await lab.pings(one, ext.ip6)]).toEqual([false, false])
      desired.put('securityGroup', web, { rules: webRules })
      desired.put('nicSecurity', one.uuid, spec(one, { groups: groups(web), cleanTraffic: true }))
      await settle()
    })

    test('keep a guest from speaking as another: address, ARP, MAC, neighbour discovery', async () => {
      await lab.run(one, 'ip', ['addr', 'add', '10.5.0.77/24', 'dev', 'eth0'])
      await lab.run(one, 'ip', ['addr', 'add', 'fd05::77/64', 'dev', 'eth0', 'nodad'])
      expect(await lab.pings(one, ext.ip4, ['-I', '10.5.0.77'])).toBe(false)
      expect(await lab.pings(one, ext.ip6, ['-I', 'fd05::77'])).toBe(false)
      // who asks for a foreign address that it claims gets no answer
      await lab.run(ext, 'ip', ['neigh', 'flush', 'all'])
      expect([await lab.pings(ext, '10.5.0.77'), await lab.pings(ext, 'fd05::77')]).toEqual([false, false])
      expect(await lab.run(ext, 'ip', ['neigh', 'show', 'nud', 'reachable'])).not.toContain('77')
      // as if it were another guest
      await lab.run(one, 'ip', ['addr', 'add', `${two.ip4}/24`, 'dev', 'eth0'])
      const arping = ['arping', '-c', '1', '-w', '1', '-I', 'eth0', '-s', two.ip4, ext.ip4]
      expect(await lab.run(one, 'busybox', arping, [0, 1])).toContain('Received 0 response')
      await lab.run(one, 'ip', ['addr', 'del', `${two.ip4}/24`, 'dev', 'eth0'])
      await lab.run(one, 'ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:99'])
      await lab.run(one, 'ip', ['neigh', 'flush', 'all'])
      expect(await lab.pings(one, ext.ip4)).toBe(false)
      await lab.run(one, 'ip', ['link', 'set', 'eth0', 'address', one.mac])
      await lab.run(one, 'ip', ['addr', 'del', '10.5.0.77/24', 'dev', 'eth0'])
      await lab.run(one, 'ip', ['neigh', 'flush', 'all'])
      await vi.waitFor(async () => expect(await lab.pings(one, ext.ip4)).toBe(true))
    })

    test('a second pass touches no kernel, drift by hand is put right, tables of others stay', async () => {
      const nft = lab.host.nft.at()
      await nft.apply([nftables.addTable({ family: 'inet', name: 'theirs' })])
      const before = await listed()
      await loop.pass()
      expect(await listed()).toBe(before)
      const at = { family: LINK_TABLE.family, table: LINK_TABLE.name }
      await nft.apply([nftables.flushSet({ ...at, name: 'guarded' }), nftables.addChain({ ...at, name: 'byhand' })])
      await lab.host.exec.run('nft', ['flush', 'chain', 'bridge', LINK_TABLE.name, 'frames'], { timeoutMs: 10_000 })
      await settle()
      const sorted = (text: string) =>
        text
          .replace(/ ?# handle \d+/g, '')
          .split('\n')
          .sort()
      expect(sorted(await listed())).toEqual(sorted(before))
      await nft.apply(nftables.dropTable(LINK_TABLE))
      await settle()
      expect([await lab.reaches(ext, one.ip4, 443), await lab.reaches(ext, one.ip4, 80)]).toEqual([false, true])
    })

    test('a card in a group that this host does not know yet is closed, and a card without a document open', async () => {
      desired.put('nicSecurity', two.uuid, spec(two, { groups: groups(newUuid()) }))
      await settle()
      expect([await lab.reaches(ext, two.ip4, 22), await lab.reaches(two, ext.ip4, 443)]).toEqual([false, false])
      desired.bury('nicSecurity', two.uuid)
      desired.bury('securityGroup', admin)
      desired.put('securityGroup', web, { rules: webRules.slice(0, 2) })
      desired.bury('securityMembers', pageTwo)
      await settle()
      expect([await lab.reaches(ext, two.ip4, 443), await lab.reaches(two, ext.ip4, 25)]).toEqual([true, true])
      for (const { noun } of nouns.kvm.slice(1, 4))
        for (const { uuid, tombstone } of [...desired.entries(noun)]) if (!tombstone) desired.bury(noun as 'nicSecurity', uuid)
      await settle()
      expect((await lab.host.nft.at().tables()).map(({ name }) => name)).toEqual(['theirs'])
      expect(await lab.reaches(ext, one.ip4, 443)).toBe(true)
    })
  },
)
