/** Image stores: a folder on a host that has agent-storage. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { agentsAt, bringAgents } from '../deploy/bring.ts'
import { attachment } from './attachment.ts'
import { type Answer, answer, connectedOps, connectSftp, isSftp } from './backup-storage.sftp.ts'
import { input } from './input.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

/** agent-storage enrolled from that address, bound to a host or not. */
function agentAt(graph: Graph, hostname: string): string {
  const [agent] = agentsAt(graph, hostname, 'storage')
  if (agent) return agent
  throw new SkerryError('agent-absent', `no agent-storage is enrolled from ${hostname}`, {
    hostname,
    run: `skerry agent token, then on ${hostname}: skerry-agent-storage --controller <url of this controller> --management-ip ${hostname} --token-file <file>`,
  })
}

function record(ctx: Ctx) {
  const { graph, agents } = ctx.world
  const row = need(graph, 'backupStorage', ctx.input.uuid)
  const observed = agents.status(row['agentUuid'] as string, 'pool', ctx.input.uuid)?.observed as
    | { totalBytes: number; availableBytes: number }
    | undefined
  const delta = (field: string, value: number) => ({
    o: 'add' as const,
    t: 'backupStorage',
    k: ctx.input.uuid,
    field,
    delta: value - (row[field] as number),
  })
  return {
    change: {
      ops: [
        { o: 'set' as const, t: 'backupStorage', k: ctx.input.uuid, v: { status: 'Connected' } },
        ...(observed ? [delta('totalCapacity', observed.totalBytes), delta('availableCapacity', observed.availableBytes)] : []),
      ],
    },
  }
}

const makeFolder = {
  name: 'make-folder',
  do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`pool/${ctx.input.uuid}`], ctx)),
  noUndo: 'removing the row removes the folder, which is still empty',
}

export const backupStorageAdd: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'backupStorage.add',
    version: 1,
    input,
    steps: [
      {
        name: 'create',
        do: async (ctx: Ctx) => {
          const p = ctx.input.params
          if (ctx.world.graph.get('backupStorage', ctx.input.uuid)) return {}
          await bringAgents(ctx, p['hostname'] as string, 'storage')
          const row: Row = {
            ...baseRow(ctx),
            url: p['url'],
            type: 'ImageStoreBackupStorage',
            state: 'Enabled',
            status: 'Connecting',
            totalCapacity: 0,
            availableCapacity: 0,
            attachedZoneUuids: [],
            hostname: p['hostname'],
            username: p['username'],
            sshPort: p['sshPort'] ?? 22,
            password: p['password'],
            agentUuid: agentAt(ctx.world.graph, p['hostname'] as string),
          }
          return {
            change: {
              guards: [{ g: 'absent', t: 'backupStorage', k: ctx.input.uuid }],
              ops: [{ o: 'put', t: 'backupStorage', k: ctx.input.uuid, v: row }],
              facts: [{ noun: 'backupStorage', uuid: ctx.input.uuid, event: 'created' }],
            },
          }
        },
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('backupStorage', ctx.input.uuid)
            ? { change: { ops: [{ o: 'del' as const, t: 'backupStorage', k: ctx.input.uuid }] } }
            : {},
      },
      makeFolder,
      { name: 'connect', do: record, noUndo: 'removing the row takes it along' },
    ],
  }),
  check(i: CheckInput) {
    if (i.graph.get('backupStorage', i.uuid))
      throw new SkerryError('duplicate-uuid', `a backup storage with uuid ${i.uuid} exists`, { uuid: i.uuid })
    const hostname = i.params['hostname'] as string
    if (i.deploys?.(hostname) && agentsAt(i.graph, hostname, 'storage').length === 0) return
    const agent = agentAt(i.graph, hostname)
    for (const key of i.graph.by('backupStorage', 'agentUuid', agent)) {
      if (i.graph.get('backupStorage', key)?.['url'] === i.params['url'])
        throw new SkerryError(
          'invalid-argument',
          `backup storage ${i.graph.get('backupStorage', key)?.['name']} has this folder already`,
          { backupStorageUuid: key },
        )
    }
  },
}

/** The images lie on one host, so a store does not move to another by being told so. */
export const backupStorageUpdateImageStore: Action = resourceUpdating('backupStorage.updateImageStore', {
  also: () => ({}),
  check: ({ graph, uuid, params }) => {
    const row = need(graph, 'backupStorage', uuid)
    if (isSftp(row))
      throw new SkerryError('invalid-argument', `backup storage ${row['name']} is of type ${row['type']}`, {
        uuid,
        type: row['type'],
      })
    const { hostname = row['hostname'] } = params
    if (hostname !== row['hostname'])
      throw new SkerryError('invalid-argument', `the images of ${row['name']} lie on ${row['hostname']}`, {
        ...{ field: 'hostname', hostname, remedy: `add an image store at ${hostname}` },
      })
  },
})

const onServer = (ctx: Ctx) => isSftp(ctx.world.graph.get('backupStorage', ctx.input.uuid))

export const backupStorageReconnect: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'backupStorage.reconnect',
    version: 2,
    input,
    steps: [
      { ...makeFolder, name: 'look', when: (ctx: Ctx) => !onServer(ctx) },
      { name: 'ask', when: onServer, output: answer, do: connectSftp, noUndo: 'it only looks' },
      {
        name: 'connect',
        do: (ctx: Ctx) => {
          const row = need(ctx.world.graph, 'backupStorage', ctx.input.uuid)
          return onServer(ctx) ? { change: { ops: connectedOps(row, ctx.outputs['ask'] as Answer) } } : record(ctx)
        },
        noUndo: 'it records what the agent reports',
      },
    ],
  }),
  check: ({ graph, uuid }) => void need(graph, 'backupStorage', uuid),
}

const ends = {
  table: 'backupStorage',
  field: 'attachedZoneUuids',
  self: 'backupStorageUuid',
  other: 'zoneUuid',
  otherTable: 'zone',
} as const
export const backupStorageAttach = attachment({ ...ends, workflow: 'backupStorage.attach' }, true)
export const backupStorageDetach = attachment({ ...ends, workflow: 'backupStorage.detach' }, false)
