/**
 * An image whose bytes a client sends (`upload://<file>`): its store's agent learns the hash of the upload's token; when all bytes are
 * there they are checked and taken in. What comes to nothing stays as an image in status Error that says why, with no bytes left.
 */
import { hashOfSecret } from '@skerry/console/token'
import { type ErrorBody, isUpload, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { agentFor } from '../place/sftp-agent.ts'
import { isSftp, unlessAway } from './backup-storage.sftp.ts'
import { recordStored, removeFromStores, type Stored, stored } from './image.stores.ts'
import { input } from './input.ts'
import { type Action, type AgentsPort, type CheckInput, type Ctx, type EndCtx, type Input, need, type World } from './world.ts'

/** Of the one token that an upload has. It follows from the image and the site's key, and is in no log. */
export const uploadSecret = (secretOf: (name: string) => string, image: Readonly<Row>): string =>
  secretOf(`upload/${image['uuid']}/${image['createDate']}`)

/** Where the bytes of an image go: the agent, and the store's place as its commands want it. Throws where that is gone. */
export function uploadTarget(graph: Graph, agents: Pick<AgentsPort, 'alive'>, image: Readonly<Row>) {
  const [ref] = image['backupStorageRefs'] as { backupStorageUuid: string }[]
  const bs = need(graph, 'backupStorage', ref?.backupStorageUuid)
  const where = { storePath: bs['url'] as string, ...(isSftp(bs) ? { backupStorageUuid: bs['uuid'] as string } : {}) }
  return { agentUuid: agentFor(graph, bs, (uuid) => agents.alive(uuid)), where }
}

export const isUploading = (image: Readonly<Row> | undefined): image is Readonly<Row> =>
  image?.['status'] === 'Downloading' && isUpload(image['url'])

/** Within AddImage: from now on the bytes may come. */
export async function allowUpload(ctx: Ctx, format: string): Promise<void> {
  const { graph, agents, consoleSecret } = ctx.world
  const image = need(graph, 'image', ctx.input.uuid)
  const { agentUuid, where } = uploadTarget(graph, agents, image)
  const tokenHash = hashOfSecret(uploadSecret(consoleSecret, image))
  const allowed = { ...where, format, checksum: ctx.input.params['checksum'] ?? null, tokenHash }
  const command = { noun: 'image', uuid: ctx.input.uuid, verb: 'allow-upload', input: allowed }
  await agents.command(agentUuid, { id: ctx.commandId, ...command }, ctx)
}

async function receive(ctx: Ctx): Promise<{ output: Stored }> {
  const { graph, agents } = ctx.world
  const { agentUuid, where } = uploadTarget(graph, agents, need(graph, 'image', ctx.input.uuid))
  const asked = { ...where, sizeBytes: ctx.input.params['sizeBytes'] }
  const command = { noun: 'image', uuid: ctx.input.uuid, verb: 'receive', input: asked }
  return { output: stored.parse(await agents.command(agentUuid, { id: ctx.commandId, ...command }, ctx)) }
}

const backupStorageOf = (ctx: EndCtx) =>
  (ctx.world.graph.get('image', ctx.input.uuid)!['backupStorageRefs'] as { backupStorageUuid: string }[])[0]!.backupStorageUuid

/** Said of the bytes: others would have to be sent. After anything else they are still there, and the end can be tried again. */
const VERDICTS = ['image-checksum', 'image-refused']

function failedOps(ctx: EndCtx, uploadError: string) {
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  if (!isUploading(graph.get('image', uuid))) return {}
  const v = { status: 'Error', uploadError, lastOpDate: now() }
  return { change: { ops: [{ o: 'set' as const, t: 'image', k: uuid, v }], facts: [{ noun: 'image', uuid, event: 'failed' }] } }
}

/** What failed, not what failed because of it. */
const rootOf = (error: ErrorBody): ErrorBody => (error.cause ? rootOf(error.cause) : error)

function checkUploading({ graph, uuid }: CheckInput): void {
  const image = need(graph, 'image', uuid)
  if (isUploading(image)) return
  throw new SkerryError('illegal-state', `image ${image['name']} is ${image['status']}: nothing is being uploaded`, {
    ...{ uuid, state: image['status'], allowed: ['Downloading'] },
  })
}

export const imageReceive: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'image.receive',
    version: 1,
    input,
    steps: [
      {
        name: 'receive',
        output: stored,
        noUndo: 'a repeat finds what was taken in',
        do: receive,
      },
    ],
    finish: (ctx: EndCtx) => recordStored(ctx, { [backupStorageOf(ctx)]: ctx.outputs['receive'] as Stored }),
    fail: (ctx: EndCtx, error) => {
      const { code, message } = rootOf(error)
      return VERDICTS.includes(code) ? failedOps(ctx, message) : {}
    },
  }),
  check: checkUploading,
}

export const imageCancelUpload: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'image.cancelUpload',
    version: 1,
    input,
    steps: [
      {
        name: 'remove-bytes',
        noUndo: 'part of an image is of no use; a repeat removes what is left',
        do: (ctx: Ctx) => removeFromStores(ctx, null).catch((error) => unlessAway(error, false)),
      },
    ],
    finish: (ctx: EndCtx) => failedOps(ctx, String(ctx.input.params['reason'] ?? 'the upload was canceled')),
  }),
  check: checkUploading,
}

/** What is asked of an image that is added, beyond what is asked of any. */
export function checkUpload(params: Row, stores: readonly string[]): void {
  if (isUpload(params['url']) && stores.length > 1)
    throw new SkerryError('invalid-argument', 'an image is uploaded to one backup storage', { field: 'backupStorageUuids' })
}
