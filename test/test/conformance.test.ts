/** Our own agents, on a machine in memory, against the protocol that every agent keeps to. */
import { type Sample, tryAgent } from '@skerry/agent/conformance'
import { rightsOf } from '@skerry/bus'
import type { AgentKind } from '@skerry/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { newUuid } from '../harness/zstack-client.ts'

const samples: Record<AgentKind, Sample> = {
  kvm: {
    document: { noun: 'bridge', schema: 1, spec: { name: 'skbrconform', physicalInterface: null, mtu: null } },
    command: { noun: 'vm', verb: 'reboot', input: { graceMs: 0 } },
  },
  storage: {
    document: { noun: 'pool', schema: 1, spec: { path: '/data/conformance', kind: 'primary' } },
    command: { noun: 'image', verb: 'remove', input: { storePath: '/data/images', sha256: null } },
  },
  vrouter: {
    document: {
      noun: 'router',
      schema: 1,
      spec: {
        ...{ bridge: 'skbrconform', cidrs: [{ cidr: '10.9.0.0/24', gateway: '10.9.0.1' }], mtu: null, domain: null, dns: [] },
        ...{ services: { dhcp: false, dns: false, snat: false }, uplink: null, leaseSeconds: 3600 },
      },
    },
    command: {
      ...{ noun: 'router', verb: 'allow-tunnel', reads: true },
      input: { tokenHash: 'a'.repeat(64), ttlMs: 1_000, address: '10.9.0.7', port: 22 },
    },
  },
}

let site: SmallSite
beforeAll(async () => {
  site = await startSmallSite()
  await site.settled()
  // The trial is their controller now.
  await site.controller.stop()
})
afterAll(() => site?.stop())

it('agent-kvm, agent-storage and agent-vrouter keep to the protocol', async () => {
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  const kinds = Object.keys(samples) as AgentKind[]
  const tried = await Promise.all(
    kinds.map(async (kind) => {
      const bus = site.broker.connect(rightsOf({ kind: 'controller' }))
      const agent = { kind, uuid: site.machine.agents[kind] }
      const results = await tryAgent({ bus, agent, sample: samples[kind], newId: newUuid, sleep, timeoutMs: 10_000 })
      await bus.close()
      return { kind, results }
    }),
  )
  for (const { kind, results } of tried) {
    expect(
      results.filter(({ outcome }) => outcome === 'failed'),
      kind,
    ).toEqual([])
    expect(results.filter(({ outcome }) => outcome === 'skipped').length, kind).toBeLessThanOrEqual(kind === 'vrouter' ? 1 : 0)
  }
}, 60_000)
