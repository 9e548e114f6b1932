/** Hosts: bound to the agents that were enrolled from their address, or that the deploy strategy brings there. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { bringAgents } from '../deploy/bring.ts'
import { agentOn } from '../desired/agents-of.ts'
import { cpusOf } from '../place/cpus.ts'
import { vtepsToGet } from '../place/vtep.ts'
import { input } from './input.ts'
import { connectParts, dropParts } from './storage-parts.ts'
import { type Action, baseRow, type Ctx, derivedId, type Input, need, touch, type World } from './world.ts'

const facts = z.object({
  cpuNum: z.number(),
  cpuSockets: z.number(),
  architecture: z.string(),
  totalMemory: z.number(),
  osDistribution: z.string(),
  osRelease: z.string(),
  osVersion: z.string(),
  domainType: z.enum(['kvm', 'qemu']),
  bootId: z.string(),
  addresses: z.array(z.object({ dev: z.string(), cidr: z.string() })).optional(),
})

/** Agents enrolled from an address that no host has yet. All of one machine: two machines behind one address are told apart by machineId. */
export function enrolledAt(graph: Graph, managementIp: string): Row[] {
  return [...graph.by('agent', 'managementIp', managementIp)]
    .map((k) => graph.get('agent', k)! as Row)
    .filter((a) => a['hostUuid'] === null)
}

/** The agents to bind, or `agent-absent` with the command that makes one. */
function bindable(graph: Graph, managementIp: string): Row[] {
  const agents = enrolledAt(graph, managementIp)
  if (!agents.some((a) => a['kind'] === 'kvm')) {
    const hint = `skerry agent token, then on ${managementIp}: skerry-agent-kvm --controller <url of this controller> --management-ip ${managementIp} --token-file <file>`
    throw new SkerryError('agent-absent', `no agent-kvm is enrolled from ${managementIp}`, { managementIp, run: hint })
  }
  return agents
}

const hostRow = (ctx: Ctx): Row => {
  const p = ctx.input.params
  const cluster = need(ctx.world.graph, 'cluster', p['clusterUuid'])
  return {
    ...baseRow(ctx),
    zoneUuid: cluster['zoneUuid'],
    clusterUuid: p['clusterUuid'],
    managementIp: p['managementIp'],
    hypervisorType: 'KVM',
    state: 'Enabled',
    status: 'Connecting',
    totalCpuCapacity: 0,
    availableCpuCapacity: 0,
    cpuSockets: 0,
    cpuNum: 0,
    totalMemoryCapacity: 0,
    availableMemoryCapacity: 0,
    architecture: null,
    username: p['username'],
    sshPort: p['sshPort'] ?? 22,
    password: p['password'],
    osDistribution: null,
    osRelease: null,
    osVersion: null,
    domainType: null,
    bootId: null,
    disconnectCause: null,
  }
}

const bind: Step<Input, World> = {
  name: 'bind-agents',
  output: z.object({ agents: z.array(z.string()) }),
  do: async (ctx: Ctx) => {
    const { graph } = ctx.world
    const managementIp = ctx.input.params['managementIp'] as string
    if (graph.get('host', ctx.input.uuid)) return { output: { agents: [...graph.by('agent', 'hostUuid', ctx.input.uuid)] } }
    await bringAgents(ctx, managementIp, 'kvm')
    const agents = bindable(graph, managementIp).map((a) => a['uuid'] as string)
    return {
      output: { agents },
      change: {
        guards: [
          { g: 'absent', t: 'host', k: ctx.input.uuid },
          { g: 'exists', t: 'cluster', k: ctx.input.params['clusterUuid'] as string },
          ...agents.map((k) => ({ g: 'field' as const, t: 'agent', k, field: 'hostUuid', in: [null] })),
        ],
        ops: [
          { o: 'put', t: 'host', k: ctx.input.uuid, v: hostRow(ctx) },
          ...agents.map((k): Op => ({ o: 'set', t: 'agent', k, v: { hostUuid: ctx.input.uuid } })),
        ],
        facts: [{ noun: 'host', uuid: ctx.input.uuid, event: 'created' }],
      },
    }
  },
  undo: (ctx: Ctx) => {
    const { graph } = ctx.world
    const ops: Op[] = [...graph.by('agent', 'hostUuid', ctx.input.uuid)].map((k) => ({
      o: 'set',
      t: 'agent',
      k,
      v: { hostUuid: null },
    }))
    if (graph.get('host', ctx.input.uuid)) ops.push({ o: 'del', t: 'host', k: ctx.input.uuid })
    return { change: { ops } }
  },
}

/** What a host tells of its addresses: with that it gets the VTEPs that it lacks. */
function addressed(ctx: Ctx, addresses: z.infer<typeof facts>['addresses']): Op[] {
  const { graph, now } = ctx.world
  const host = need(graph, 'host', ctx.input.uuid)
  if (!addresses) return []
  const same = JSON.stringify(host['addresses']) === JSON.stringify(addresses)
  const idOf = (poolUuid: string) => derivedId(ctx, `vtep/${poolUuid}`)
  const vteps = vtepsToGet(graph, { ...host, addresses }, { idOf, now: now() })
  return [...(same ? [] : [{ o: 'set' as const, t: 'host', k: ctx.input.uuid, v: { addresses } }]), ...vteps]
}

const ask: Step<Input, World> = {
  name: 'ask-facts',
  output: facts,
  noUndo: 'what a host tells stays so',
  do: async (ctx: Ctx) => {
    const agent = agentOn(ctx.world.graph, ctx.input.uuid, 'kvm')
    if (!agent) throw new SkerryError('agent-absent', `no agent-kvm serves host ${ctx.input.uuid}`, { hostUuid: ctx.input.uuid })
    const output = await ctx.world.agents.command(
      agent,
      { id: `${ctx.commandId}_${ctx.world.now()}`, noun: 'host', uuid: ctx.input.uuid, verb: 'facts', input: {} },
      ctx,
    )
    const ops = addressed(ctx, facts.parse(output).addresses)
    return { output, ...(ops.length > 0 ? { change: { ops } } : {}) }
  },
}

/** A host that is not added has no VTEPs. */
const askNew: Step<Input, World> = {
  ...ask,
  noUndo: undefined,
  undo: (ctx: Ctx) => ({
    change: { ops: [...ctx.world.graph.by('vtep', 'hostUuid', ctx.input.uuid)].map((k): Op => ({ o: 'del', t: 'vtep', k })) },
  }),
} as Step<Input, World>

/** What all agents of the host must have before guests can start there: bridges of its cluster's networks, folders of its storage. */
const prepare: Step<Input, World> = {
  name: 'prepare',
  noUndo: 'removing the host row removes its bridges and empty folders',
  do: async (ctx: Ctx) => {
    const { graph, agents } = ctx.world
    const cluster = graph.get('host', ctx.input.uuid)?.['clusterUuid']
    const names = () => [
      ...[...graph.by('l2Network', 'attachedClusterUuids', cluster)].map((k) => `bridge/${k}`),
      ...[...graph.by('primaryStorage', 'attachedClusterUuids', cluster)].map((k) => `pool/${k}`),
    ]
    for (;;) {
      try {
        return void (await agents.converge(names(), ctx))
      } catch (error) {
        // A network that is deleted at this moment keeps no host from being ready: the others are waited for.
        if (!(error instanceof SkerryError && error.code === 'conflict')) throw error
      }
    }
  },
}

const record: Step<Input, World> = {
  name: 'record',
  do: (ctx: Ctx) => {
    const { graph } = ctx.world
    const host = need(graph, 'host', ctx.input.uuid)
    const f = ctx.outputs['ask-facts'] as z.infer<typeof facts>
    const totalCpuCapacity = cpusOf(graph, { ...host, cpuNum: f.cpuNum })
    const grownCpu = totalCpuCapacity - (host['totalCpuCapacity'] as number)
    const grownMemory = f.totalMemory - (host['totalMemoryCapacity'] as number)
    const storages = [...graph.by('primaryStorage', 'attachedClusterUuids', host['clusterUuid'])]
    return {
      change: {
        ops: [
          touch(ctx, 'host', ctx.input.uuid, {
            status: 'Connected',
            disconnectCause: null,
            totalCpuCapacity,
            cpuNum: f.cpuNum,
            cpuSockets: f.cpuSockets,
            totalMemoryCapacity: f.totalMemory,
            architecture: f.architecture,
            osDistribution: f.osDistribution,
            osRelease: f.osRelease,
            osVersion: f.osVersion,
            domainType: f.domainType,
            bootId: f.bootId,
          }),
          { o: 'add', t: 'host', k: ctx.input.uuid, field: 'availableCpuCapacity', delta: grownCpu },
          { o: 'add', t: 'host', k: ctx.input.uuid, field: 'availableMemoryCapacity', delta: grownMemory },
          ...storages.flatMap((ps) => connectParts(ctx, ps, [ctx.input.uuid])),
        ],
        facts: [{ noun: 'host', uuid: ctx.input.uuid, event: 'connected' }],
      },
    }
  },
  undo: (ctx: Ctx) => ({
    change: { ops: dropParts(ctx.world.graph, ctx.world.graph.by('localStorageHost', 'hostUuid', ctx.input.uuid)) },
  }),
}

export const hostAdd: Action = {
  workflow: defineWorkflow<Input, World>({ name: 'host.add', version: 1, input, steps: [bind, askNew, prepare, record] }),
  check({ graph, params, uuid, deploys }) {
    const cluster = need(graph, 'cluster', params['clusterUuid'])
    if (cluster['hypervisorType'] !== 'KVM')
      throw new SkerryError('invalid-argument', `cluster ${cluster['name']} is for ${cluster['hypervisorType']}`)
    if (graph.get('host', uuid)) throw new SkerryError('duplicate-uuid', `a host with uuid ${uuid} exists`, { uuid })
    const taken = [...graph.by('host', 'managementIp', params['managementIp'])]
    if (taken.length > 0 && enrolledAt(graph, params['managementIp'] as string).length === 0)
      throw new SkerryError('invalid-argument', `a host with address ${params['managementIp']} exists`, { hostUuid: taken[0] })
    if (!deploys?.(params['managementIp'] as string)) bindable(graph, params['managementIp'] as string)
  },
}

/** A reconnect that fails leaves the host as it was; what it found is recorded only at the end. */
export const hostReconnect: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'host.reconnect',
    version: 1,
    input,
    steps: [
      ask,
      prepare,
      { ...record, undo: undefined, noUndo: 'it records what was found; the next look corrects it' } as Step<Input, World>,
    ],
  }),
  check: ({ graph, uuid }) => void need(graph, 'host', uuid),
}
