/** A site with a tombstone that waits for an agent that is away. */
import type { Op } from '@skerry/contract'
import { gcChange, gcJobId } from '../src/gc/jobs.ts'
import { type Before, on } from './before.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

export const waiting = (noun: string): Op => {
  const [uuid, agentUuid] = [id('gone'), u.kvm]
  const v = { agentUuid, noun, uuid, of: `${noun}/${uuid}`, hash: '', tombstone: true, job: id('deletion') }
  return { o: 'put', t: 'desired', k: `${agentUuid}/${noun}/${uuid}`, v }
}

const toAway = (noun: string): Op[] => [{ o: 'set', t: 'agent', k: u.kvm, v: { status: 'Disconnected' } }, waiting(noun)]

export async function away(noun: string): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w)
  await w.commit({ ops: toAway(noun) })
  return w
}

/** A GC job, and its tombstone. */
const waits: Before = async (w) => {
  await site(w)
  await w.commit({ ops: toAway('vm') })
  await w.commit(gcChange(w.state.graph, { now: 0, nodeUuid: id('node') })!)
  return on('gcJob', gcJobId(`${u.kvm}/vm/${id('gone')}`, id('deletion')))
}

export const gcCases: Record<string, Before> = { 'gcJob.trigger': waits, 'gcJob.delete': waits }
