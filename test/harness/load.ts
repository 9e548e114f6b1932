/**
 * Work that goes on whatever happens to the controller: VMs are made, stopped, started and removed. A call that was cut off is sent
 * again with the same job uuid, as a careful client does, so an accepted job is asked for until it has ended.
 */
import type { Row } from '@skerry/contract'
import type { SmallWorld } from './small-world.ts'
import { type Answer, apiNamed, newUuid, sentFor, type ZStackClient } from './zstack-client.ts'

export interface Load {
  /** calls that ended, with how */
  ended: { api: string; jobUuid: string; status: number; text: string }[]
  /** VMs that were made and not removed, with the state that they must be in */
  vms: Map<string, 'Running' | 'Stopped'>
  /** Lets what was begun end. */
  stop(): Promise<void>
}

const AGAIN_MS = 100
const GIVE_UP_MS = 120_000
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** @param loops how many clients work at the same time, each on VMs of its own */
export function startLoad(client: ZStackClient, world: SmallWorld, loops: number): Load {
  const load: Pick<Load, 'ended' | 'vms'> = { ended: [], vms: new Map() }
  const control = { stopping: false }
  const running = Array.from({ length: loops }, (_, n) => work(client, { world, load, control, n }))
  const all = Promise.all(running)
  all.catch(() => undefined) // thrown at stop()
  return {
    ...load,
    async stop() {
      control.stopping = true
      await all
    },
  }
}

interface Work {
  world: SmallWorld
  load: Pick<Load, 'ended' | 'vms'>
  control: { stopping: boolean }
  n: number
}

async function work(client: ZStackClient, { world, load, control, n }: Work): Promise<void> {
  const call = (api: string, params: Row) => insist(client, { api, params, load })
  for (let round = 0; !control.stopping; round += 1) {
    const made = await call('CreateVmInstance', {
      name: `vm-${n}-${round}`,
      instanceOfferingUuid: world.offering,
      imageUuid: world.image,
      l3NetworkUuids: [world.l3],
    })
    const uuid = (made['inventory'] as Row)['uuid'] as string
    load.vms.set(uuid, 'Running')
    await call('StopVmInstance', { uuid, type: 'cold' })
    load.vms.set(uuid, 'Stopped')
    await call('StartVmInstance', { uuid })
    load.vms.set(uuid, 'Running')
    // Every other one stays, to be looked at in the end.
    if (round % 2 === 0) continue
    await call('DestroyVmInstance', { uuid })
    await call('ExpungeVmInstance', { uuid })
    load.vms.delete(uuid)
  }
}

async function insist(client: ZStackClient, o: { api: string; params: Row; load: Pick<Load, 'ended'> }): Promise<Row> {
  const jobUuid = newUuid()
  const sent = sentFor(apiNamed(o.api), o.params)
  const end = Date.now() + GIVE_UP_MS
  for (;;) {
    const answer = await once(client, jobUuid, sent)
    if (answer && answer.status !== 503) {
      o.load.ended.push({ api: o.api, jobUuid, status: answer.status, text: answer.text })
      if (answer.status !== 200 || !answer.body)
        throw new Error(`${o.api} ended with ${answer.status}: ${answer.text.slice(0, 2_000)}`)
      return answer.body
    }
    if (Date.now() > end) throw new Error(`${o.api} (${jobUuid}) did not end; last: ${answer?.text}`)
    await pause(AGAIN_MS)
  }
}

/** Undefined: the controller went away meanwhile. */
async function once(client: ZStackClient, jobUuid: string, sent: ReturnType<typeof sentFor>): Promise<Answer | undefined> {
  try {
    const first = await client.send(sent, client.headers(jobUuid))
    // ZStack's answer to a job that is known already: it had been accepted before the line was cut.
    const known = first.status === 400 && first.text.includes('duplicate job uuid')
    return first.status === 202 || known ? await client.poll(jobUuid, { everyMs: 20, ms: GIVE_UP_MS }) : first
  } catch (error) {
    if (error instanceof TypeError) return undefined // fetch failed
    throw error
  }
}
