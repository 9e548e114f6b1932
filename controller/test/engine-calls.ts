/** An engine over the world in memory, and calls to it. */
import { createHash } from 'node:crypto'
import { realTimers } from '@skerry/bus'
import { ADMIN_ACCOUNT, apis, type Op, type Row, SkerryError } from '@skerry/contract'
import { ControllerEngine } from '../src/engine/engine.ts'
import type { PlanPorts } from '../src/engine/plan.ts'
import type { Call, JobView } from '../src/engine/port.ts'
import { id, makeWorld, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export function engineOf(
  w: TestWorld,
  dryRun: PlanPorts['dryRun'] = async () => [],
  onEnded: (job: JobView, resourceUuid: string) => void = () => undefined,
): ControllerEngine {
  const faults: unknown[] = []
  return new ControllerEngine({
    state: w.state,
    world: w.world,
    now: w.world.now,
    newId: w.world.newId,
    sleep,
    timers: realTimers,
    seal: (h) => h,
    report: (error) => faults.push(error),
    calls: {},
    volatile: {},
    disclosed: {},
    signed: async () => undefined,
    onEnded,
    dryRun,
  })
}

export const call = (api: string, params: Row, more: Partial<Call> = {}): Call => {
  const found = apis.find((a) => a.api.api === api)!
  return {
    ...found,
    params,
    bodyHash: createHash('sha256')
      .update(api + JSON.stringify(params))
      .digest('hex'),
    caller: { accountUuid: ADMIN_ACCOUNT, sessionUuid: id('s'), admin: true },
    ...more,
  }
}

export async function done(engine: ControllerEngine, c: Call): Promise<JobView> {
  const job = await engine.accept(c)
  return (await engine.wait(job.uuid, 10_000))!
}

export async function ready(options = {}): Promise<{ w: TestWorld; engine: ControllerEngine }> {
  const w = await makeWorld()
  w.world.random = Math.random
  await site(w, options)
  return { w, engine: engineOf(w) }
}

/** The host that `twoHosts` has beside that of each site. */
export const second = id('h2')

/** A site with two hosts. */
export async function twoHosts(): Promise<{ w: TestWorld; engine: ControllerEngine }> {
  const { w, engine } = await ready()
  const { graph } = w.state
  const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v })
  const ops: Op[] = [{ o: 'set', t: 'l2Network', k: u.l2, v: { physicalInterface: 'eth0' } }]
  for (const kind of ['kvm', 'storage', 'vrouter'] as const)
    ops.push(put('agent', id(`${kind}2`), { ...graph.get('agent', u[kind])!, uuid: id(`${kind}2`), hostUuid: second }))
  ops.push(put('host', second, { ...graph.get('host', u.host)!, uuid: second, name: 'h2' }))
  const part = `${u.ps}:${second}`
  ops.push(
    put('localStorageHost', part, { ...graph.get('localStorageHost', `${u.ps}:${u.host}`)!, uuid: part, hostUuid: second }),
  )
  await w.commit({ ops })
  await w.agents.settle()
  return { w, engine }
}

/** Creates so many VMs at once; what each ended with. */
export async function race(engine: ControllerEngine, count: number): Promise<(JobView | SkerryError)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      done(engine, call('CreateVmInstance', { ...vmParams, name: `vm${i}` })).catch((e: SkerryError) => e),
    ),
  )
}
export const succeeded = (ends: (JobView | SkerryError)[]) =>
  ends.filter((e) => !(e instanceof SkerryError) && e.state === 'done').length
export const codes = (ends: (JobView | SkerryError)[]) => [
  ...new Set(ends.flatMap((e) => (e instanceof SkerryError ? [e.code] : e.error ? [e.error.code] : []))),
]
