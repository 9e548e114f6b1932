/**
 * Tries an agent, of whatever make and language, on a bus: whether it keeps to the protocol that `/asyncapi.json` describes. It speaks as
 * a controller does, so it belongs on a bus of its own. What it makes under the sample's noun it removes again.
 */

import { discoverServices, type GatheringBus } from '@skerry/bus'
import { type AgentKind, digestReply, parseAgentSubject, SkerryError, subjects } from '@skerry/contract'
import { commands } from './commands.ts'
import { documents } from './documents.ts'
import { afterAll, presence } from './presence.ts'
import { Breach, type Check, Skipped, Trial, type TrialPorts } from './trial.ts'

export type { Sample } from './trial.ts'

export interface Result {
  name: string
  outcome: 'passed' | 'failed' | 'skipped'
  /** why not */
  because?: string
}

const alive: Check = {
  name: 'answers as before after all that',
  run: async (trial) => void (await trial.own('digest', null, digestReply)),
}

/** Checks in their order: what one leaves, the next builds upon. */
const checks: readonly Check[] = [...documents, ...commands, ...presence, alive, afterAll]

/** Every check with its outcome; `told` hears each as it ends. Throws only where there is no bus. */
export async function tryAgent(ports: TrialPorts, told: (result: Result) => void = () => undefined): Promise<Result[]> {
  const trial = new Trial(ports)
  await trial.begin()
  const results: Result[] = []
  try {
    for (const check of checks) {
      const result = await outcomeOf(check, trial)
      results.push(result)
      told(result)
    }
  } finally {
    await trial.end()
  }
  return results
}

async function outcomeOf({ name, run }: Check, trial: Trial): Promise<Result> {
  try {
    await run(trial)
    return { name, outcome: 'passed' }
  } catch (error) {
    if (error instanceof Skipped) return { name, outcome: 'skipped', because: error.message }
    if (error instanceof Breach) return { name, outcome: 'failed', because: error.message }
    // An answer that is an error where none belongs, or no answer.
    if (error instanceof SkerryError) return { name, outcome: 'failed', because: `${error.code}: ${error.message}` }
    throw error
  }
}

export interface Found {
  kind: AgentKind
  uuid: string
}

const SERVICES_MS = 1_000
const LOOK_MS = 50

/** Agents on this bus: those that are services, or beat within `ms` where none is. Ends as soon as the wanted one is there. */
export async function agentsOn(
  bus: GatheringBus,
  o: { ms: number; sleep: (ms: number) => Promise<void>; wanted?: string | undefined },
): Promise<Found[]> {
  const found = new Map<string, Found>()
  const take = (kind: string, uuid: string) => {
    // Of a kind that the contract doesn't know nothing can be asked.
    const of = parseAgentSubject(subjects.heartbeat(kind as AgentKind, uuid))
    if (of) found.set(uuid, { kind: of.kind, uuid })
  }
  const listening = bus.subscribe(subjects.heartbeatOfAll, ({ subject }) => {
    const of = parseAgentSubject(subject)
    if (of) take(of.kind, of.agentUuid)
  })
  const services = discoverServices(bus, { timeoutMs: SERVICES_MS }).then((list) => {
    for (const { name, id } of list as { name?: unknown; id?: unknown }[])
      if (typeof name === 'string' && typeof id === 'string') take(name.replace(/^agent-/, ''), id)
  })
  const there = () => (o.wanted === undefined ? false : found.has(o.wanted))
  for (let waited = 0; waited < o.ms && !there(); waited += LOOK_MS) {
    await o.sleep(LOOK_MS)
    if (waited >= SERVICES_MS && o.wanted === undefined && found.size > 0) break
  }
  await services
  await listening.stop()
  return [...found.values()]
}
