/**
 * What starts what: jobs and groups by triggers, jobs in groups. Both ends name each other, because ZStack's clients read it from
 * either.
 */
import { type Guard, type Op, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { runOp, type Started, startedByGroup } from '../scheduler/started.ts'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type EndCtx, type Input, need, touch, type World } from './world.ts'

interface End {
  table: string
  /** parameter that names it, or, with an `s`, several */
  param: string
  /** its list of the others */
  list: string
}

interface Link {
  of: End
  to: End
  on: boolean
  /** what is already, or not, so: `started by this trigger` */
  how: string
  check?(one: Row, to: Row): void
  /** what is started at once where the call asks for it */
  starts?(one: Row, graph: CheckInput['graph']): Started[]
  /** the call names several */
  many?: boolean
}

const listOf = (row: Row, field: string) => (row[field] as string[] | undefined) ?? []
const namedBy = ({ many, of }: Link, params: Row): string[] =>
  many ? [...new Set(params[`${of.param}s`] as string[])] : [params[of.param] as string]

/** The runs that a call asks for now. Asked again, those that are not there yet. */
export function runsNow(ctx: Ctx, triggerUuid: string, started: readonly Started[]): Op[] {
  const at = ctx.world.now()
  return started.flatMap((one): Op[] => {
    const name = one.job['uuid'] as string
    const [uuid, jobUuid] = [derivedId(ctx, `history ${name}`), derivedId(ctx, `run ${name}`)]
    if (ctx.world.graph.get('schedulerJobHistory', uuid)) return []
    return [runOp(one, { uuid, jobUuid, triggerUuid, at, now: at })]
  })
}

function change(ctx: Ctx, link: Link): { ops: Op[]; guards: Guard[] } {
  const { graph } = ctx.world
  const { params } = ctx.input
  const { of, to, on } = link
  const toKey = params[to.param] as string
  const keys = namedBy(link, params)
  const rows = keys.map((k) => need(graph, of.table, k))
  const other = (list: string[], more: string[]) =>
    on ? [...new Set([...list, ...more])] : list.filter((k) => !more.includes(k))
  const ops = rows.map((row) => touch(ctx, of.table, row['uuid'] as string, { [of.list]: other(listOf(row, of.list), [toKey]) }))
  const started = on && params['triggerNow'] === true ? rows.flatMap((row) => link.starts?.(row, graph) ?? []) : []
  const guard = (t: string, k: string): Guard => ({ g: 'version', t, k, seq: graph.version(t, k)! })
  return {
    ops: [
      ...ops,
      touch(ctx, to.table, toKey, { [to.list]: other(listOf(need(graph, to.table, toKey), to.list), keys) }),
      ...runsNow(ctx, toKey, started),
    ],
    guards: [guard(to.table, toKey), ...keys.map((k) => guard(of.table, k))],
  }
}

const checkLink =
  (link: Link) =>
  ({ graph, params }: CheckInput): void => {
    const to = need(graph, link.to.table, params[link.to.param])
    for (const key of namedBy(link, params)) {
      const row = need(graph, link.of.table, key)
      if (listOf(row, link.of.list).includes(to['uuid'] as string) === link.on)
        throw new SkerryError('illegal-state', `${row['name']} is ${link.on ? 'already' : 'not'} ${link.how}`, { uuid: key })
      link.check?.(row, to)
    }
  }

const finish =
  (link: Link) =>
  (ctx: EndCtx): { result: Row } => {
    const { params } = ctx.input
    const at = ctx.world.now()
    const dates = { createDate: at, lastOpDate: at }
    const refs = namedBy(link, params).map((k) => ({ [link.of.param]: k, [link.to.param]: params[link.to.param], ...dates }))
    if (link.many) return { result: { inventories: refs } }
    const uuid = link.of.table === 'schedulerJob' ? { uuid: derivedId(ctx as Ctx, 'link') } : {}
    return { result: { inventory: { ...uuid, ...refs[0] } } }
  }

const linking = (name: string, verb: string, link: Link): Action => ({
  workflow: defineWorkflow<Input, World>({
    ...{ name, version: 1, input },
    steps: [rowsStep(verb, (ctx) => change(ctx, link))],
    ...(link.on ? { finish: finish(link) } : {}),
  }),
  check: checkLink(link),
  queueKey: ({ params }) => params[link.to.param] as string,
})

const ofTrigger = (list: string): End => ({ table: 'schedulerTrigger', param: 'schedulerTriggerUuid', list })
const ofJob = (list: string): End => ({ table: 'schedulerJob', param: 'schedulerJobUuid', list })
const ofGroup = (list: string): End => ({ table: 'schedulerJobGroup', param: 'schedulerJobGroupUuid', list })

const jobByTrigger = {
  ...{ of: ofJob('triggersUuid'), to: ofTrigger('jobsUuid'), how: 'started by this trigger' },
  starts: (job: Row): Started[] => [{ job }],
}
const groupByTrigger = {
  ...{ of: ofGroup('triggersUuid'), to: ofTrigger('jobGroupsUuid'), how: 'started by this trigger' },
  starts: (group: Row, graph: CheckInput['graph']) => startedByGroup(graph, group),
}
const jobsInGroup = {
  ...{ of: ofJob('schedulerJobGroupUuids'), to: ofGroup('jobsUuid'), how: 'in this group', many: true },
}

/** What is started together is of one kind: the group says what it is made with. */
function sameKind(job: Row, group: Row): void {
  if (job['jobClassName'] === group['jobType']) return
  const message = `scheduler job ${job['name']} is of type ${job['jobClassName']}, and group ${group['name']} of ${group['jobType']}`
  throw new SkerryError('invalid-argument', message, { field: 'schedulerJobUuids', uuid: job['uuid'] })
}

export const schedulerLinks: readonly Action[] = [
  linking('schedulerJob.attach', 'attach', { ...jobByTrigger, on: true }),
  linking('schedulerJob.detach', 'detach', { ...jobByTrigger, on: false }),
  linking('schedulerJobGroup.attach', 'attach', { ...groupByTrigger, on: true }),
  linking('schedulerJobGroup.detach', 'detach', { ...groupByTrigger, on: false }),
  linking('schedulerJobGroup.addJobs', 'add', { ...jobsInGroup, on: true, check: sameKind }),
  linking('schedulerJobGroup.removeJobs', 'remove', { ...jobsInGroup, on: false }),
]
