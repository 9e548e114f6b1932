/** Guards of network cards on the fake machine: the same law for both kinds of kernel, refusals, and cards that wait. */

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { kvmSecurity } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { INET_TABLE, LINK_TABLE } from '../src/security/layout.ts'
import { guardedTaps } from '../src/security/observe.ts'
import { statementsOf } from '../src/security/rules.ts'
import { BRIDGE, Desired, loopOf } from './security-world.ts'

const id = (letter: string) => letter.repeat(32)
const [group, other, page, nic, second] = [id('a'), id('b'), id('c'), id('d'), id('e')]

async function machine(): Promise<FakeHost> {
  const host = fakeHost()
  await host.ip.at().links.add({ kind: 'bridge', name: BRIDGE })
  return host
}

const spec = (tap: string, over: Partial<kvmSecurity.NicSecuritySpec> = {}): kvmSecurity.NicSecuritySpec => ({
  ...{ tap, bridge: BRIDGE, mac: '02:00:00:00:00:01', ips: ['10.0.0.5', 'fd00::5'], cleanTraffic: true },
  groups: { uuids: [group], ingressPolicy: 'DENY', egressPolicy: 'ALLOW' },
  ...over,
})
function wanted(): Desired {
  const desired = new Desired()
  desired.put('securityGroup', group, {
    rules: [{ type: 'Ingress', ipVersion: 4, protocol: 'TCP', action: 'ACCEPT', ports: [[80, 80]], remoteGroupUuid: other }],
  })
  desired.put('securityMembers', page, { securityGroupUuid: group, ips: ['10.0.0.5', 'fd00::5'] })
  desired.put('nicSecurity', nic, spec('sktp1'))
  return desired
}
const faults: unknown[] = []

describe.each(['bridge', 'inet'] as const)('guards by %s', (kind) => {
  /** The probe asks once. */
  async function start() {
    const host = await machine()
    if (kind === 'inet') {
      await host.ip.at().sysctl.write('net/bridge/bridge-nf-call-iptables', 0)
      host.faults.failNext('nft.apply')
    }
    const desired = wanted()
    const loop = loopOf(host, desired, faults)
    await loop.pass()
    await loop.pass()
    return { host, desired, loop }
  }

  test('stand after a pass, are told, and a second pass touches no kernel', async () => {
    const { host, loop } = await start()
    expect(loop.statuses().map(({ noun, condition, observed }) => [noun, condition, observed])).toEqual(
      expect.arrayContaining(['securityMembers', 'securityGroup', 'nicSecurity'].map((noun) => [noun, 'Ready', { by: kind }])),
    )
    const before = host.ruleset().transactions
    await loop.pass()
    expect(host.ruleset().transactions).toBe(before)
    expect([...(await guardedTaps({ host }))]).toEqual(['sktp1'])
    expect((await host.nft.at().tables()).length).toBe(kind === 'bridge' ? 1 : 2)
    expect(await host.bridgeFilter.isOn(BRIDGE)).toBe(kind === 'inet')
  })

  test('a member that comes is one element in one transaction, and a second card leaves the chains of the first alone', async () => {
    const { host, desired, loop } = await start()
    const table = kind === 'bridge' ? LINK_TABLE : INET_TABLE
    const rulesOf = async () =>
      ((await host.nft.at().table(table)) ?? []).flatMap((o) =>
        'rule' in o && o.rule.chain.endsWith(nic) ? [o.rule.handle] : [],
      )
    const handles = await rulesOf()
    expect(handles.length).toBeGreaterThan(0)
    const before = host.ruleset().transactions
    desired.put('securityMembers', page, { securityGroupUuid: group, ips: ['10.0.0.5', '10.0.0.6', 'fd00::5'] })
    await loop.pass()
    expect(host.ruleset().transactions).toBe(before + 1)
    desired.put('nicSecurity', second, spec('sktp2', { mac: '02:00:00:00:00:02', ips: ['10.0.0.6'] }))
    await loop.pass()
    expect(await rulesOf()).toEqual(handles)
    expect([...(await guardedTaps({ host }))].sort()).toEqual(['sktp1', 'sktp2'])
  })

  test('go when nobody needs them, and are told as gone', async () => {
    const { host, desired, loop } = await start()
    desired.bury('nicSecurity', nic)
    desired.bury('securityGroup', group)
    desired.bury('securityMembers', page)
    await loop.pass()
    expect(await host.nft.at().tables()).toEqual([])
    expect(loop.statuses().map(({ condition }) => condition)).toEqual(['Gone', 'Gone', 'Gone'])
  })

  test('a transaction that the kernel refuses leaves the guards as they were, and is told', async () => {
    const { host, desired, loop } = await start()
    for (let at = 0; at < 6; at++) host.faults.failNext('nft.apply')
    desired.put('nicSecurity', second, spec('sktp2', { mac: '02:00:00:00:00:02' }))
    await loop.pass()
    expect([...(await guardedTaps({ host }))]).toEqual(['sktp1'])
    const failed = loop.statuses().filter(({ condition }) => condition === 'Failed')
    expect(failed.map(({ uuid }) => uuid)).toContain(second)
  })
})

test('a kernel that can do neither is told, with what to do, and nothing is guarded', async () => {
  const host = await machine()
  for (let at = 0; at < 12; at++) {
    host.faults.failNext('nft.apply')
    host.faults.failNext('ip.sysctl.read')
  }
  const loop = loopOf(host, wanted(), faults)
  await loop.pass()
  const [status] = loop.statuses().filter(({ noun }) => noun === 'nicSecurity')
  expect(status).toMatchObject({ condition: 'Failed', error: { code: 'guard-unsupported' }, observed: { by: 'none' } })
  expect(await host.nft.at().tables()).toEqual([])
})

describe('a rule as statements of nft:', () => {
  const folder = fileURLToPath(new URL('../src/security/cases/', import.meta.url))
  for (const name of readdirSync(folder)) {
    const read = (file: string) => JSON.parse(readFileSync(`${folder}${name}/${file}.json`, 'utf8'))
    test(name.replaceAll('-', ' '), () => {
      expect(statementsOf(kvmSecurity.securityRule.parse(read('want')))).toEqual(read('changes'))
    })
  }
})
