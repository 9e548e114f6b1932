/**
 * Steps that workflows of the site are made of: calls, each a job of its own with the rights of who runs the workflow, and what takes
 * it back. A new one is a line of this table.
 */
import { type Api, apis, type Resource, type Row, resourceOf, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type DefinePorts, type Given, referenceIn, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { checkCall } from '../engine/check-params.ts'
import { type Ctx, derivedId, type Input, need, type World } from './world.ts'

export type SiteRun = Parameters<DefinePorts<Input, World>['step']>[0]

/** The call that takes a step back, made of the parameters of its own. */
interface Back {
  api: string
  params(of: Row): Row
}

interface Registered {
  api: string
  /** fixed parameters */
  with?: Row
  /** It makes a resource, under a uuid that follows from the run: `$<step>.inventory.uuid` for steps behind it. */
  makes?: true
  /** The row that it is about is so already: then nothing is done, and nothing is undone. */
  already?: { table: string; state: string }
  back?: Back
  noUndo?: string
}

const same = (given: Row): Row => ({ uuid: given['uuid'] })
const vm = (state: string) => ({ table: 'vmInstance', state })
const host = (stateEvent: string): Back => ({ api: 'ChangeHostState', params: ({ uuid }) => ({ uuid, stateEvent }) })

const registered: Readonly<Record<string, Registered>> = {
  'start-vm': { api: 'StartVmInstance', already: vm('Running'), back: { api: 'StopVmInstance', params: same } },
  'stop-vm': { api: 'StopVmInstance', already: vm('Stopped'), back: { api: 'StartVmInstance', params: same } },
  'reboot-vm': { api: 'RebootVmInstance', noUndo: 'a guest that was restarted runs as before' },
  'pause-vm': { api: 'PauseVmInstance', already: vm('Paused'), back: { api: 'ResumeVmInstance', params: same } },
  'resume-vm': { api: 'ResumeVmInstance', already: vm('Running'), back: { api: 'PauseVmInstance', params: same } },
  'snapshot-volume': {
    api: 'CreateVolumeSnapshot',
    makes: true,
    back: { api: 'DeleteVolumeSnapshot', params: ({ resourceUuid }) => ({ uuid: resourceUuid }) },
  },
  'enable-host': {
    api: 'ChangeHostState',
    with: { stateEvent: 'enable' },
    already: { table: 'host', state: 'Enabled' },
    back: host('disable'),
  },
  'disable-host': {
    api: 'ChangeHostState',
    with: { stateEvent: 'disable' },
    already: { table: 'host', state: 'Disabled' },
    back: host('enable'),
  },
}

export const registeredSteps: readonly string[] = Object.keys(registered)

function apiNamed(name: string): { api: Api; resource: Resource } {
  const found = apis.find(({ api }) => api.api === name)
  if (!found) throw new SkerryError('internal', `there is no API ${name}`)
  return found
}

const variablesOf = ({ path }: Api) => [...path.matchAll(/\{(\w+)\}/g)].map(([, variable]) => variable!)

/** Parameters that somebody may give the step, and those that must be. */
function parametersOf({ api: name, with: fixed = {}, makes }: Registered): {
  all: string[]
  required: string[]
  shape: z.ZodRawShape
} {
  const { api } = apiNamed(name)
  const { shape } = api.params as z.ZodObject<z.ZodRawShape>
  const open = Object.keys(shape).filter((key) => !(key in fixed) && !(makes && key === 'resourceUuid'))
  const variables = variablesOf(api)
  const required = open.filter((key) => !(shape[key] as z.ZodType).safeParse(undefined).success)
  return { all: [...new Set([...variables, ...open])], required: [...new Set([...variables, ...required])], shape }
}

/** Throws `invalid-argument` where the step can't be given that. */
function checkGiven(step: string, one: Registered, given: Given): void {
  const { all, required, shape } = parametersOf(one)
  const bad = (why: string) => new SkerryError('invalid-argument', `step ${step} ${why}`, { step })
  const strange = Object.keys(given).find((key) => !all.includes(key))
  if (strange !== undefined) throw bad(`takes no ${strange}; it takes ${all.join(', ')}`)
  const missing = required.find((key) => given[key] === undefined)
  if (missing !== undefined) throw bad(`must be given ${missing}: write with: { ${missing}: … }`)
  for (const [key, value] of Object.entries(given)) {
    const schema = shape[key] as z.ZodType | undefined
    if (!schema || referenceIn(value)) continue
    const parsed = schema.safeParse(value)
    if (!parsed.success) throw bad(`can't be given ${key}: ${parsed.error.issues[0]!.message}`)
  }
}

const output = z.object({ job: z.string().nullable(), inventory: z.record(z.string(), z.unknown()).optional() })

/** Makes the call as a job and waits for its end. The same job again changes nothing. */
async function made(
  { world, input, remainingMs }: Ctx,
  name: string,
  { params, job }: { params: Row; job: string },
): Promise<void> {
  const { api } = apiNamed(name)
  const variables = Object.fromEntries(variablesOf(api).map((variable) => [variable, String(params[variable])]))
  const checked = checkCall({ api, input: params, variables })
  if (!checked.ok) throw checked.error
  const timeoutMs = Math.max(1, remainingMs())
  const { accountUuid } = input
  await world.jobs.accept({ jobName: `API${name}Msg`, params: checked.params, accountUuid, jobUuid: job, timeoutMs })
  const error = await world.jobs.ended(job, timeoutMs)
  if (error) throw new SkerryError(error.code, `${name}: ${error.message}`, { ...error.details, madeJob: job })
}

const isAlready = (graph: Graph, { already }: Registered, given: Row): boolean =>
  already !== undefined && need(graph, already.table, given['uuid'])['state'] === already.state

/** Waits for a call that is still under way, and takes back what it did. */
async function takeBack(ctx: Ctx, one: Registered, { as, given }: { as: string; given: Row }): Promise<void> {
  const job = derivedId(ctx, as)
  const { jobs, graph } = ctx.world
  if (['processing', 'undoing'].includes(jobs.known(job)?.state ?? '')) await jobs.ended(job, ctx.remainingMs())
  const known = jobs.known(job)
  const back = one.back!
  if (known?.state !== 'done') return
  const params = back.params(given)
  const { resource } = apiNamed(back.api)
  const target = params['uuid'] as string
  // Gone, or as it was before: nothing is left to take back.
  const row = graph.get(resourceOf(resource.name)!.name, target)
  if (!row || (one.already && row['state'] !== one.already.state)) return
  await made(ctx, back.api, { params, job: derivedId(ctx, ctx.commandId) })
}

/** The step that a file names; undefined: none is registered under that name. Throws `invalid-argument`. */
export function registeredStep({ step, as, with: given, given: resolve }: SiteRun): Step<Input, World> | undefined {
  const one = Object.hasOwn(registered, step) ? registered[step] : undefined
  if (!one) return undefined
  checkGiven(step, one, given)
  const paramsOf = (ctx: Ctx): Row => ({
    ...resolve(ctx),
    ...one.with,
    ...(one.makes ? { resourceUuid: derivedId(ctx, `${as}/made`) } : {}),
  })
  const run = async (ctx: Ctx) => {
    const job = derivedId(ctx, as)
    const params = paramsOf(ctx)
    if (!ctx.world.jobs.known(job) && isAlready(ctx.world.graph, one, params)) return { output: { job: null } }
    await made(ctx, one.api, { params, job })
    return { output: { job, ...(one.makes ? { inventory: { uuid: params['resourceUuid'] } } : {}) } }
  }
  const undo = one.back ? { undo: (ctx: Ctx) => takeBack(ctx, one, { as, given: paramsOf(ctx) }) } : { noUndo: one.noUndo! }
  return { name: as, from: `call ${one.api}`, output, do: run, ...undo } as Step<Input, World>
}
