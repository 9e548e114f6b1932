/** Bringing an image in: registered, downloaded by the agents of its image stores, Ready when every store has it. */
import { type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { input } from './input.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, needEnabled, touch, type World } from './world.ts'

const stored = z.object({
  installPath: z.string(),
  size: z.number(),
  actualSize: z.number(),
  md5: z.string(),
  sha256: z.string(),
  format: z.string(),
})
type Stored = z.infer<typeof stored>

/** By parameter, else by the name at the source (ZStack requires it; a wrong one is found by the agent's own look into the file). */
function formatOf(params: Row): string {
  if (typeof params['format'] === 'string') return params['format']
  const path = (params['url'] as string).split(/[?#]/)[0]!
  return path.endsWith('.iso') ? 'iso' : path.endsWith('.raw') || path.endsWith('.img') ? 'raw' : 'qcow2'
}

const storesOf = (params: Row) => [...new Set(params['backupStorageUuids'] as string[])]

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
  const results: Record<string, Stored> = {}
  for (const bsUuid of storesOf(ctx.input.params)) {
    const bs = need(ctx.world.graph, 'backupStorage', bsUuid)
    const output = await ctx.world.agents.command(
      bs['agentUuid'] as string,
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

/** Forgets the image in every store; a store whose agent is away makes the undo stuck rather than leave bytes behind unseen. */
export async function removeFromStores(ctx: Ctx, sha256: string | null): Promise<void> {
  const row = ctx.world.graph.get('image', ctx.input.uuid)
  const stores = row
    ? (row['backupStorageRefs'] as { backupStorageUuid: string }[]).map((r) => r.backupStorageUuid)
    : storesOf(ctx.input.params)
  for (const bsUuid of stores) {
    const bs = ctx.world.graph.get('backupStorage', bsUuid)
    if (!bs) continue
    await ctx.world.agents.command(
      bs['agentUuid'] as string,
      {
        id: `${ctx.commandId}_remove_${bsUuid}`,
        noun: 'image',
        uuid: ctx.input.uuid,
        verb: 'remove',
        input: { storePath: bs['url'], sha256 },
      },
      ctx,
    )
  }
}

function record(ctx: Ctx) {
  const results = (ctx.outputs['download'] as { stores: Record<string, Stored> }).stores
  const first = Object.values(results)[0]!
  const backupStorageRefs = Object.entries(results).map(([backupStorageUuid, r]) => ({
    imageUuid: ctx.input.uuid,
    backupStorageUuid,
    installPath: r.installPath,
    status: 'Ready',
  }))
  const set = {
    status: 'Ready',
    size: first.size,
    actualSize: first.actualSize,
    md5Sum: first.md5,
    sha256: first.sha256,
    format: first.format,
    backupStorageRefs,
  }
  return {
    change: { ops: [touch(ctx, 'image', ctx.input.uuid, set)], facts: [{ noun: 'image', uuid: ctx.input.uuid, event: 'ready' }] },
  }
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
        undo: (ctx: Ctx) => removeFromStores(ctx, null),
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
    for (const bs of storesOf(i.params)) {
      const row = needEnabled(i.graph, 'backupStorage', bs)
      if (row['status'] !== 'Connected')
        throw new SkerryError('no-backup-storage', `backup storage ${row['name']} is ${row['status']}`, { backupStorageUuid: bs })
    }
  },
}
