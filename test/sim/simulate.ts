/** `scripts/simulate`: bundles the simulation, runs it in processes of its own, and tells what they found. */
import { parseArgs } from 'node:util'
import { leaveOnSignals } from './leaving.ts'
import { plantedBugs } from './planted.ts'
import { type Found, findPlanted, found, SEEDS_A_BUG, seedsFrom } from './run.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    planted: { type: 'boolean', default: false },
  },
})

const say = (line: string) => void process.stdout.write(`${line}\n`)
const tell = ({ seed, hash, wrong, diary, calls, simulatedMs }: Found) => {
  if (values.trace) for (const line of diary ?? []) say(line)
  if (wrong.length > 0 || values.seed !== undefined)
    say(
      `seed ${seed}: ${wrong.length === 0 ? 'holds' : 'WRONG'}; ${calls} calls in ${Math.round(simulatedMs / 1_000)} simulated s; ${hash}`,
    )
  for (const line of wrong) say(`  ${line}`)
}

async function planted(): Promise<boolean> {
  const unknown = positionals.filter((name) => !plantedBugs.some((bug) => bug.name === name))
  if (unknown.length > 0) throw new Error(`there is no planted bug ${unknown.join(', ')}`)
  const wanted = plantedBugs.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const missed: string[] = []
  for (const bug of wanted) {
    const at = await findPlanted(bug)
    if (!at) missed.push(bug.name)
    say(
      at
        ? `${bug.name}: found by seed ${at.seed}: ${at.wrong[0]}`
        : `${bug.name}: NOT FOUND within ${SEEDS_A_BUG} seeds: ${bug.means}`,
    )
  }
  say(`${wanted.length - missed.length} of ${wanted.length} planted bugs found`)
  return missed.length === 0
}

async function seeds(): Promise<boolean> {
  const from = Number(values.seed ?? values.from)
  const count = values.seed === undefined ? Number(values.seeds) : 1
  const began = performance.now()
  const total = { seeds: 0, wrong: [] as number[] }
  for await (const one of found({ seeds: seedsFrom(from, count), jobs: Number(values.jobs), trace: values.trace })) {
    tell(one)
    total.seeds += 1
    if (one.wrong.length > 0) total.wrong.push(one.seed)
    if (total.seeds % 100 === 0) say(`${total.seeds} seeds in ${Math.round((performance.now() - began) / 1_000)} s`)
  }
  say(`${total.seeds} seeds, ${total.wrong.length} of them wrong${total.wrong.length > 0 ? `: ${total.wrong.join(', ')}` : ''}`)
  return total.wrong.length === 0 && total.seeds === count
}

leaveOnSignals()
process.exitCode = (await (values.planted ? planted() : seeds())) ? 0 : 1
