/** An image in its stores: what their agents tell of it, what is recorded of that, and how it goes again. */
import type { Row } from '@skerry/contract'
import { z } from 'zod'
import { agentFor } from '../place/sftp-agent.ts'
import { isSftp } from './backup-storage.sftp.ts'
import type { Ctx, EndCtx } from './world.ts'

export const stored = z.object({
  installPath: z.string(),
  size: z.number(),
  actualSize: z.number(),
  md5: z.string(),
  sha256: z.string(),
  format: z.string(),
})
export type Stored = z.infer<typeof stored>

export const storesOf = (params: Row) => [...new Set(params['backupStorageUuids'] as string[])]

/** Says on which storage server the paths of a command are. */
export const onServer = (bs: Readonly<Row>) => (isSftp(bs) ? { backupStorageUuid: bs['uuid'] } : {})

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
      agentFor(ctx.world.graph, bs, (uuid) => ctx.world.agents.alive(uuid)),
      {
        id: `${ctx.commandId}_remove_${bsUuid}`,
        noun: 'image',
        uuid: ctx.input.uuid,
        verb: 'remove',
        input: { storePath: bs['url'], sha256, ...onServer(bs) },
      },
      ctx,
    )
  }
}

/** Ready, as the agents of its stores have it. */
export function recordStored(ctx: EndCtx, results: Record<string, Stored>) {
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
    lastOpDate: ctx.world.now(),
  }
  const { uuid } = ctx.input
  return {
    change: { ops: [{ o: 'set' as const, t: 'image', k: uuid, v: set }], facts: [{ noun: 'image', uuid, event: 'ready' }] },
  }
}
