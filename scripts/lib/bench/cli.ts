/**
 * How long a command of the built `skerry` takes from start to end, beside `node -e 0`, which is what the machine takes to start
 * Node at all. The controller is a whole small site in another process.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { end } from './process.ts'
import { type Result, spread } from './result.ts'

const GOAL_MS = 150
const COMPLETION_GOAL_MS = 200
/** Node alone starts evenly on a quiet machine. */
const BUSY = 1.5
/** The first runs fill the page cache. */
const WARM_UP = 2

interface Options {
  root: string
  dir: string
  rounds: number
  say(text: string): void
}

interface Site {
  child: ChildProcess
  env: Record<string, string>
}

async function startSite({ root, dir }: Options): Promise<Site> {
  const program = join(root, 'scripts/lib/bench/cli-site.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the site ended with ${code}`)))
  const [told] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string; session: string }]
  ended.catch(() => undefined) // from now on it is ended by us
  return { child, env: { SKERRY_URL: told.url, SKERRY_SESSION: told.session, XDG_CONFIG_HOME: dir } }
}

/** Milliseconds from before it is started to its end. */
async function took(argv: readonly string[], env: Record<string, string>): Promise<number> {
  const began = performance.now()
  const child = spawn(process.execPath, argv, { stdio: 'ignore', env })
  const [code] = (await once(child, 'exit')) as [number]
  if (code !== 0) throw new Error(`${argv.slice(1).join(' ')} ended with ${code}`)
  return performance.now() - began
}

/** Commands take turns, so that what else the machine does falls on all of them alike. */
export async function benchCli(o: Options): Promise<{ results: Result[]; voided: string[] }> {
  const site = await startSite(o)
  const program = join(o.root, 'dist/cli/main.js')
  const commands = [
    { what: '--help', argv: ['--help'], goalMs: GOAL_MS },
    { what: 'get vm', argv: ['get', 'vm'], goalMs: GOAL_MS },
    { what: 'completion of a name', argv: ['__complete', 'fish', 'stop', 'vm', ''], goalMs: COMPLETION_GOAL_MS },
  ]
  const times = commands.map((): number[] => [])
  const bare: number[] = []
  try {
    for (let round = -WARM_UP; round < o.rounds * 4; round++) {
      const none = await took(['-e', '0'], site.env)
      if (round >= 0) bare.push(none)
      for (const [i, { argv }] of commands.entries()) {
        const ms = await took([program, ...argv], site.env)
        if (round >= 0) times[i]!.push(ms)
      }
    }
  } finally {
    await end(site.child)
  }
  const limit = spread(bare)
  const results = commands.map(({ what, goalMs }, i): Result => {
    const skerry = spread(times[i]!)
    return {
      ...{ bench: 'cli', what, unit: 'ms', limit, skerry, ratio: skerry.median / limit.median },
      ...{ goal: `≤ ${goalMs} ms`, met: skerry.median <= goalMs },
    }
  })
  o.say(`${bare.length} runs each; the limit is node -e 0`)
  const busy = limit.median > BUSY * limit.min
  return {
    results,
    voided: busy ? ['cli: Node itself mostly took much longer than it needs: the machine is too busy, run it again'] : [],
  }
}
