/**
 * An ISO comes into a VM's CD drive and leaves it. The VM's host gets its own copy first; then the VM's document names it, and its
 * agent changes the medium, live when the guest runs. A guest that has locked the tray loses the medium all the same: nothing
 * can be lost that was never written.
 */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { driveOf, driveRow, emptyDrive, loaded, needIso } from './cdrom.rows.ts'
import { input } from './input.ts'
import { convergeVm, needVm } from './volume.attach.ts'
import { CLEAN_UP_MS } from './volume.create.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const chosen = z.object({ driveUuid: z.string(), isNew: z.boolean() })
const chosenOf = (ctx: EndCtx) => ctx.outputs['choose'] as z.infer<typeof chosen> | undefined
const driveIn = (ctx: EndCtx) => ctx.world.graph.get('vmCdRom', chosenOf(ctx)?.driveUuid ?? '')
const isoOf = (ctx: EndCtx) => ctx.input.params['isoUuid'] as string
const vmUuidOf = (ctx: EndCtx) => ctx.input.uuid

/** Throws what stands in the way of these two coming together. */
function needRoom(graph: Graph, vmUuid: string, isoUuid: unknown): void {
  const vm = needVm(graph, vmUuid, 'attached')
  const image = needIso(graph, isoUuid)
  const held = driveOf(graph, vmUuid)?.['isoUuid'] as string | null | undefined
  if (held)
    throw new SkerryError(
      'in-use',
      held === isoUuid
        ? `ISO ${image['name']} is in the CD drive of VM instance ${vm['name']} already`
        : `ISO ${graph.get('image', held)?.['name'] ?? held} is in the CD drive of VM instance ${vm['name']}: detach it first`,
      { vmInstanceUuid: vmUuid, isoUuid: held },
    )
  loaded(graph, image, placeOf(graph, vm))
}

/** Where the copy is to be: beside the VM's root volume. */
function placeOf(graph: Graph, vm: Readonly<Row>) {
  const root = need(graph, 'volume', vm['rootVolumeUuid'])
  return { hostUuid: root['localHostUuid'] as string, primaryStorageUuid: root['primaryStorageUuid'] as string }
}

/** VM instances whose drive can take that ISO now. */
export function canTake(graph: Graph, vmUuid: string, isoUuid: unknown): boolean {
  try {
    needRoom(graph, vmUuid, isoUuid)
    return true
  } catch (error) {
    if (error instanceof SkerryError) return false
    throw error
  }
}

const load = {
  name: 'load',
  do: (ctx: Ctx) => {
    const { graph, now } = ctx.world
    const { driveUuid: k } = chosenOf(ctx)!
    const vmUuid = vmUuidOf(ctx)
    const drive = driveOf(graph, vmUuid)
    if (drive?.['isoUuid'] === isoOf(ctx)) return {}
    needRoom(graph, vmUuid, isoOf(ctx))
    const vm = need(graph, 'vmInstance', vmUuid)
    const fields = loaded(graph, need(graph, 'image', isoOf(ctx)), placeOf(graph, vm))
    const v = drive ? { ...fields, lastOpDate: now() } : driveRow({ uuid: k, vmInstanceUuid: vmUuid }, fields, now())
    return {
      change: {
        guards: [
          drive
            ? { g: 'version' as const, t: 'vmCdRom', k, seq: graph.version('vmCdRom', k)! }
            : { g: 'absent' as const, t: 'vmCdRom', k },
          { g: 'field' as const, t: 'image', k: isoOf(ctx), field: 'status', in: ['Ready'] },
          { g: 'field' as const, t: 'vmInstance', k: vmUuid, field: 'state', in: [vm['state'] as string] },
        ],
        ops: [drive ? { o: 'set' as const, t: 'vmCdRom', k, v } : { o: 'put' as const, t: 'vmCdRom', k, v }],
      },
    }
  },
  undo: (ctx: Ctx) => {
    const k = chosenOf(ctx)?.driveUuid ?? ''
    if (driveIn(ctx)?.['isoUuid'] !== isoOf(ctx)) return {}
    return {
      change: {
        ops: [
          chosenOf(ctx)?.isNew ? { o: 'del' as const, t: 'vmCdRom', k } : { o: 'set' as const, t: 'vmCdRom', k, v: emptyDrive },
        ],
      },
    }
  },
}

const insert = {
  name: 'insert',
  do: (ctx: Ctx) => ({
    change: { ops: [{ o: 'set' as const, t: 'vmCdRom', k: chosenOf(ctx)!.driveUuid, v: { inserted: true } }] },
  }),
  undo: (ctx: Ctx) =>
    driveIn(ctx)?.['inserted']
      ? { change: { ops: [{ o: 'set' as const, t: 'vmCdRom', k: chosenOf(ctx)!.driveUuid, v: { inserted: false } }] } }
      : {},
}

const attachedFact = (ctx: EndCtx, event: 'iso-attached' | 'iso-detached', isoUuid: unknown) => ({
  facts: [{ noun: 'vmInstance', uuid: vmUuidOf(ctx), event, data: { isoUuid } }],
})

export const vmAttachIso: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.attachIso',
    version: 1,
    input,
    steps: [
      {
        name: 'choose',
        output: chosen,
        do: (ctx: Ctx) => {
          const drive = driveOf(ctx.world.graph, vmUuidOf(ctx))
          const before = chosenOf(ctx)
          return {
            output: before ?? { driveUuid: (drive?.['uuid'] as string | undefined) ?? derivedId(ctx, 'cdrom'), isNew: !drive },
          }
        },
        // The last undo: the drive is empty by now, and the agent is removing its copy.
        undo: async (ctx: Ctx) =>
          void (chosenOf(ctx) && (await ctx.world.agents.gone([`iso/${chosenOf(ctx)!.driveUuid}`], CLEAN_UP_MS))),
      },
      load,
      {
        name: 'copy',
        do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`iso/${chosenOf(ctx)!.driveUuid}`], ctx)),
        noUndo: 'an empty drive has no copy',
      },
      insert,
      { name: 'change-media', do: (ctx: Ctx) => convergeVm(ctx, vmUuidOf(ctx)), noUndo: 'an ISO that is not there is taken out' },
    ],
    finish: (ctx: EndCtx) => ({
      change: {
        ops: [{ o: 'set', t: 'vmInstance', k: vmUuidOf(ctx), v: { lastOpDate: ctx.world.now() } }],
        ...attachedFact(ctx, 'iso-attached', isoOf(ctx)),
      },
    }),
  }),
  check: ({ graph, params, uuid }: CheckInput) => needRoom(graph, uuid, params['isoUuid']),
}

const held = z.object({ driveUuid: z.string().nullable(), isoUuid: z.string().nullable() })
const heldOf = (ctx: EndCtx) => ctx.outputs['look'] as z.infer<typeof held> | undefined
const isHeld = (ctx: Ctx) => Boolean(heldOf(ctx)?.isoUuid)

function needHeld({ graph, params, uuid }: CheckInput): void {
  const vm = needVm(graph, uuid, 'detached')
  const isoUuid = driveOf(graph, uuid)?.['isoUuid'] as string | null | undefined
  if (params['isoUuid'] && isoUuid && params['isoUuid'] !== isoUuid)
    throw new SkerryError('invalid-argument', `another ISO is in the CD drive of VM instance ${vm['name']}`, {
      field: 'isoUuid',
      isoUuid,
    })
}

/** With nothing in the drive there is nothing to do, as in ZStack. */
export const vmDetachIso: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.detachIso',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        output: held,
        noUndo: 'it only looks',
        do: (ctx: Ctx) => {
          const drive = driveOf(ctx.world.graph, vmUuidOf(ctx))
          return { output: heldOf(ctx) ?? { driveUuid: drive?.['uuid'] ?? null, isoUuid: drive?.['isoUuid'] ?? null } }
        },
      },
      {
        name: 'withdraw',
        when: isHeld,
        do: (ctx: Ctx) => ({
          change: {
            guards: [{ g: 'field', t: 'vmCdRom', k: heldOf(ctx)!.driveUuid!, field: 'isoUuid', in: [heldOf(ctx)!.isoUuid] }],
            ops: [{ o: 'set', t: 'vmCdRom', k: heldOf(ctx)!.driveUuid!, v: { inserted: false } }],
          },
        }),
        undo: (ctx: Ctx) =>
          ctx.world.graph.get('vmCdRom', heldOf(ctx)?.driveUuid ?? '')?.['isoUuid'] === heldOf(ctx)?.isoUuid
            ? { change: { ops: [{ o: 'set' as const, t: 'vmCdRom', k: heldOf(ctx)!.driveUuid!, v: { inserted: true } }] } }
            : {},
      },
      {
        name: 'change-media',
        when: isHeld,
        do: (ctx: Ctx) => convergeVm(ctx, vmUuidOf(ctx)),
        noUndo: 'wanting it again puts it in again',
      },
    ],
    finish: (ctx: EndCtx) => {
      const { driveUuid, isoUuid } = heldOf(ctx) ?? { driveUuid: null, isoUuid: null }
      if (!driveUuid || !isoUuid) return {}
      const at = ctx.world.now()
      return {
        change: {
          guards: [{ g: 'field', t: 'vmCdRom', k: driveUuid, field: 'isoUuid', in: [isoUuid] }],
          ops: [
            { o: 'set', t: 'vmCdRom', k: driveUuid, v: { ...emptyDrive, lastOpDate: at } },
            { o: 'set', t: 'vmInstance', k: vmUuidOf(ctx), v: { lastOpDate: at } },
          ],
          ...attachedFact(ctx, 'iso-detached', isoUuid),
        },
      }
    },
  }),
  check: needHeld,
}
