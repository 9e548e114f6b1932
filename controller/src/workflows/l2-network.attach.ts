/** An L2 network on the hosts of a cluster: a bridge each. */
import { SkerryError } from '@skerry/contract'
import { attachment } from './attachment.ts'
import type { CheckInput, Ctx } from './world.ts'

const ends = {
  table: 'l2Network',
  field: 'attachedClusterUuids',
  self: 'l2NetworkUuid',
  other: 'clusterUuid',
  otherTable: 'cluster',
} as const
const name = (ctx: Ctx) => `bridge/${ctx.input.params['l2NetworkUuid']}`

export const l2NetworkAttach = attachment(
  {
    ...ends,
    workflow: 'l2Network.attach',
    check: ({ graph, params }: CheckInput) => {
      const zones = [
        graph.get('l2Network', params['l2NetworkUuid'] as string)?.['zoneUuid'],
        graph.get('cluster', params['clusterUuid'] as string)?.['zoneUuid'],
      ]
      if (zones[0] !== zones[1])
        throw new SkerryError('invalid-argument', 'the network and the cluster are in different zones', { zones })
    },
    steps: [
      {
        name: 'make-bridges',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([name(ctx)], ctx)),
        noUndo: 'taking the cluster out of the list removes the bridges',
        optional: 'the call answers before the hosts have the bridges',
      },
    ],
  },
  true,
)

export const l2NetworkDetach = attachment(
  {
    ...ends,
    workflow: 'l2Network.detach',
    check: ({ graph, params }: CheckInput) => {
      for (const l3 of graph.by('l3Network', 'l2NetworkUuid', params['l2NetworkUuid'])) {
        for (const nic of graph.by('vmNic', 'l3NetworkUuid', l3)) {
          const vm = graph.get('vmInstance', graph.get('vmNic', nic)?.['vmInstanceUuid'] as string)
          if (vm?.['clusterUuid'] === params['clusterUuid'])
            throw new SkerryError('in-use', `VM instance ${vm?.['name']} of this cluster is on the network`, {
              vmInstanceUuid: vm?.['uuid'],
            })
        }
      }
    },
    steps: [
      {
        name: 'remove-bridges',
        do: async (ctx: Ctx) => void (await ctx.world.agents.gone([name(ctx)], Math.min(30_000, ctx.remainingMs()))),
        noUndo: 'putting the cluster back into the list makes the bridges again',
      },
    ],
  },
  false,
)
