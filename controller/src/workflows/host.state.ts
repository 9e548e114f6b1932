/**
 * A host's state, maintenance included (DECISIONS.md): it takes no new guests, those that it has are stopped, and when it is enabled
 * again they start. A maintenance that fails leaves host and guests as they were.
 */
import { type Fact, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { guestOffSteps, type Looked, looked } from './cascade.guests.ts'
import { input } from './input.ts'
import { nextState } from './resource.update.ts'
import { leaveHost, moveVm } from './vm.state.ts'
import { type Action, type Ctx, derivedId, type EndCtx, type Input, need, touch, type World } from './world.ts'

/** Why a guest is off that starts when its host is enabled again. Whoever starts or stops it meanwhile takes that away. */
export const FOR_MAINTENANCE = 'host-maintenance'
/** How long a guest may take to start again. */
const START_MS = 1_800_000

const eventOf = (ctx: EndCtx) => ctx.input.params['stateEvent'] as string
const hostOf = (ctx: EndCtx) => need(ctx.world.graph, 'host', ctx.input.uuid)
const moved = z.object({ from: z.string(), to: z.string() })
const movedOf = (ctx: EndCtx) => ctx.outputs['change-state'] as z.infer<typeof moved>
/** Whether this job is to get the host into maintenance. One that is there stays there. */
const maintains = (ctx: EndCtx) => eventOf(ctx) === 'maintain' && movedOf(ctx).from !== 'Maintenance'

const gone = new Set<unknown>(['Destroyed', 'Expunging'])
const settled = new Set<unknown>(['Running', 'Paused', 'Crashed', 'NoState', 'Unknown'])

const guestsOn = (graph: Graph, hostUuid: string): Readonly<Row>[] =>
  [...graph.by('vmInstance', 'hostUuid', hostUuid)].map((k) => graph.get('vmInstance', k)!).filter((vm) => !gone.has(vm['state']))

/** Into maintenance by PreMaintenance, which keeps new guests away. */
const step = (row: Row, event: string) =>
  event === 'maintain' && row['state'] !== 'Maintenance' && row['state'] !== 'PreMaintenance'
    ? nextState(row, 'host', 'preMaintain')
    : event === 'maintain'
      ? { from: row['state'] as string, to: row['state'] as string }
      : nextState(row, 'host', event)

const changeState: Step<Input, World> = {
  name: 'change-state',
  output: moved,
  do: (ctx: Ctx) => {
    const { from, to } = (ctx.outputs['change-state'] as z.infer<typeof moved> | undefined) ?? step(hostOf(ctx), eventOf(ctx))
    const { uuid } = ctx.input
    return {
      output: { from, to },
      change: {
        guards: [{ g: 'field', t: 'host', k: uuid, field: 'state', in: [from, to] }],
        ops: [touch(ctx, 'host', uuid, { state: to })],
        facts: from === to ? [] : [{ noun: 'host', uuid, event: 'state-changed', data: { from, to } }],
      },
    }
  },
  undo: (ctx: Ctx) => {
    const done = ctx.outputs['change-state'] as z.infer<typeof moved> | undefined
    if (!done || !ctx.world.graph.get('host', ctx.input.uuid)) return {}
    const back = [{ noun: 'host', uuid: ctx.input.uuid, event: 'state-changed', data: { from: done.to, to: done.from } }]
    const ops: Op[] = [{ o: 'set', t: 'host', k: ctx.input.uuid, v: { state: done.from } }]
    return { change: { ops, facts: done.from === done.to ? [] : back } }
  },
}

/** Throws where a guest is between two states: the job that is at work on it has to end first. */
function look(ctx: Ctx): { output: Looked } {
  const { graph } = ctx.world
  const guests = guestsOn(graph, ctx.input.uuid).map((vm) => {
    if (!settled.has(vm['state']))
      throw new SkerryError(
        'in-use',
        `VM instance ${vm['name']} is ${vm['state']}: wait until its job has ended, then try again`,
        {
          uuid: vm['uuid'],
          state: vm['state'],
        },
      )
    const { uuid, state, power, powerCause, powerMode } = vm as unknown as Looked['guests'][number]
    return { uuid, goes: false, state, power, powerCause, powerMode: powerMode ?? null }
  })
  return { output: { guests } }
}

/** One that is refused (started meanwhile, its account has no quota left) keeps no host from being used again; it is told as a fact. */
const startGuests: Step<Input, World> = {
  name: 'start-guests',
  noUndo: 'each start is a job of its own',
  when: (ctx: Ctx) => eventOf(ctx) === 'enable',
  do: async (ctx: Ctx) => {
    const { graph, jobs } = ctx.world
    const facts: Fact[] = []
    for (const k of [...graph.by('vmInstance', 'lastHostUuid', ctx.input.uuid)].sort()) {
      const vm = graph.get('vmInstance', k)
      if (vm?.['state'] !== 'Stopped' || vm['stateCause'] !== FOR_MAINTENANCE) continue
      const { accountUuid } = ctx.input
      const call = { jobName: 'APIStartVmInstanceMsg', params: { uuid: k }, accountUuid, timeoutMs: START_MS }
      try {
        await jobs.accept({ ...call, jobUuid: derivedId(ctx, `start ${k}`) })
      } catch (error) {
        if (!(error instanceof SkerryError) || error.spec.status >= 500) throw error
        facts.push({ noun: 'vmInstance', uuid: k, event: 'start-refused', data: { code: error.code, message: error.message } })
      }
    }
    return { change: { ops: [], facts } }
  },
}

/** Guests are off, and what they had of the host is free, in the commit that ends the job. */
function finish(ctx: EndCtx) {
  if (!maintains(ctx)) return {}
  const { graph, now } = ctx.world
  const { uuid } = ctx.input
  const { guests } = ctx.outputs['check'] as Looked
  const parts = guests.map((guest) => {
    const vm = graph.get('vmInstance', guest.uuid) as Row | undefined
    // Somebody else stopped or destroyed it meanwhile, or is about to: that job gives back what it had, and it stays off.
    if (vm?.['state'] !== 'Stopping') return { guards: [], ops: [], facts: [] }
    const ran = guest.power === 'Running' && guest.state === 'Running'
    const off = { hostUuid: null, lastHostUuid: uuid, stateCause: ran ? FOR_MAINTENANCE : null }
    const end = moveVm(ctx, 'stopped', off, guest.uuid)
    const left = leaveHost(graph, vm)
    return { ...end, guards: [...end.guards, ...left.guards], ops: [...end.ops, ...left.ops] }
  })
  const data = { from: 'PreMaintenance', to: 'Maintenance' }
  return {
    change: {
      guards: [
        { g: 'field' as const, t: 'host', k: uuid, field: 'state', in: ['PreMaintenance'] },
        ...parts.flatMap((part) => part.guards),
      ],
      ops: [
        { o: 'set' as const, t: 'host', k: uuid, v: { state: 'Maintenance', lastOpDate: now() } },
        ...parts.flatMap((part) => part.ops),
      ],
      facts: [{ noun: 'host', uuid, event: 'state-changed', data }, ...parts.flatMap((part) => part.facts)],
    },
  }
}

/** A host that can't be asked can't stop its guests. */
function needAskable(graph: Graph, host: Row): void {
  const guests = guestsOn(graph, host['uuid'] as string)
  if (host['status'] === 'Connected' || guests.length === 0) return
  throw new SkerryError(
    'illegal-state',
    `host ${host['name']} is ${host['status']}, so its ${guests.length} VM instances can't be stopped: bring it back first, or give it up (skerry lose host)`,
    { uuid: host['uuid'], state: host['status'], allowed: ['Connected'] },
  )
}

export const hostChangeState: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'host.changeState',
    version: 1,
    input,
    steps: [
      changeState,
      { name: 'check', when: maintains, noUndo: 'it only looks', output: looked, do: look },
      ...guestOffSteps,
      startGuests,
    ],
    finish,
  }),
  check({ graph, uuid, params }) {
    const host = need(graph, 'host', uuid)
    step(host, params['stateEvent'] as string)
    if (params['stateEvent'] === 'maintain') needAskable(graph, host)
  },
}
