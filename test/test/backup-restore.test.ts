/** After restoring an old backup no guest stops, nothing is given away twice, and what is newer waits for a person. */
import type { Row } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { type MovableSite, startMovableSite } from '../harness/movable-site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { ZStackClient } from '../harness/zstack-client.ts'

let site: MovableSite
let world: SmallWorld

beforeEach(async () => {
  site = await startMovableSite()
  const machine = await site.addMachine(MANAGEMENT_IP)
  const client = new ZStackClient(site.now().url)
  await client.login()
  // 13 addresses: a few guests use up a good part of them
  world = await makeSmallWorld({ client, machine }, { cidr: '10.0.0.0/28' })
})
afterEach(() => site.stop())

const vmOf = (name: string) => site.rows('vmInstance').find((vm) => vm['name'] === name)
const orphans = (noun: string) => site.rows('orphan').filter((o) => o['noun'] === noun)
const create = (name: string, more: Row = {}) =>
  site.call('CreateVmInstance', {
    ...{ name, instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
    ...more,
  })
const powers = () =>
  site.machines
    .flatMap((m) => m.libvirt.inventory())
    .map((d) => `${/<title>(.*)<\/title>/.exec(d.xml)?.[1] ?? d.uuid} ${d.state}`)
    .sort()
const nicsOf = (name: string) => site.rows('vmNic').filter((n) => n['vmInstanceUuid'] === vmOf(name)?.['uuid'])
const audit = async () => (await site.now().client.auditHosts()).differences
const allHeard = () => site.until('all agents heard', () => site.rows('reunion').length === 0)
/** The controller dies; another one begins with the backup. */
async function lose(file: string): Promise<void> {
  await site.now().stop()
  await site.restore(file, 'second')
  await site.start('second')
}

describe('after restoring an old backup', () => {
  it('guests go on as they are, and the graph says what they are', async () => {
    for (const name of ['same', 'stopped since']) await create(name)
    for (const name of ['started since', 'off']) await create(name, { strategy: 'CreateStopped' })
    const file = await site.backup()
    await site.call('StartVmInstance', { uuid: vmOf('started since')!['uuid'] })
    await site.call('StopVmInstance', { uuid: vmOf('stopped since')!['uuid'], type: 'cold' })
    const before = powers()
    const moves: string[] = []
    site.machines[0]!.libvirt.onLifecycle(({ event }) => moves.push(event))
    await lose(file)
    await allHeard()
    await site.until('the same documents', async () => (await audit()).length === 0)
    expect([powers(), moves.filter((event) => event !== 'defined')]).toEqual([before, []])
    const states = ['same', 'stopped since', 'started since', 'off'].map((name) => vmOf(name)!['state'])
    expect(states).toEqual(['Running', 'Stopped', 'Running', 'Stopped'])
    expect([site.rows('orphan'), site.contradictions()]).toEqual([[], []])
    await site.call('StopVmInstance', { uuid: vmOf('started since')!['uuid'], type: 'cold' })
  })

  it('what is newer is an orphan: adopted it is what it was, removed it is gone', async () => {
    await create('older')
    const file = await site.backup()
    await create('adopted')
    await create('removed')
    const [was] = nicsOf('adopted')
    const uuid = vmOf('adopted')!['uuid']
    await lose(file)
    await site.until('two orphaned guests', () => orphans('vm').length === 2)
    await allHeard()
    await site.until('their parts', () => orphans('volume').length === 2 && orphans('lease').length === 2)
    const { client } = site.now()
    const shown = await client.get('orphan', 'adopted')
    expect(shown).toMatchObject({ noun: 'vm', condition: 'Orphaned', ips: [was!['ip']], macs: [was!['mac']], adoptable: true })
    expect('spec' in shown).toBe(false)

    const found = (await audit()).filter((d) => d['observed'] === 'orphaned')
    expect(new Set(found.map((d) => d['kind']))).toEqual(new Set(['domain', 'volume-file', 'dhcp-host', 'tap']))

    const { plan } = (await client.call('AdoptOrphan', { uuid: 'adopted' }, { dryRun: true })) as { plan: Row }
    const changes = (plan['agents'] as Row[]).flatMap((a) => a['changes'] as Row[])
    // its agent only notes whose word it follows now
    expect(changes.map((c) => (c['change'] as Row)['op'])).toEqual(['remember'])
    expect(await site.call('AdoptOrphan', { uuid: 'adopted' })).toEqual({ vmInstanceUuid: uuid })
    expect(vmOf('adopted')).toMatchObject({ uuid, state: 'Running', hostUuid: world.host, imageUuid: world.image })
    expect(nicsOf('adopted')[0]).toMatchObject({ uuid: was!['uuid'], ip: was!['ip'], mac: was!['mac'], l3NetworkUuid: world.l3 })

    const removal = (await client.call('RemoveOrphan', { uuid: 'removed' }, { dryRun: true })) as { plan: Row }
    const ops = (removal.plan['agents'] as Row[]).flatMap((a) => (a['changes'] as Row[]).map((c) => (c['change'] as Row)['op']))
    expect(ops).toEqual(expect.arrayContaining(['cut', 'undefine', 'remove', 'host.remove']))
    await site.call('RemoveOrphan', { uuid: 'removed' })
    expect(powers()).toHaveLength(2)
    await site.until('no differences', async () => (await audit()).length === 0)
    expect([site.rows('orphan'), site.contradictions()]).toEqual([[], []])
    // it is a VM like any other
    await site.call('StopVmInstance', { uuid, type: 'cold' })
    await site.call('StartVmInstance', { uuid })
  })

  it('nothing that an orphan has is given to another, and nothing is given before every host was heard', async () => {
    await create('older')
    const file = await site.backup()
    for (let i = 0; i < 6; i++) await create(`newer${i}`)
    const taken = new Set(site.rows('vmNic').flatMap((n) => [n['ip'], n['mac']]))
    const free = site.rows('host')[0]!['availableCpuCapacity'] as number
    await site.machines[0]!.end('kvm')
    await lose(file)
    await site.until('the other agents', () => site.rows('reunion').length === 1)
    await expect(create('early')).rejects.toMatchObject({ code: 'hosts-unheard', details: { hosts: ['host'] } })
    await site.machines[0]!.begin('kvm')
    await allHeard()
    expect(orphans('vm')).toHaveLength(6)
    expect([site.rows('host')[0]!['availableCpuCapacity'], site.contradictions()]).toEqual([free, []])
    for (let i = 0; i < 6; i++) {
      const vm = await create(`later${i}`)
      const [nic] = site.rows('vmNic').filter((n) => n['vmInstanceUuid'] === vm['uuid'])
      expect([taken.has(nic!['ip']), taken.has(nic!['mac'])]).toEqual([false, false])
    }
    await expect(create('one too many')).rejects.toMatchObject({ code: 'no-address' })
  })

  it('a guest that was expunged since is shown as gone, and is not made anew', async () => {
    const { uuid } = await create('expunged since')
    const file = await site.backup()
    await site.call('DestroyVmInstance', { uuid })
    await site.call('ExpungeVmInstance', { uuid })
    await lose(file)
    await allHeard()
    expect(vmOf('expunged since')).toMatchObject({ state: 'Stopped', stateCause: 'gone', hostUuid: null })
    await expect(site.call('StartVmInstance', { uuid })).rejects.toMatchObject({ code: 'volume-lost' })
    expect(powers()).toEqual([])
    expect(site.contradictions()).toEqual([])
    await site.call('DestroyVmInstance', { uuid })
    await site.call('ExpungeVmInstance', { uuid })
    await site.until('no differences', async () => (await audit()).length === 0)
  })

  it('a guest that was destroyed then and recovered since runs on, and is not expunged in its time', async () => {
    const { uuid } = await create('recovered since')
    await site.call('DestroyVmInstance', { uuid })
    const file = await site.backup()
    await site.call('RecoverVmInstance', { uuid })
    await site.call('StartVmInstance', { uuid })
    await lose(file)
    await allHeard()
    expect(vmOf('recovered since')).toMatchObject({ state: 'Running', destroyedAt: null })
    await site.until('no differences', async () => (await audit()).length === 0)
    expect([powers().length, site.contradictions()]).toEqual([1, []])
  })

  it('a router that was chosen since stays where it is', async () => {
    const file = await site.backup()
    await create('first of its network')
    await lose(file)
    await allHeard()
    expect(site.rows('l3Network')[0]).toMatchObject({ routerAgentUuid: site.machines[0]!.agents.vrouter })
    await site.until('a router that is no orphan', () => orphans('router').length === 0)
    await site.until('the orphan', () => orphans('vm').length === 1)
    await site.call('AdoptOrphan', { uuid: orphans('vm')[0]!['uuid'] as string })
    await site.until('no differences', async () => (await audit()).length === 0)
  })

  it('a job that was under way then has failed, and what it had made since is an orphan', async () => {
    await site.machines[0]!.end('storage')
    const made = create('under way')
    const job = () => site.rows('job').find((j) => j['api'] === 'CreateVmInstance')
    await site.until('the job at its disk', () => job()?.['step'] === 'network-make-network')
    const file = await site.backup()
    await site.machines[0]!.begin('storage')
    await made
    await lose(file)
    await allHeard()
    expect(job()).toMatchObject({ state: 'failed', error: { code: 'restored' } })
    expect(vmOf('under way')).toBeUndefined()
    await site.until('the orphan', () => orphans('vm').length === 1)
    await site.call('AdoptOrphan', { uuid: orphans('vm')[0]!['uuid'] as string })
    await site.until('no differences', async () => (await audit()).length === 0)
    expect(site.contradictions()).toEqual([])
  })

  it('twice from the same backup: agents take the newest history for the newest', async () => {
    await create('older')
    const file = await site.backup()
    await lose(file)
    await allHeard()
    await create('newer')
    await site.now().stop()
    await site.restore(file, 'third')
    await site.start('third')
    await site.until('the orphan', () => orphans('vm').length === 1)
    await allHeard()
    expect(site.now().store.incarnation).toBe(3)
    await site.call('StopVmInstance', { uuid: vmOf('older')!['uuid'], type: 'cold' })
    await site.call('AdoptOrphan', { uuid: 'newer' })
    await site.until('no differences', async () => (await audit()).length === 0)
  })

  it('agents that know nothing any more still say what carries our mark', async () => {
    const file = await site.backup()
    await create('marked')
    for (const kind of AGENT_KINDS) {
      await site.machines[0]!.end(kind)
      site.machines[0]!.wipe(kind, 'ledger')
    }
    await lose(file)
    for (const kind of AGENT_KINDS) await site.machines[0]!.begin(kind)
    await site.until('the orphaned domain', () => orphans('vm').length === 1)
    expect(orphans('vm')[0]).toMatchObject({ adoptable: false })
    await expect(site.call('AdoptOrphan', { uuid: orphans('vm')[0]!['uuid'] as string })).rejects.toMatchObject({
      code: 'illegal-state',
    })
    expect(powers()).toHaveLength(1)
    await site.call('RemoveOrphan', { uuid: orphans('vm')[0]!['uuid'] as string })
    await site.until('no domain', () => powers().length === 0)
  })
})
