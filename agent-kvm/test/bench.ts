/** agent-kvm on a fake machine, a fake libvirt and the memory bus, with a controller's connection to talk to it. */
import { type Agent, type Log, openLedger, runAgent } from '@skerry/agent'
import { memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { bridgeName, type Document, type Status, status, subjects, type Tombstone } from '@skerry/contract'
import { fakeBlocks, fakeHost } from '@skerry/host'
import { type FakeOptions, fakeLibvirt } from '@skerry/libvirt'
import { expect, vi } from 'vitest'
import { kvmAgent } from '../src/kvm.ts'
import { doc, id, l2, vmSpec } from './documents.ts'

export const AGENT = id('e')
export const STATE = '/var/lib/skerry/agent-kvm'
const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent }

export async function bench(options: FakeOptions = {}) {
  const host = fakeHost({ nics: [{ name: 'eth0', cidr: '192.0.2.10/24' }, { name: 'eth1' }] })
  host.disk.makeDir('/var/lib/pool', 0o755)
  for (const n of ['1', '2', '3']) host.disk.put(`/var/lib/pool/${n}.raw`, new Uint8Array(512))
  const libvirt = fakeLibvirt({ images: fakeBlocks(host.disk), ...options })
  const broker = memoryBroker()
  const controller = broker.connect(rightsOf({ kind: 'controller' }))
  const statuses: Status[] = []
  controller.subscribe(subjects.statusOfAll, (m) => void statuses.push(status.parse(m.data)))
  const clock = { now: () => Date.now() }
  const faults: unknown[] = []
  const log: Log = { ...silent, error: (facts) => void faults.push(facts) }
  const agents: Agent[] = []

  async function start() {
    const ledger = await openLedger({ dir: `${STATE}/ledger`, files: host.files, clock })
    const bootId = await host.facts.bootId()
    const bus = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid: AGENT } }))
    let wake: () => void = () => undefined
    const parts = kvmAgent({
      host,
      libvirt,
      ledger,
      timers: realTimers,
      monotonicMs: () => performance.now(),
      agentUuid: AGENT,
      bootId,
      stateDir: STATE,
      domainType: 'qemu',
      signal: () => wake(),
      bus: () => bus,
    })
    const { modules, commands } = parts
    const agent = runAgent({
      identity: { kind: 'kvm', uuid: AGENT, machineId: id(1), bootId },
      bus,
      modules,
      commands,
      ledger,
      clock,
      timers: realTimers,
      random: () => 0.5,
      version: '0.1.0',
      log,
      inventory: parts.inventory,
      config: { drainMs: 50 },
    })
    wake = () => agent.signal()
    agents.push(agent)
    return { agent, ledger, modules }
  }
  const ask = async (verb: string, data: unknown, noun = 'agent', uuid = AGENT) =>
    (await controller.request(subjects.do('kvm', AGENT, noun, uuid, verb), data, { timeoutMs: 5_000 })).data
  const command = async (
    noun: string,
    uuid: string,
    verb: string,
    input: Record<string, unknown>,
    commandId = `c${Math.random()}`.replace('.', ''),
  ) =>
    (
      (await ask(verb, { id: commandId, deadlineMs: 5_000, epoch: 1, mode: 'apply', input }, noun, uuid)) as {
        output: Record<string, unknown>
      }
    ).output
  const sync = (...documents: (Document | Tombstone)[]) => ask('sync', { documents, epoch: 1 })
  const last = (uuid: string) => statuses.findLast((s) => s.uuid === uuid)
  const stop = async () => {
    for (const agent of agents) await agent.stop()
    await controller.close()
  }
  const domain = (uuid: string) => libvirt.inventory().find((d) => d.uuid === uuid)
  return { host, libvirt, broker, controller, statuses, faults, start, ask, command, sync, last, stop, domain, clock }
}

export type Bench = Awaited<ReturnType<typeof bench>>

/** Ends it; nothing went wrong in it that nobody looked at. */
export async function endWell({ stop, libvirt, faults }: Bench): Promise<void> {
  await stop()
  expect(libvirt.handlerErrors).toEqual([])
  expect(faults).toEqual([])
}

export const until = (check: () => void) => vi.waitFor(check, { interval: 5 })

/** The bridge of the L2 network of `vmSpec`. */
export const bridge = (over = {}) => doc('bridge', l2, 1, { name: bridgeName(l2), physicalInterface: null, mtu: null, ...over })

/** With that bridge, and VM 1 running on it. */
export async function runningVm(b: Bench, over: Partial<Parameters<typeof vmSpec>[1]> = {}) {
  const started = await b.start()
  const vm = id('1')
  await b.sync(bridge(), doc('vm', vm, 1, vmSpec('1', over)))
  await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running' } }))
  return started
}
