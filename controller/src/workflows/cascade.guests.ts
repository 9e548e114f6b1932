/**
 * Guests that a deletion takes along, or stops: marked first, which keeps every other call off them, then powered off by their
 * agents. Until the end of the job nothing of them is gone, so a deletion that fails gives them their power back.
 */
import { type Change, type Fact, type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import type { CascadePlan } from '@skerry/graph'
import type { Step } from '@skerry/workflow'
import { z } from 'zod'
import { agentOn } from '../desired/agents-of.ts'
import { cascadeOf } from './cascade.ts'
import { leaveHost, moveVm } from './vm.state.ts'
import type { CheckInput, Ctx, EndCtx, Input, World } from './world.ts'

const guest = z.object({
  uuid: z.string(),
  /** deleted, or only stopped */
  goes: z.boolean(),
  state: z.string(),
  power: z.string(),
  powerCause: z.string(),
  powerMode: z.string().nullable(),
})
/** What the step `check` gives of guests that are to be off. */
export const looked = z.object({ guests: z.array(guest) })
export type Looked = z.infer<typeof looked>
type Guest = z.infer<typeof guest>

const guestsOf = (ctx: EndCtx): Guest[] => (ctx.outputs['check'] as z.infer<typeof looked> | undefined)?.guests ?? []
const marked = ({ goes }: Guest) => (goes ? 'Destroying' : 'Stopping')
const forced = (ctx: Ctx) => ctx.input.params['deleteMode'] === 'Enforcing'

/** Throws `conflict` while another job works on something that goes: it would find its ground gone. */
export function needIdle({ graph, uuid }: Pick<CheckInput, 'graph' | 'uuid'>, plan: CascadePlan): void {
  for (const { key, table, action } of plan.order) {
    if (action === 'detach' || key === uuid) continue
    for (const job of graph.by('job', 'resourceUuid', key)) {
      const row = graph.get('job', job)!
      if (row['state'] !== 'processing' && row['state'] !== 'undoing') continue
      const name = graph.get(table, key)?.['name'] ?? key
      throw new SkerryError('conflict', `${row['api']} is still at work on ${table} ${name}`, { uuid: key, job })
    }
  }
}

function look(ctx: Ctx): Guest[] {
  const { graph } = ctx.world
  const plan = cascadeOf(graph, ctx.input.table, ctx.input.uuid)
  needIdle({ graph, uuid: ctx.input.uuid }, plan)
  return plan.order.flatMap(({ table, key, action }): Guest[] => {
    const vm = table === 'vmInstance' && action !== 'detach' ? graph.get('vmInstance', key) : undefined
    if (!vm || ['Destroyed', 'Expunging'].includes(vm['state'] as string)) return []
    const { state, power, powerCause, powerMode } = vm as unknown as Guest
    return [{ uuid: key, goes: action === 'delete', state, power, powerCause, powerMode: powerMode ?? null }]
  })
}

/** A guest that goes loses its power at once; one that stays is asked first. */
function mark(ctx: Ctx): { change: Change } {
  const moves = guestsOf(ctx).map(({ uuid, goes }) => {
    const power = { power: 'Stopped', powerCause: 'api', powerMode: goes ? 'cold' : 'grace' }
    return moveVm(ctx, goes ? 'destroying' : 'stopping', power, uuid)
  })
  return { change: merged(moves) }
}

/**
 * Guard of a commit that leaves this guest to another job, which has marked it, has not ended, and is going to set it right: it still
 * stands marked then. Undefined: there is no such job.
 */
export function markedByAnother({ input, job, world: { graph } }: Ctx): Guard | undefined {
  const marks = (other: string) => {
    if (other === job || graph.get('jobStep', `${other}/mark-guests`)?.['state'] !== 'done') return false
    const found = graph.get('jobStep', `${other}/check`)?.['output'] as Looked | undefined
    return found?.guests.some(({ uuid }) => uuid === input.uuid) === true
  }
  const other = ['processing', 'undoing'].flatMap((state) => [...graph.by('job', 'state', state)]).find(marks)
  if (other === undefined) return undefined
  const k = `${other}/mark-guests`
  return { g: 'version', t: 'jobStep', k, seq: graph.version('jobStep', k)! }
}

const merged = (parts: readonly { guards: Guard[]; ops: Op[]; facts: Fact[] }[]) => ({
  guards: parts.flatMap((p) => p.guards),
  ops: parts.flatMap((p) => p.ops),
  facts: parts.flatMap((p) => p.facts),
})

/** One that another job works on meanwhile is that job's; that it still is says the guard, or nobody would set it right. */
function unmark(ctx: Ctx): { change: Change } {
  const { graph } = ctx.world
  const there = guestsOf(ctx).flatMap((guest) => {
    const state = graph.get('vmInstance', guest.uuid)?.['state'] as string | undefined
    return state === undefined ? [] : [{ guest, state }]
  })
  const ops = there.flatMap(({ guest, state }): Op[] => {
    const { uuid: k, goes: _, ...before } = guest
    return state === marked(guest) ? [{ o: 'set', t: 'vmInstance', k, v: before }] : []
  })
  const guards = there.map(({ guest: { uuid: k } }): Guard => {
    return { g: 'version', t: 'vmInstance', k, seq: graph.version('vmInstance', k)! }
  })
  return { change: { guards, ops } }
}

/** Can somebody be asked to power it off? */
function reachable({ graph, agents }: World, vmUuid: string): boolean {
  const vm = graph.get('vmInstance', vmUuid)
  const agent = agentOn(graph, (vm?.['hostUuid'] ?? vm?.['lastHostUuid']) as string | null, 'kvm')
  return agent !== undefined && agents.alive(agent)
}

/** Enforcing goes on without a host that doesn't answer: what it has is removed when it comes back. */
async function powerOff(ctx: Ctx): Promise<void> {
  const guests = forced(ctx) ? guestsOf(ctx).filter(({ uuid }) => reachable(ctx.world, uuid)) : guestsOf(ctx)
  let off = 0
  const one = async ({ uuid }: Guest) => {
    await ctx.world.agents.converge([`vm/${uuid}`], ctx)
    off++
    ctx.progress({ step: 'power-off', percent: Math.floor((off * 100) / guests.length), at: ctx.world.now() })
  }
  const ends = await Promise.allSettled(guests.map(one))
  const failed = ends.find(
    // A VM whose disk is lost is off already: its agent says so only of what doesn't run.
    (end) => end.status === 'rejected' && !(end.reason instanceof SkerryError && end.reason.code === 'volume-lost'),
  )
  if (failed?.status !== 'rejected') return
  if (!forced(ctx) || !(failed.reason instanceof SkerryError)) throw failed.reason
}

const any = (ctx: Ctx) => guestsOf(ctx).length > 0

/** Steps that get guests off, after a step `check` that has named them. */
export const guestOffSteps: readonly Step<Input, World>[] = [
  { name: 'mark-guests', when: any, do: mark, undo: unmark },
  { name: 'power-off', when: any, do: powerOff, noUndo: 'giving the power back starts them again' },
]

/** Steps of every deletion, before the end that deletes. */
export const guestSteps: readonly Step<Input, World>[] = [
  { name: 'check', version: 2, noUndo: 'it only looks', output: looked, do: (ctx: Ctx) => ({ output: { guests: look(ctx) } }) },
  ...guestOffSteps,
]

/** Throws `conflict` where the plan would touch a guest that this job has not marked and powered off. */
export function needMarked(ctx: EndCtx, plan: CascadePlan): void {
  const known = new Map(guestsOf(ctx).map((g) => [g.uuid, g]))
  for (const { table, key, action } of plan.order) {
    if (table !== 'vmInstance' || action === 'detach') continue
    const vm = ctx.world.graph.get('vmInstance', key) as Row
    const mine = known.get(key)
    if (mine ? vm['state'] === marked(mine) : vm['state'] === 'Destroyed') continue
    throw new SkerryError('conflict', `VM instance ${vm['name']} came to be ${vm['state']} while it was to be deleted`, {
      uuid: key,
    })
  }
}

/** What guests hold of hosts that stay, and the state of those that stay themselves. */
export function guestEnds(ctx: EndCtx, plan: CascadePlan): { guards: Guard[]; ops: Op[]; facts: Fact[] } {
  const { graph } = ctx.world
  const gone = new Set(plan.order.filter((s) => s.action === 'delete').map((s) => `${s.table} ${s.key}`))
  const parts = guestsOf(ctx).map(({ uuid, goes }) => {
    const vm = graph.get('vmInstance', uuid) as Row
    const left = leaveHost(graph, vm)
    const free = gone.has(`host ${vm['hostUuid']}`) ? [] : left.ops
    if (goes) return { guards: left.guards, ops: free, facts: [] }
    const off = { hostUuid: null, lastHostUuid: vm['hostUuid'] ?? vm['lastHostUuid'], stateCause: null }
    const moved = moveVm(ctx, 'stopped', off, uuid)
    return { ...moved, guards: [...moved.guards, ...left.guards], ops: [...moved.ops, ...free] }
  })
  return merged(parts)
}
