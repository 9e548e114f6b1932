/** What is there before anybody asks for anything: how soon a controller is ready, and what an agent costs that has nothing to do. */
import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNats } from '../../../packages/testkit/src/index.ts'
import { answering, end, freePort, SERVER_CORE, startPinned, usageOf } from './process.ts'
import { type Result, spread } from './result.ts'
import { type Site, startSite } from './site.ts'

export interface IdleOptions {
  root: string
  dir: string
  rounds: number
  /** for which an agent is looked at in each round */
  seconds: number
  env: NodeJS.ProcessEnv
  say(text: string): void
}

const START_MS = 400
const AGENT_MB = 60
const AGENT_PERCENT = 0.2
const CONNECTED_MS = 60_000
/** An agent's first looks at its host are no idleness. */
const SETTLE_MS = 10_000
const ADDRESS = '127.0.0.9'

export async function benchIdle(o: IdleOptions): Promise<{ results: Result[]; voided: string[] }> {
  const starts = await controllerStarts(o)
  o.say(`controller ready after ${starts.map((ms) => ms.toFixed(0)).join(', ')} ms`)
  const agent = await idleAgent(o)
  const judged = (what: string, unit: string, values: readonly number[], most: number): Result => {
    const skerry = spread(values)
    return { bench: 'idle', what, unit, skerry, goal: `≤ ${most} ${unit}`, met: skerry.median <= most }
  }
  return {
    results: [
      judged('controller, from its start until it is ready', 'ms', starts, START_MS),
      judged('agent-storage that has nothing to do', 'MB RSS', agent.rss, AGENT_MB),
      judged(`agent-storage that has nothing to do, over ${o.seconds} s`, '% of a core', agent.cpu, AGENT_PERCENT),
    ],
    voided: [],
  }
}

/** On a state of its own; the first start, which makes it, is not counted. */
async function controllerStarts({ root, dir, rounds }: IdleOptions): Promise<number[]> {
  const nats = await startNats()
  const starts: number[] = []
  try {
    for (let n = 0; n <= rounds; n++) {
      const port = await freePort()
      const where = ['--state-dir', join(dir, 'controller'), '--http-port', String(port), '--nats-url', nats.url]
      const log = join(dir, 'controller.log')
      const child = startPinned({ core: SERVER_CORE, argv: [join(root, 'dist/controller/main.js'), ...where], log })
      const ms = await answering(`http://127.0.0.1:${port}/readyz`, child)
      if (n > 0) starts.push(ms)
      await end(child)
    }
  } finally {
    await nats.stop()
  }
  return starts
}

/** Of the kind that needs neither root nor a hypervisor, on a real bus with its rights. */
async function idleAgent(o: IdleOptions): Promise<{ rss: number[]; cpu: number[] }> {
  const site = await startSite({ ...o, hosts: 1, stateDir: join(o.dir, 'site') })
  let child: ChildProcess | undefined
  try {
    child = await startAgent(o, site)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const seen: { rss: number[]; cpu: number[] } = { rss: [], cpu: [] }
    for (let n = 0; n < o.rounds; n++) {
      const before = usageOf(child.pid!)
      await new Promise((resolve) => setTimeout(resolve, o.seconds * 1000))
      const after = usageOf(child.pid!)
      seen.rss.push(after.rssBytes / 1e6)
      seen.cpu.push((after.cpuMs - before.cpuMs) / (o.seconds * 10))
    }
    return seen
  } finally {
    if (child) await end(child)
    site.end()
  }
}

async function startAgent({ root, dir }: IdleOptions, { client, port }: Site): Promise<ChildProcess> {
  const { token } = await client.call('CreateAgentToken', {})
  const stateDir = join(dir, 'agent-storage')
  await mkdir(stateDir, { mode: 0o700 })
  const tokenFile = join(dir, 'token')
  await writeFile(tokenFile, String(token), { mode: 0o600 })
  const where = ['--state-dir', stateDir, '--controller', `http://127.0.0.1:${port}`, '--token-file', tokenFile]
  const argv = [join(root, 'dist/agent-storage/main.js'), ...where, '--management-ip', ADDRESS, '--log-level', 'warn']
  const child = startPinned({ core: SERVER_CORE, argv, log: join(dir, 'agent-storage.log') })
  const connected = { q: [`managementIp=${ADDRESS}`, 'status=Connected'], count: true }
  for (const until = performance.now() + CONNECTED_MS; (await client.query('agent', connected)).total !== 1; ) {
    if (child.exitCode !== null) throw new Error(`agent-storage ended with ${child.exitCode}`)
    if (performance.now() > until) throw new Error(`agent-storage was not heard for ${CONNECTED_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return child
}
