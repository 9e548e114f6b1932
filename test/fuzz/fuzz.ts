/** `scripts/fuzz`: a site, a run of requests from a seed, and what became of both. */
import { parseArgs } from 'node:util'
import { leaveOnSignals } from '../sim/leaving.ts'
import { Driver, type Problem } from './drive.ts'
import { requestOf } from './generate.ts'
import { asCommand } from './request.ts'
import { type Site, startSite } from './site.ts'
import type { Rest } from './site-process.ts'
import { HELD_MS } from './watch.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    warm: { type: 'string', default: '30000' },
    site: { type: 'string' },
    progress: { type: 'boolean', default: false },
  },
})
const [requests, seed] = [Number(values.requests), Number(values.seed)]
/** Warm-up has numbers of its own, so that `--only` finds every one. */
const warmUp = Math.min(Number(values.warm), requests)
const SLICE = 10_000
/** Kept bytes may grow by this share. */
const GROWTH = 0.1
const SHOWN = 40
const MIB = 1024 ** 2

const say = (line: string) => void process.stdout.write(`${line}\n`)
const began = performance.now()
const seconds = () => ((performance.now() - began) / 1_000).toFixed(0)

/** What is kept swings by some MiB with what caches hold at a moment, so what grows is told by the most before and the least at the end. */
interface Kept {
  most: number
  /** of the last two slices */
  least: number
}

async function runAll(site: Site, driver: Driver, from: number, count: number): Promise<Rest & Kept> {
  const held: Rest['held'] = []
  const kept: number[] = []
  let told = driver.tally.problems.length
  let rest!: Rest
  for (let at = from; at < from + count; at += SLICE) {
    await driver.run(at, Math.min(SLICE, from + count - at))
    if (values.progress) say(`sent by ${seconds()} s`)
    rest = await site.ask('rest')
    for (const wrong of rest.wrong)
      driver.tally.problems.push({ number: at, wrong: `behind number ${at}: ${wrong}`, command: '' })
    for (const left of rest.left)
      driver.tally.problems.push({ number: at, wrong: `behind number ${at}: can't be deleted: ${left}`, command: '' })
    held.push(...rest.held)
    kept.push(rest.bytes)
    for (const one of rest.held) blame(driver, one)
    if (values.progress) {
      for (const { number, wrong } of driver.tally.problems.slice(told)) say(`  number ${number}: ${wrong}`)
      told = driver.tally.problems.length
      say(
        `${Math.min(at + SLICE, from + count)} in ${seconds()} s, ${(rest.bytes / MIB).toFixed(1)} MiB kept, ${driver.tally.problems.length} problems, ${JSON.stringify(driver.tally.answers)}`,
      )
    }
  }
  return { ...rest, held, most: Math.max(...kept), least: Math.min(...kept.slice(-2)) }
}

/** Whatever was under way while the loop was held. */
function blame(driver: Driver, { from, to, cpuMs }: Rest['held'][number]): void {
  for (const one of driver.recent)
    if (one.from <= to && (one.to ?? to) >= from)
      driver.problem(one.request, `under way while the loop was held for ${Math.round(cpuMs)} ms of CPU`)
}

/** Each kind of problem is shown a few times, all are counted. */
function tell(problems: readonly Problem[]): void {
  const seen = new Map<string, number>()
  for (const { number, wrong, command } of problems) {
    const kind = wrong.slice(0, 60)
    seen.set(kind, (seen.get(kind) ?? 0) + 1)
    if (seen.size > SHOWN || seen.get(kind)! > 2) continue
    say(`--seed ${seed} --only ${number}: ${wrong}`)
    if (command !== '') say(`  ${command}`)
  }
}

async function only(site: Site, number: number): Promise<boolean> {
  const driver = new Driver(site, seed)
  const request = requestOf(site, seed, number)
  say(asCommand(request, { url: site.url, nats: `nats://127.0.0.1:${site.natsPort}` }))
  await driver.run(number, 1)
  const { wrong, longest } = await site.ask('rest')
  say(`${JSON.stringify(driver.tally.answers)}; the loop was held for ${Math.round(longest.cpuMs)} ms of CPU at most`)
  tell([...driver.tally.problems, ...wrong.map((one) => ({ number, wrong: one, command: '' }))])
  driver.close()
  return driver.tally.problems.length + wrong.length === 0
}

async function whole(site: Site): Promise<boolean> {
  const driver = new Driver(site, seed)
  const warm = await runAll(site, driver, 0, warmUp)
  const rest = await runAll(site, driver, warmUp, requests - warmUp)
  const { tally } = driver
  driver.close()
  if (rest.least > warm.most * (1 + GROWTH))
    tally.problems.push({
      number: 0,
      wrong: `memory: ${Math.round(warm.most / MIB)} MiB were kept after ${warmUp} requests, ${Math.round(rest.least / MIB)} MiB are now`,
      command: '',
    })
  tell(tally.problems)
  const { user, system } = process.cpuUsage()
  const mine = (user + system) / 1_000
  say(`answers: ${JSON.stringify(tally.answers)}`)
  say(`memory: ${(warm.most / MIB).toFixed(1)} MiB kept after ${warmUp}, ${(rest.least / MIB).toFixed(1)} MiB after ${requests}`)
  say(
    `the loop was held for ${Math.round(rest.longest.cpuMs)} ms of CPU at most (wrong from ${HELD_MS} on); CPU: site ${Math.round(rest.cpuMs / 1_000)} s, sender ${Math.round(mine / 1_000)} s (system: ${Math.round((rest.systemMs + system / 1_000) / 1_000)} s)`,
  )
  say(`${tally.sent} requests of seed ${seed} in ${seconds()} s: ${tally.problems.length} problems`)
  return tally.problems.length === 0
}

leaveOnSignals()
const site = await startSite(values.site!, values.only !== undefined)
if (values.progress) say('the site is there')
// A site that dies takes the run with it, with the newest requests as suspects.
let stopping = false
void site.ended.then((how) => {
  if (!stopping) say(how)
  process.exit(stopping ? process.exitCode : 1)
})
const fine = await (values.only === undefined ? whole(site) : only(site, Number(values.only)))
process.exitCode = fine ? 0 : 1
stopping = true
await site.ask('stop')
