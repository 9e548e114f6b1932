/** What an agent says of others is refused and reported by the controller; nothing of it gets into the graph. */
import { type Heartbeat, type Row, type Status, subjects } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../harness/site.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
import { newUuid } from '../harness/zstack-client.ts'

const CEILING_MS = 20_000

describe('an agent that lies', () => {
  let site: SmallSite
  let vm: string
  const reported = (what: string) =>
    site.errors.filter(({ facts }) => String((facts['err'] as Error | undefined)?.message).includes(what))

  beforeAll(async () => {
    site = await startSmallSite()
    const world = await makeSmallWorld(site)
    vm = await site.client.uuid('CreateVmInstance', {
      name: 'victim',
      instanceOfferingUuid: world.offering,
      imageUuid: world.image,
      l3NetworkUuids: [world.l3],
    })
    await site.settled()
  }, 60_000)
  afterAll(() => site.stop())

  const heard = () => site.bus.flush()
  const row = (table: 'agent' | 'vmInstance', uuid: string): Row => site.controller.state.graph.get(table, uuid)!

  it('can’t beat for another agent', async () => {
    const { kvm, storage } = site.machine.agents
    const before = row('agent', kvm)
    const forged: Heartbeat = {
      ...{ agentUuid: kvm, kind: 'kvm', version: 'evil', bootId: newUuid(), machineId: newUuid() },
      ...{ uptimeMs: 1, digest: 'x', statusDigest: 'y', at: Date.now() },
    }
    // by its own name, as its rights allow it
    site.machine.bus('storage').publish(subjects.heartbeat('storage', storage), forged)
    await until('it is reported', CEILING_MS, () => reported('heartbeat does not fit').length === 1)
    expect(row('agent', kvm)).toEqual(before)
    expect(row('agent', storage)['version']).not.toBe('evil')
  })

  it('can’t speak in another’s name at all', async () => {
    const { kvm } = site.machine.agents
    const before = row('agent', kvm)
    const broker = site.machine.bus('storage')
    broker.publish(subjects.heartbeat('kvm', kvm), { agentUuid: kvm })
    broker.publish(subjects.status('kvm', kvm, 'vm', vm), {})
    await heard()
    expect(row('agent', kvm)).toEqual(before)
  })

  it('can’t tell of another’s VM that it has stopped', async () => {
    const { storage, kvm } = site.machine.agents
    const { graph } = site.controller.state
    const seq = graph.version('desired', `${kvm}/vm/${vm}`)!
    const status: Status = {
      ...{
        noun: 'vm',
        uuid: vm,
        generation: { incarnation: graph.incarnation, seq: seq + 1_000 },
        condition: 'Ready',
        error: null,
      },
      ...{ observed: { power: 'Stopped', cause: 'guest' }, at: Date.now(), bootId: newUuid() },
    }
    const bus = site.machine.bus('storage')
    bus.publish(subjects.status('storage', storage, 'vm', vm), status)
    await heard()
    expect(row('vmInstance', vm)['state']).toBe('Running')
    // nor under a subject that its body does not fit
    bus.publish(subjects.status('storage', storage, 'pool', newUuid()), status)
    await until('it is reported', CEILING_MS, () => reported('another resource than its subject').length === 1)
    expect(row('vmInstance', vm)['state']).toBe('Running')
  })

  it('can’t report progress of a command that another carries out', async () => {
    const { storage, kvm } = site.machine.agents
    const commands: string[] = []
    const spy = site.broker.connect({})
    spy.subscribe(`skerry.v1.agent.kvm.${kvm}.do.vm.>`, (m) => {
      const { id } = m.data as { id?: string }
      if (!id) return
      commands.push(id)
      site.machine
        .bus('storage')
        .publish(subjects.progress('storage', storage, id), { step: 'evil', percent: 99, at: Date.now() })
    })
    await spy.flush()
    await site.client.call('RebootVmInstance', { uuid: vm })
    expect(commands.length).toBeGreaterThan(0)
    await until('it is reported', CEILING_MS, () => reported('progress does not fit').length > 0)
    await spy.close()
  })
})
