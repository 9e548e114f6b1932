/** A small world on a real graph: VMs that take capacity and an address in the graph, and disks and a domain on a host. */
import type { Change } from '@skerry/contract'
import { Graph, guardError } from '@skerry/graph'
import { z } from 'zod'
import type { MemoryJournal } from '../src/index.ts'
import { graphInventory, memoryJournal, parallel, type Step, type StepContext, type Workflow } from '../src/index.ts'

export interface ToyHost {
  disks: Set<string>
  taps: Set<string>
  domains: Set<string>
}

export interface ToyWorld {
  graph: Graph
  host: ToyHost
  commit(change: Change): Promise<void>
}

export type ToyInput = { vm: string; cpus: number; backup: boolean }
type Ctx = StepContext<ToyInput, ToyWorld>

export function toyWorld(): ToyWorld {
  const graph = new Graph({ vm: { indexes: ['state'] } })
  const world: ToyWorld = {
    graph,
    host: { disks: new Set(['alien']), taps: new Set(), domains: new Set() },
    commit: async ({ guards = [], ops }) => {
      const failure = graph.tryApply(structuredClone({ guards, ops }), graph.seq + 1)
      if (failure) throw guardError(failure)
    },
  }
  graph.apply({ ops: [{ o: 'put', t: 'host', k: 'h', v: { free: 4 } }] }, 1)
  graph.apply({ ops: [{ o: 'put', t: 'vm', k: 'v1', v: { uuid: 'v1', state: 'Created' } }] }, 2)
  return world
}

export function toyInventory({ graph, host }: ToyWorld): unknown {
  return { tables: graphInventory(graph), host }
}

export async function madeWorld(): Promise<{ world: ToyWorld; input: ToyInput; journal: MemoryJournal; inventory(): unknown }> {
  const world = toyWorld()
  return {
    world,
    input: { vm: 'v1', cpus: 2, backup: false },
    journal: memoryJournal(world.commit),
    inventory: () => toyInventory(world),
  }
}

const reserve: Step<ToyInput, ToyWorld> = {
  name: 'reserve',
  do: ({ input: { vm, cpus } }) => ({
    change: {
      guards: [{ g: 'counter', t: 'host', k: 'h', field: 'free', delta: -cpus, min: 0 }],
      ops: [
        { o: 'add', t: 'host', k: 'h', field: 'free', delta: -cpus },
        { o: 'put', t: 'slot', k: vm, v: { cpus } },
      ],
    },
  }),
  undo: ({ input: { vm }, world: { graph } }) => {
    const slot = graph.get('slot', vm)
    if (slot === undefined) return
    const back = { o: 'add', t: 'host', k: 'h', field: 'free', delta: slot['cpus'] as number } as const
    return { change: { guards: [{ g: 'exists', t: 'slot', k: vm }], ops: [back, { o: 'del', t: 'slot', k: vm }] } }
  },
}

const address: Step<ToyInput, ToyWorld> = {
  name: 'address',
  output: z.object({ ip: z.string() }),
  do: ({ input: { vm }, world: { graph } }) => {
    let n = 2
    while (graph.get('usedIp', `10.0.0.${n}`)) n++
    const ip = `10.0.0.${n}`
    return {
      output: { ip },
      change: { guards: [{ g: 'absent', t: 'usedIp', k: ip }], ops: [{ o: 'put', t: 'usedIp', k: ip, v: { vm } }] },
    }
  },
  undo: ({ input: { vm }, world: { graph } }) => {
    const mine = [...graph.rows('usedIp')].filter(([, row]) => row['vm'] === vm)
    return { change: { ops: mine.map(([k]) => ({ o: 'del', t: 'usedIp', k })) } }
  },
}

/** A thing on the host, made under the name of the VM. */
export const thing = (name: string, where: keyof ToyHost): Step<ToyInput, ToyWorld> => ({
  name,
  do: async ({ input, world }) => void world.host[where].add(input.vm),
  undo: async ({ input, world }) => void world.host[where].delete(input.vm),
})

export function vmCreate(): Workflow<ToyInput, ToyWorld> {
  return {
    name: 'vm.create',
    version: 3,
    input: z.object({ vm: z.string(), cpus: z.number(), backup: z.boolean() }),
    steps: [
      reserve,
      address,
      parallel('devices', [thing('disk', 'disks'), thing('tap', 'taps')]),
      { ...thing('backup', 'disks'), when: ({ input }: Ctx) => input.backup },
      thing('define', 'domains'),
      { name: 'announce', do: () => {}, noUndo: 'readers read again' },
    ],
    finish: ({ input, outputs }) => ({
      change: {
        guards: [{ g: 'field', t: 'vm', k: input.vm, field: 'state', in: ['Created'] }],
        ops: [{ o: 'set', t: 'vm', k: input.vm, v: { state: 'Running', ip: outputs['address'].ip } }],
      },
      result: { uuid: input.vm },
    }),
  }
}
