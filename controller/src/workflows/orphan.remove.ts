/** Removing what nobody knew of: one commit at the end of the job, and tombstones for the agents that hold it. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { documentKey } from '../desired/project.ts'
import { partsOf } from '../orphans/adopt.ts'
import { dropOrphans } from '../orphans/find.ts'
import { input } from './input.ts'
import { type Action, afterwards, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

const orphanOf = ({ world, input: { uuid } }: EndCtx) => need(world.graph, 'orphan', uuid)

/** What other orphans on the same host stand on: nouns, and the field of their documents that names it. */
const standsOn: Record<string, { noun: string; names(spec: Row, below: Row): boolean }> = {
  bridge: {
    noun: 'vm',
    names: (spec, below) => (spec['nics'] as { bridge: string }[]).some((nic) => nic.bridge === (below['spec'] as Row)['name']),
  },
  router: { noun: 'lease', names: (spec, below) => spec['routerUuid'] === below['ownUuid'] },
  pool: { noun: 'volume', names: (spec, below) => spec['poolUuid'] === below['ownUuid'] },
}

function needFree(graph: Graph, orphan: Row): void {
  if (orphan['outside'] === true)
    throw new SkerryError(
      'illegal-state',
      `VM ${orphan['name']} was made without Skerry, which touches nothing that it did not make`,
      {
        orphanUuid: orphan['uuid'],
        hostUuid: orphan['hostUuid'],
      },
    )
  if (orphan['partOfUuid'] !== null) {
    const whole = graph.get('orphan', orphan['partOfUuid'] as string)
    throw new SkerryError('in-use', `${orphan['noun']} ${orphan['name']} is a part of VM ${whole?.['name']}: remove that`, {
      remove: orphan['partOfUuid'],
    })
  }
  const above = standsOn[orphan['noun'] as string]
  if (!above || orphan['spec'] === null) return
  const users = [...graph.by('orphan', 'hostUuid', orphan['hostUuid'])]
    .map((k) => graph.get('orphan', k)!)
    .filter((o) => o['noun'] === above.noun && o['spec'] !== null && above.names(o['spec'] as Row, orphan))
  if (users.length > 0)
    throw new SkerryError(
      'in-use',
      `${orphan['noun']} ${orphan['name']} is used by ${users.length} other orphans: see to them first`,
      {
        users: users.slice(0, 20).map((o) => ({ noun: o['noun'], name: o['name'], uuid: o['uuid'] })),
      },
    )
}

/** Tombstones for it and its parts, for the agents that hold them. */
function removal(ctx: EndCtx): { ops: Op[]; names: string[] } {
  const { graph, now } = ctx.world
  const uuids = [ctx.input.uuid, ...partsOf(graph, ctx.input.uuid)]
  const rows = uuids.map((k) => need(graph, 'orphan', k))
  const tombstones = rows.map((row): Op => {
    const { agentUuid, noun, ownUuid } = row as { agentUuid: string; noun: string; ownUuid: string }
    const of = `${noun}/${ownUuid}`
    const v = { agentUuid, noun, uuid: ownUuid, of, hash: '', tombstone: true, job: ctx.job }
    return { o: 'put', t: 'desired', k: documentKey({ agentUuid, noun, uuid: ownUuid }), v }
  })
  return { ops: [...tombstones, ...dropOrphans(graph, uuids, now())], names: rows.map((r) => `${r['noun']}/${r['ownUuid']}`) }
}

export const orphanRemove: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'orphan.remove',
    version: 1,
    input,
    steps: [{ name: 'check', noUndo: 'it only looks', do: (ctx: Ctx) => needFree(ctx.world.graph, orphanOf(ctx)) }],
    finish: (ctx: EndCtx) => {
      const { ops, names } = removal(ctx)
      const facts = [{ noun: 'orphan', uuid: ctx.input.uuid, event: 'removed', data: { names } }]
      const guards = [{ g: 'exists' as const, t: 'orphan', k: ctx.input.uuid }]
      return { change: { guards, ops, facts }, result: afterwards(names) }
    },
  }),
  check: ({ graph, uuid }) => needFree(graph, need(graph, 'orphan', uuid)),
}
