/** Addresses and MACs that tags ask for when a VM is created: given, or refused before anything is recorded. */
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { call, done, ready } from './engine-calls.ts'
import { id, u, vmParams } from './world.ts'

const ip = `staticIp::${u.l3}::10.0.0.77`
const mac = `customMac::${u.l3}::FA:00:00:00:00:07`
const creating = (systemTags: string[], name = 'vm') => call('CreateVmInstance', { ...vmParams, name, systemTags })

describe('tags of a new VM', () => {
  it('give its card the address and MAC that they say, and stay as tags', async () => {
    const { w, engine } = await ready()
    const job = await done(engine, creating([ip, mac]))
    const vm = (job.result!['inventory'] as { uuid: string }).uuid
    const [nic] = [...w.state.graph.by('vmNic', 'vmInstanceUuid', vm)].map((k) => w.state.graph.get('vmNic', k))
    expect(nic).toMatchObject({ ip: '10.0.0.77', mac: 'fa:00:00:00:00:07' })
    const tags = [...w.state.graph.by('tag', 'resourceUuid', vm)].map((k) => w.state.graph.get('tag', k)!['tag'])
    expect(tags).toContain(ip)
    await expect(done(engine, creating([ip], 'other'))).rejects.toMatchObject({ code: 'in-use' })
    await expect(done(engine, creating([mac], 'other'))).rejects.toMatchObject({ code: 'in-use' })
  })

  it.each([
    ['no address', [`staticIp::${u.l3}::ten`], 'it must name an IPv4 or IPv6 address'],
    ['an address outside', [`staticIp::${u.l3}::192.0.2.1`], '192.0.2.1 is in no range of network'],
    ['an IPv6 address where there are none', [`staticIp::${u.l3}::fd00--5`], 'fd00::5 is in no range of network'],
    ['a network that it is not in', [`staticIp::${id('elsewhere')}::10.0.0.9`], 'has no card in that network'],
    ['two addresses', [ip, `staticIp::${u.l3}::10.0.0.78`], 'another tag says that of the same network'],
    ['a group’s MAC', [`customMac::${u.l3}::01:00:00:00:00:01`], 'is no address of a single card'],
    ['no MAC', [`customMac::${u.l3}::x`], 'it must name a MAC address'],
  ])('are refused that say %s', async (_, systemTags, said) => {
    const { engine } = await ready()
    await expect(done(engine, creating(systemTags))).rejects.toThrow(said)
  })

  it('let the address go where the creation fails, and an address that was lost meanwhile fails it', async () => {
    const { w, engine } = await ready()
    const converge = w.agents.converge.bind(w.agents)
    w.agents.converge = async () => {
      throw new Error('planted')
    }
    expect(await done(engine, creating([ip]))).toMatchObject({ state: 'failed' })
    expect([...w.state.graph.rows('usedIp')]).toEqual([])
    w.agents.converge = converge
    expect(await done(engine, creating([ip]))).toMatchObject({ state: 'done' })
  })
})

it('a security group of another account, inside of a rule, is refused when the call is made', async () => {
  const { w, engine } = await ready()
  const [mine, other] = [id('mine'), id('other')]
  const group = (uuid: string, account: string): Row => ({
    ...{ uuid, name: 'group', description: null, state: 'Enabled', ipVersion: 4, ownerUuid: account },
    ...{ createDate: 0, lastOpDate: 0 },
  })
  const account = (uuid: string) => ({ o: 'put' as const, t: 'account', k: uuid, v: { uuid, name: uuid, type: 'Normal' } })
  const groups = [group(id('g1'), mine), group(id('g2'), other)]
  await w.commit({
    ops: [
      account(mine),
      account(other),
      ...groups.map((v) => ({ o: 'put' as const, t: 'securityGroup', k: v['uuid'] as string, v })),
    ],
  })
  const caller = { accountUuid: mine, sessionUuid: id('s'), admin: false }
  const rule = (remoteSecurityGroupUuid: string) => ({ type: 'Ingress', protocol: 'ALL', remoteSecurityGroupUuid })
  const adding = (remote: string) =>
    call('AddSecurityGroupRule', { securityGroupUuid: id('g1'), rules: [rule(remote)] }, { caller })
  await expect(done(engine, adding(id('g2')))).rejects.toMatchObject({ code: 'not-found' })
  expect([...w.state.graph.rows('job')]).toEqual([])
  expect(await done(engine, adding(id('g1')))).toMatchObject({ state: 'done' })
})
