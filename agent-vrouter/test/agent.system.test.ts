/** The agent as it runs: its own timers and watches, a memory bus, a ledger on disk. Nobody calls for a pass. */
import { type Agent, type Log, openLedger, runAgent, specHash } from '@skerry/agent'
import { memoryBroker, realTimers } from '@skerry/bus'
import { type Document, inventoryReply, type Status, subjects, type Tombstone } from '@skerry/contract'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { buildVrouter } from '../src/build.ts'
import { watchFolder } from '../src/leases/folder-watch.ts'
import { routerDir } from '../src/routers/service.ts'
import { type Guest, Lab } from './lab.ts'
import { leaseSpec, newUuid, routerSpec } from './world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const [agentUuid, router, nic, buriedNic] = [newUuid(), newUuid(), newUuid(), newUuid()]
const bridge = `skbrc${lab.suffix}`
const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent }
const broker = memoryBroker()
const controller = broker.connect()
const statuses = new Map<string, Status>()
let agent: Agent
let guest: Guest
let seq = 0

async function startAgain(): Promise<void> {
  const ledger = await openLedger({ dir: `${lab.stateDir}/ledger`, files: lab.host.files, clock: { now: () => Date.now() } })
  const bus = broker.connect()
  const identity = { kind: 'vrouter' as const, uuid: agentUuid, machineId: newUuid(), bootId: 'b' }
  const context = {
    stateDir: lab.stateDir,
    timers: realTimers,
    log: silent,
    signal: () => agent.signal(),
    bus: () => bus,
    unseal: () => Buffer.alloc(0),
    identity,
  }
  const parts = await buildVrouter(lab.host, context, { watchFolder })
  agent = runAgent({
    identity,
    bus,
    ...parts,
    ledger,
    clock: { now: () => Date.now() },
    timers: realTimers,
    random: Math.random,
    version: '0.0.0',
    log: silent,
    // so rarely that whatever happens in time was told by the watch
    config: { reconcileIntervalMs: 3_600_000 },
  })
  stop = async () => {
    await agent.stop()
    await parts.stop?.()
  }
}
let stop: () => Promise<void> = async () => undefined

const doc = (noun: string, uuid: string, spec: object): Document => {
  seq += 1
  return { noun, uuid, schema: 1, generation: { incarnation: 1, seq }, hash: specHash(spec), job: null, spec: { ...spec } }
}
const sync = (documents: (Document | Tombstone)[]) =>
  controller.request(subjects.do('vrouter', agentUuid, 'agent', agentUuid, 'sync'), { documents, epoch: 1 }, { timeoutMs: 5_000 })
const told = (uuid: string, what: Partial<Status>) =>
  vi.waitFor(() => expect(statuses.get(uuid)).toMatchObject(what), { timeout: 20_000, interval: 20 })
const pid = async () => (await lab.host.dnsmasq.running(routerDir(lab.stateDir, router)))?.pid

describe.runIf(requireOrSkip('agent-vrouter as it runs', { root: true, programs: ['ip', 'nft', 'dnsmasq', 'busybox'] }))(
  'the agent',
  () => {
    beforeAll(async () => {
      await lab.up()
      controller.subscribe(subjects.status('vrouter', agentUuid, '*', '*'), ({ data }) => {
        const status = data as Status
        statuses.set(status.uuid, status)
      })
      await startAgain()
    })
    afterAll(async () => {
      await stop()
      await lab.down([router])
    })

    test('waits for the bridge of another agent, then tells that the router is ready', async () => {
      await sync([
        doc('router', router, routerSpec(bridge)),
        doc('lease', nic, leaseSpec(router, 10)),
        doc('lease', buriedNic, leaseSpec(router, 11)),
      ])
      await told(router, { condition: 'Failed' })
      await lab.bridge(bridge)
      guest = await lab.guest('c', bridge)
      await told(router, { condition: 'Ready' })
      await told(nic, { condition: 'Ready', observed: { leased: false, expiresAt: null } })
    })

    test('tells a lease as soon as the guest has it', async () => {
      await guest.dhcp('02:00:00:00:00:0a')
      const gotMs = performance.now()
      await told(nic, { observed: { leased: true, expiresAt: expect.any(Number) as never } })
      console.log(`lease told ${Math.round(performance.now() - gotMs)} ms after the guest had it`)
    })

    test('ends and starts again without touching dnsmasq', async () => {
      const before = await pid()
      await stop()
      expect(await pid()).toBe(before)
      await startAgain()
      await agent.reconciler.pass()
      expect(await pid()).toBe(before)
      expect(agent.reconciler.statuses().find((s) => s.uuid === nic)).toMatchObject({
        condition: 'Ready',
        observed: { leased: true },
      })
    })

    test('brings a killed dnsmasq back by itself', async () => {
      const before = (await pid()) as number
      await vi.waitFor(() => pid(), { timeout: 1_000 })
      process.kill(before, 'SIGKILL')
      await vi.waitFor(async () => expect([undefined, before]).not.toContain(await pid()), { timeout: 20_000, interval: 50 })
    })

    test('answers inventory and removes all at a tombstone', async () => {
      const ask = async () => {
        const { data } = await controller.request(
          subjects.do('vrouter', agentUuid, 'agent', agentUuid, 'inventory'),
          {},
          { timeoutMs: 5_000 },
        )
        const { items } = inventoryReply.parse(data)
        return items.filter((i) => JSON.stringify(i).includes(router.slice(0, 11))).map((i) => i.kind)
      }
      expect((await ask()).sort()).toEqual([
        'dhcp-host',
        'dhcp-host',
        'dhcp-lease',
        'dnsmasq',
        'netns',
        'router-port',
        'router-uplink',
        'snat',
      ])
      seq += 1
      const tomb = (noun: string, uuid: string): Tombstone => ({
        noun,
        uuid,
        generation: { incarnation: 1, seq },
        job: null,
        tombstone: true,
      })
      await sync([tomb('router', router), tomb('lease', nic), tomb('lease', buriedNic)])
      await told(router, { condition: 'Gone' })
      await told(nic, { condition: 'Gone' })
      expect(await ask()).toEqual([])
    })
  },
)
