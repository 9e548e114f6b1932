/** Bringing an image in: registered, downloaded by the agents of its image stores, Ready when every store has it; or ready to be uploaded. */
import { type ErrorBody, isUpload, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { agentFor } from '../place/sftp-agent.ts'
import { unlessAway } from './backup-storage.sftp.ts'
import { onServer, recordStored, removeFromStores, type Stored, stored, storesOf } from './image.stores.ts'
import { allowUpload, checkUpload } from './image.upload.ts'
import { input } from './input.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, needEnabled, type World } from './world.ts'

/** By parameter, else by the name at the source (ZStack requires it; a wrong one is found by the agent's own look into the file). */
function formatOf(params: Row): string {
  if (typeof params['format'] === 'string') return params['format']
  const path = (params['url'] as string).split(/[?#]/)[0]!
  return path.endsWith('.iso') ? 'iso' : path.endsWith('.raw') || path.endsWith('.img') ? 'raw' : 'qcow2'
}

function register(ctx: Ctx) {
  const p = ctx.input.params
  if (ctx.world.graph.get('image', ctx.input.uuid)) return {}
  const format = formatOf(p)
  const row: Row = {
    ...baseRow(ctx),
    state: 'Enabled',
    status: 'Downloading',
    size: 0,
    actualSize: 0,
    md5Sum: null,
    url: p['url'],
    mediaType: p['mediaType'] ?? (format === 'iso' ? 'ISO' : 'RootVolumeTemplate'),
    guestOsType: p['guestOsType'] ?? null,
    type: 'zstack',
    platform: p['platform'] ?? 'Linux',
    architecture: p['architecture'] ?? 'x86_64',
    format,
    system: p['system'] ?? false,
    virtio: p['virtio'] ?? true,
    sha256: null,
    deletedAt: null,
    backupStorageRefs: storesOf(p).map((backupStorageUuid) => ({
      imageUuid: ctx.input.uuid,
      backupStorageUuid,
      installPath: '',
      status: 'Downloading',
    })),
  }
  return {
    change: {
      guards: [
        { g: 'absent' as const, t: 'image', k: ctx.input.uuid },
        ...storesOf(p).map((k) => ({ g: 'exists' as const, t: 'backupStorage', k })),
      ],
      ops: [{ o: 'put' as const, t: 'image', k: ctx.input.uuid, v: row }],
      facts: [{ noun: 'image', uuid: ctx.input.uuid, event: 'created' }],
    },
  }
}

async function download(ctx: Ctx) {
  if (isUpload(ctx.input.params['url'])) {
    await allowUpload(ctx, formatOf(ctx.input.params))
    return { output: { stores: {} } }
  }
  const results: Record<string, Stored> = {}
  for (const bsUuid of storesOf(ctx.input.params)) {
    const bs = need(ctx.world.graph, 'backupStorage', bsUuid)
    const output = await ctx.world.agents.command(
      agentFor(ctx.world.graph, bs, (uuid) => ctx.world.agents.alive(uuid)),
      {
        id: `${ctx.commandId}_${bsUuid}`,
        noun: 'image',
        uuid: ctx.input.uuid,
        verb: 'download',
        input: {
          storePath: bs['url'],
          url: ctx.input.params['url'],
          format: formatOf(ctx.input.params),
          checksum: ctx.input.params['checksum'] ?? null,
          ...onServer(bs),
        },
      },
      ctx,
    )
    results[bsUuid] = stored.parse(output)
  }
  const contents = new Set(Object.values(results).map((r) => r.sha256))
  if (contents.size > 1)
    throw new SkerryError('image-checksum', 'the source gave different bytes to different stores', { sha256: [...contents] })
  return { output: { stores: results } }
}

/** What is uploaded comes later (image.upload.ts). */
function record(ctx: Ctx) {
  const { stores } = ctx.outputs['download'] as { stores: Record<string, Stored> }
  return Object.keys(stores).length === 0 ? {} : recordStored(ctx, stores)
}

export const imageAdd: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'image.add',
    version: 1,
    input,
    steps: [
      {
        name: 'register',
        do: register,
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('image', ctx.input.uuid)
            ? { change: { ops: [{ o: 'del' as const, t: 'image', k: ctx.input.uuid }] } }
            : {},
      },
      {
        name: 'download',
        output: z.object({ stores: z.record(z.string(), stored) }),
        do: download,
        undo: (ctx: Ctx) =>
          removeFromStores(ctx, null).catch((error) => unlessAway(error, ctx.outputs['download'] !== undefined)),
      },
      {
        name: 'record',
        do: record,
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('image', ctx.input.uuid)
            ? { change: { ops: [{ o: 'set' as const, t: 'image', k: ctx.input.uuid, v: { status: 'Downloading' } }] } }
            : {},
      },
    ],
  }),
  check(i: CheckInput) {
    if (i.graph.get('image', i.uuid))
      throw new SkerryError('duplicate-uuid', `an image with uuid ${i.uuid} exists`, { uuid: i.uuid })
    checkUpload(i.params, storesOf(i.params))
    for (const bs of storesOf(i.params)) {
      const row = needEnabled(i.graph, 'backupStorage', bs)
      if (row['status'] !== 'Connected') throw notConnected(row)
    }
  },
}

function notConnected({ uuid, name, status, disconnectCause }: Readonly<Row>): SkerryError {
  const cause = disconnectCause as ErrorBody | null | undefined
  const why = cause ? `: ${cause.message}` : ''
  return new SkerryError('no-backup-storage', `backup storage ${name} is ${status}${why}`, { backupStorageUuid: uuid, cause })
}
