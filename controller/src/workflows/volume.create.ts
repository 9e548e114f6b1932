/** A new data volume. Without a storage it is only a row: it gets its place with its first VM, on that VM's host. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { needAllHeard } from '../orphans/reunite.ts'
import { needPool } from '../place/pool.ts'
import { input } from './input.ts'
import { offeredQos } from './volume.limits.ts'
import { dataVolumeRow, giveRoom, placed, takeRoom } from './volume.rows.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, needEnabled, type World } from './world.ts'

/** How long a failed making waits for agents to clean up before it says so; their tombstones stay. */
export const CLEAN_UP_MS = 30_000

const place = z.object({ hostUuid: z.string(), primaryStorageUuid: z.string() }).nullable()
type Place = z.infer<typeof place>
const placeOf = (ctx: Ctx) => (ctx.outputs['choose'] as { place: Place } | undefined)?.place ?? null
const rowOf = (ctx: Ctx) => ctx.world.graph.get('volume', ctx.input.uuid)

/** Bytes: the offering's, unless the call says its own (0 says nothing). */
function sizeOf(graph: Graph, params: Row): number {
  const offering = params['diskOfferingUuid'] ? needEnabled(graph, 'diskOffering', params['diskOfferingUuid']) : undefined
  const size = (offering?.['diskSize'] ?? params['diskSize'] ?? 0) as number
  if (size < 1) throw new SkerryError('invalid-argument', 'give a diskOfferingUuid, or a diskSize of at least 1 byte', { size })
  return size
}

const HOST_TAG = /^localStorage::hostUuid::([0-9a-f]{32})$/

/** Only a call that names a storage wants its volume made at once. On local storage that needs a host too (ZStack's system tag). */
function wantedPlace(graph: Graph, params: Row): Place {
  const storage = params['primaryStorageUuid']
  if (!storage) return null
  const { name, uuid } = needEnabled(graph, 'primaryStorage', storage) as { name: string; uuid: string }
  const tagged = ((params['systemTags'] as string[] | undefined) ?? []).flatMap((tag) => HOST_TAG.exec(tag)?.[1] ?? [])
  const parts = [...graph.by('localStorageHost', 'primaryStorageUuid', uuid)].map((k) => graph.get('localStorageHost', k)!)
  const hosts = tagged.length > 0 ? tagged : parts.map((part) => part['hostUuid'] as string)
  if (hosts.length !== 1)
    throw new SkerryError(
      'invalid-argument',
      `primary storage ${name} is on ${parts.length} hosts: say which one by the system tag localStorage::hostUuid::<uuid>, or leave primaryStorageUuid out`,
      { primaryStorageUuid: uuid, hosts: parts.slice(0, 20).map((part) => part['hostUuid']) },
    )
  const host = need(graph, 'host', hosts[0])
  needAllHeard(graph)
  return {
    hostUuid: host['uuid'] as string,
    primaryStorageUuid: needPool(graph, { host, primaryStorageUuid: uuid, diskBytes: sizeOf(graph, params) }),
  }
}

export const volumeCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'volume.create',
    version: 1,
    input,
    steps: [
      {
        name: 'choose',
        output: z.object({ place }),
        do: (ctx: Ctx) => ({ output: { place: wantedPlace(ctx.world.graph, ctx.input.params) } }),
        // The last undo: the row is gone by now, and the agent is removing what it had made.
        undo: async (ctx: Ctx) => void (placeOf(ctx) && (await ctx.world.agents.gone([`volume/${ctx.input.uuid}`], CLEAN_UP_MS))),
      },
      {
        name: 'persist',
        do: (ctx: Ctx) => {
          const { graph, now } = ctx.world
          const { uuid, params } = ctx.input
          if (rowOf(ctx)) return {}
          const at = placeOf(ctx)
          const size = sizeOf(graph, params)
          const { name, description } = baseRow(ctx)
          const row: Row = {
            ...dataVolumeRow({ uuid, name, description, size }, now()),
            diskOfferingUuid: params['diskOfferingUuid'] ?? null,
            qos: offeredQos(graph, params['diskOfferingUuid']),
            ...(at ? placed(graph, uuid, at) : {}),
          }
          const room = at ? takeRoom(graph, at, size) : { guards: [], ops: [] }
          return {
            change: {
              guards: [{ g: 'absent', t: 'volume', k: uuid }, ...room.guards],
              ops: [{ o: 'put', t: 'volume', k: uuid, v: row }, ...room.ops],
              facts: [{ noun: 'volume', uuid, event: 'created' }],
            },
          }
        },
        undo: (ctx: Ctx) => {
          const row = rowOf(ctx)
          return row
            ? { change: { ops: [{ o: 'del' as const, t: 'volume', k: ctx.input.uuid }, ...giveRoom(ctx.world.graph, row)] } }
            : {}
        },
      },
      {
        name: 'make-volume',
        when: (ctx: Ctx) => placeOf(ctx) !== null,
        do: (ctx: Ctx) => makeVolume(ctx, ctx.input.uuid),
        noUndo: 'removing the row removes the file',
      },
    ],
  }),
  check({ graph, params, uuid }: CheckInput) {
    if (graph.get('volume', uuid)) throw new SkerryError('duplicate-uuid', `a volume with uuid ${uuid} exists`, { uuid })
    sizeOf(graph, params)
    offeredQos(graph, params['diskOfferingUuid'])
    wantedPlace(graph, params)
  },
}

/** Waits until the agent has made the file; then the volume is Ready. */
export async function makeVolume(ctx: Ctx, uuid: string) {
  const [status] = await ctx.world.agents.converge([`volume/${uuid}`], ctx)
  const actualSize = (status?.observed['actualBytes'] as number | undefined) ?? null
  return { change: { ops: [{ o: 'set' as const, t: 'volume', k: uuid, v: { status: 'Ready', actualSize } }] } }
}
