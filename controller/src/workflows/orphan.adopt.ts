/**
 * Adopting what nobody knew of. It is one commit at the end of the job: an undo that took rows back would send tombstones to a guest that
 * runs. Of one that was made without us the host has two things more by then, a name for each disk and our mark; neither touches the guest,
 * and both go when the job fails.
 */
import { canonicalJson, fileNameOf, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { z } from 'zod'
import { type Adoption, adoption, needAdoptable } from '../orphans/adopt.ts'
import { type OutsideCall, outsideAdoption, outsidePlan } from '../orphans/outside.ts'
import { needAllHeard } from '../orphans/reunite.ts'
import { input } from './input.ts'
import { type Action, type Ctx, derivedId, type EndCtx, type Input, need, type World } from './world.ts'

const orphanOf = ({ world, input: { uuid } }: EndCtx) => need(world.graph, 'orphan', uuid)
const NO_JOB = '0'.repeat(32)

/** What is done on the hosts for one that was made without us. */
const taken = z.object({
  vmUuid: z.string(),
  kvmAgentUuid: z.string(),
  storageAgentUuid: z.string(),
  disks: z.array(
    z.object({
      target: z.string(),
      path: z.string(),
      volumeUuid: z.string(),
      poolUuid: z.string(),
      poolPath: z.string(),
      as: z.string(),
    }),
  ),
  macs: z.array(z.string()),
})
const looked = z.object({ outside: taken.nullable() })
const takenOf = (ctx: EndCtx) => (ctx.outputs['check'] as z.infer<typeof looked> | undefined)?.outside ?? null

interface Asked {
  graph: Graph
  orphan: Readonly<Row>
  params: Row
  job: string
  now: number
}

/** All of it in one commit, and what is to be done on hosts before. */
function adoptionIn({ graph, orphan, params, job, now }: Asked): { change: Adoption; outside: z.infer<typeof taken> | null } {
  const call = params as OutsideCall
  if (orphan['outside'] !== true) {
    if (call.accountUuid !== undefined || call.ips !== undefined)
      throw new SkerryError(
        'invalid-argument',
        `VM ${orphan['name']} gets back what it had: accountUuid and ips are for others`,
        {
          orphanUuid: orphan['uuid'],
        },
      )
    return { change: adoption(graph, orphan['uuid'] as string, now), outside: null }
  }
  const plan = outsidePlan(graph, orphan, { call, idOf: (name) => derivedId({ job }, name) })
  const change = outsideAdoption(graph, orphan, { plan, call, now })
  const disks = plan.disks.map(({ target, path, volumeUuid, spec }) => {
    const poolPath = need(graph, 'primaryStorage', spec.poolUuid)['url'] as string
    return { target, path, volumeUuid, poolUuid: spec.poolUuid, poolPath, as: fileNameOf(spec.path) }
  })
  const { kvmAgentUuid, storageAgentUuid, spec } = plan
  const vmUuid = orphan['ownUuid'] as string
  return { change, outside: { vmUuid, kvmAgentUuid, storageAgentUuid, disks, macs: spec.nics.map(({ mac }) => mac) } }
}

const lookAt = (ctx: EndCtx) => {
  const { graph, now } = ctx.world
  return adoptionIn({ graph, orphan: orphanOf(ctx), params: ctx.input.params, job: ctx.job, now: now() })
}

const isOutside = (ctx: EndCtx) => takenOf(ctx) !== null

async function toStorage(ctx: Ctx, verb: 'link' | 'unlink'): Promise<void> {
  const { disks, storageAgentUuid } = takenOf(ctx)!
  for (const { volumeUuid: uuid, target, poolUuid, poolPath, path: file, as } of disks) {
    const command = { id: `${ctx.commandId}_${target}`, noun: 'volume', uuid, verb, input: { poolUuid, poolPath, file, as } }
    await ctx.world.agents.command(storageAgentUuid, command, ctx)
  }
}

async function toGuest(ctx: Ctx, verb: 'adopt' | 'release'): Promise<void> {
  const { vmUuid: uuid, kvmAgentUuid, disks, macs } = takenOf(ctx)!
  const told = { disks: disks.map(({ target, path }) => ({ target, path })), macs }
  const command = { id: ctx.commandId, noun: 'vm', uuid, verb, input: verb === 'adopt' ? told : {} }
  await ctx.world.agents.command(kvmAgentUuid, command, ctx)
}

/** It is what was looked at, else the hosts hold something else than what would be recorded. */
function finished(ctx: EndCtx) {
  const { change, outside } = lookAt(ctx)
  if (canonicalJson(outside) !== canonicalJson(takenOf(ctx)))
    throw new SkerryError('conflict', `VM ${orphanOf(ctx)['name']} is not any more what it was when its adoption began`, {
      orphanUuid: ctx.input.uuid,
    })
  return change
}

export const orphanAdopt: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'orphan.adopt',
    version: 2,
    input,
    steps: [
      {
        name: 'check',
        version: 2,
        noUndo: 'it only looks',
        output: looked,
        do: (ctx: Ctx) => ({ output: { outside: lookAt(ctx).outside } }),
      },
      {
        name: 'name-disks',
        when: isOutside,
        do: (ctx: Ctx) => toStorage(ctx, 'link'),
        undo: (ctx: Ctx) => toStorage(ctx, 'unlink'),
      },
      {
        name: 'mark',
        when: isOutside,
        do: (ctx: Ctx) => toGuest(ctx, 'adopt'),
        undo: (ctx: Ctx) => toGuest(ctx, 'release'),
      },
    ],
    finish: (ctx: EndCtx) => {
      const uuid = orphanOf(ctx)['ownUuid'] as string
      const facts = [{ noun: 'vmInstance', uuid, event: 'adopted' }]
      return { change: { ...finished(ctx), facts }, result: { vmInstanceUuid: uuid } }
    },
  }),
  check: ({ graph, uuid, params }) => {
    const orphan = need(graph, 'orphan', uuid)
    needAdoptable(graph, orphan)
    // A disk or a lease that was not heard of yet would be taken for missing.
    needAllHeard(graph)
    adoptionIn({ graph, orphan, params, job: NO_JOB, now: 0 })
  },
}
