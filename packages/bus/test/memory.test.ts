import { describe, expect, it } from 'vitest'
import { type MemoryBus, memoryBroker, rightsOf } from '../src/index.ts'
import { eventually, failure } from './conformance/world.ts'
import { conformance } from './conformance.ts'

conformance('the memory broker', async () => {
  const broker = memoryBroker()
  const buses: MemoryBus[] = []
  return {
    connect: async (options) => {
      const bus = broker.connect({}, options)
      buses.push(bus)
      return bus
    },
    breakLinks: async () => {
      for (const bus of buses) bus.disconnect()
    },
    mendLinks: async () => {
      for (const bus of buses) bus.reconnect()
    },
    end: async () => undefined,
  }
})

describe('rights on the memory broker', () => {
  const A = 'a'.repeat(32)
  const B = 'b'.repeat(32)
  const setup = () => {
    const broker = memoryBroker()
    const denied: string[] = []
    const agent = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid: A } }), {
      onError: (e) => void denied.push(`${e.code} ${e.details.operation} ${e.details.subject}`),
    })
    return { agent, controller: broker.connect(rightsOf({ kind: 'controller' })), denied }
  }

  it('let an agent serve its own commands, answer and ask', async () => {
    const { agent, controller, denied } = setup()
    agent.serve(`skerry.v1.agent.kvm.${A}.do.>`, async () => 'done')
    controller.serve('skerry.v1.agent.*.*.ask.>', async () => 'told')
    expect((await controller.request(`skerry.v1.agent.kvm.${A}.do.vm.x.start`, null, { timeoutMs: 1_000 })).data).toBe('done')
    expect((await agent.request(`skerry.v1.agent.kvm.${A}.ask.sync`, null, { timeoutMs: 1_000 })).data).toBe('told')
    expect(denied).toEqual([])
  })

  it('refuse what is not on the lists, aloud', async () => {
    const { agent, controller, denied } = setup()
    const seen: unknown[] = []
    controller.subscribe('skerry.>', (m) => void seen.push(m.subject))
    agent.publish(`skerry.v1.agent.kvm.${B}.hb`, null)
    agent.subscribe('skerry.>', () => undefined)
    expect((await failure(agent.request('skerry.v1.api.vm.-.create', null, { timeoutMs: 1_000 }))).code).toBe('permission-denied')
    await eventually(() => denied.length === 2)
    expect(denied).toEqual([`permission-denied publish skerry.v1.agent.kvm.${B}.hb`, 'permission-denied subscription skerry.>'])
    expect(seen).toEqual([])
  })

  it('keep what is unheard from whoever subscribes, by whatever pattern', async () => {
    const { controller } = setup()
    const broker = memoryBroker()
    const denied: string[] = []
    const cli = broker.connect(rightsOf({ kind: 'operator-cli', id: 'x' }), { onError: (e) => void denied.push(e.code) })
    const heard: string[] = []
    cli.subscribe('skerry.>', (m) => void heard.push(m.subject))
    cli.subscribe('skerry.v1.api.vm.-.create', (m) => void heard.push(m.subject))
    const other = broker.connect(rightsOf({ kind: 'controller' }))
    for (const subject of ['skerry.v1.api.vm.-.create', 'skerry.v1.evt.vm.1.started']) other.publish(subject, null)
    await eventually(() => heard.length > 0 && denied.length > 0)
    expect(heard).toEqual(['skerry.v1.evt.vm.1.started'])
    await controller.close()
  })

  it('let an answer be given once only', async () => {
    const { agent, controller, denied } = setup()
    agent.serve(`skerry.v1.agent.kvm.${A}.do.>`, async () => 'done')
    await controller.request(`skerry.v1.agent.kvm.${A}.do.x`, null, { timeoutMs: 1_000 })
    agent.publish('_INBOX_ctl.m2.1', 'again')
    await eventually(() => denied.length === 1)
  })

  it('fail requests of a user that may not hear its inbox', async () => {
    const broker = memoryBroker()
    broker.connect().serve('x', async () => 'y')
    const mute = broker.connect({ subscribe: ['other'] })
    expect((await failure(mute.request('x', null, { timeoutMs: 1_000 }))).code).toBe('permission-denied')
  })
})
