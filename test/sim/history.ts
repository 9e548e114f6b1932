/** One history from one seed: users and faults by chance, then peace; and what did not hold. */
import type { Store } from '@skerry/controller/in-process'
import { outside } from './ambient.ts'
import { Faults } from './faults.ts'
import { alwaysInGraph, alwaysOnMachines, type Graph } from './invariants.ts'
import type { Life } from './life.ts'
import { Model } from './model.ts'
import { atRest } from './rest.ts'
import { SimSite } from './site.ts'
import { acknowledged, facts, Losses, mayEnd, obeyed, plugged, Reboots } from './told.ts'
import { makeWorld } from './world.ts'

const STEPS = 24
const PAUSE_MS = 2_500
const LOOK_MS = 1_000
const MINUTE = 60_000
/** Queues of jobs with their deadlines, one after another. */
const CALLS_MS = 60 * MINUTE
const PEACE_MS = 10 * MINUTE

export interface History {
  seed: number
  /** of all that was asked, of what happened, and of what there was at the end */
  hash: string
  /** what did not hold */
  wrong: string[]
  diary: string[]
  calls: number
  /** machines that there were */
  hosts: number
  /** one of them was given up for good */
  lost: boolean
  /** simulated and real milliseconds */
  simulatedMs: number
  realMs: number
}

export async function history(seed: number, accountSeed: string): Promise<History> {
  const began = outside.now()
  const site = new SimSite(seed, accountSeed)
  globalThis.fetch = ((url: string, init?: RequestInit) => site.controllers.fetch(new Request(url, init))) as typeof fetch
  const wrong = new Set<string>()
  let calls = 0
  let hash = ''
  const unhandled = (error: unknown) => void wrong.add(`nobody handles ${error instanceof Error ? error.stack : error}`)
  process.on('unhandledRejection', unhandled)
  try {
    const model = await Promise.race([lived(site, wrong), site.scheduler.overrun])
    calls = model.asked.length
    hash = site.hash()
  } catch (error) {
    wrong.add(`the history ended: ${error instanceof Error ? error.stack : error}`)
  }
  process.off('unhandledRejection', unhandled)
  for (const broken of site.broken) wrong.add(broken)
  const simulatedMs = site.scheduler.nowMs()
  site.end()
  const there = { hosts: site.hosts.length, lost: site.hosts.some(({ givenUp }) => givenUp) }
  return { seed, hash, wrong: [...wrong], diary: site.diary, calls, ...there, simulatedMs, realMs: outside.now() - began }
}

async function lived(site: SimSite, wrong: Set<string>): Promise<Model> {
  const say = (lines: Iterable<string>) => {
    for (const line of lines) if (wrong.size < 20) wrong.add(line)
  }
  const { hosts, spare } = size(site.random)
  await site.start(hosts + spare)
  const world = await makeWorld(site, hosts)
  const losses = new Losses()
  watchStores(site, (graph) => {
    say(alwaysInGraph(graph, world))
    losses.look(graph, site.hosts)
  })
  const model = new Model(site, world)
  const reboots = new Reboots(site, model)
  await model.begin(1 + hosts)
  const faults = new Faults(site)
  faults.onLost = spare ? (host) => model.giveUp(host) : undefined
  const off = site.scheduler.every(LOOK_MS, () => say(alwaysOnMachines(site)))
  for (const host of site.hosts) {
    host.onGuestChange = () => say(alwaysOnMachines(site))
    host.onGuestEnd = (vm) => !mayEnd(model, vm) && say([`VM ${vm} has ended, and nobody asked for it`])
  }
  for (let step = 0; step < STEPS; step++) {
    if (site.random() < 0.7) model.act()
    else await faults.strike()
    await site.scheduler.sleep(site.random() * PAUSE_MS)
  }
  await faults.heal()
  await site.scheduler.until(CALLS_MS, () => model.underWay === 0)
  say(await peace(site))
  off()
  say(acknowledged(site, model, losses))
  say(obeyed(site, model))
  say(plugged(site, model))
  for await (const line of facts(site)) say([line])
  say(reboots.once(site))
  return model
}

/** Mostly one or two hosts, which cost the least; where there are more, one of them may be lost, and a machine stands ready. */
function size(random: () => number): { hosts: number; spare: number } {
  const chance = random()
  if (chance < 0.45) return { hosts: 1, spare: 0 }
  if (chance < 0.75) return { hosts: 2, spare: 0 }
  return chance < 0.9 ? { hosts: 2, spare: 1 } : { hosts: 3, spare: 0 }
}

/** After every durable commit of every controller. */
function watchStores(site: SimSite, look: (graph: Graph) => void): void {
  const watch = (store: Store, life: Life) =>
    store.onCommit(() => {
      if (life.alive) look(store.graph)
    })
  site.onOpened = watch
  const { store, life } = site.controllers.running!
  watch(store, life)
}

/** What still is not in order when everybody had time enough. */
async function peace(site: SimSite): Promise<string[]> {
  let left: string[] = []
  const look = async () => {
    left = await atRest(site)
    return left.length === 0
  }
  await site.scheduler.until(PEACE_MS, look, 1_000)
  return left
}
