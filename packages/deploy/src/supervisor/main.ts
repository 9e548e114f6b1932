/** The supervisor as a process: `main.js <run folder>`. Wiring only. */
import { files, processes, realExec } from '@skerry/host'
import { serveControl } from './control.ts'
import { Supervisor } from './supervisor.ts'

const BACKOFF = { firstMs: 200, maxMs: 10_000, healthyAfterMs: 10_000 }

const log = (facts: Record<string, unknown>, message: string) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), ...facts, message }))

async function main(runDir: string | undefined): Promise<void> {
  if (!runDir?.startsWith('/')) throw new Error('usage: main.js <run folder, absolute>')
  const supervisor = new Supervisor({
    exec: realExec(),
    files: files(),
    processes: processes(),
    timers: {
      set: (run, ms) => setTimeout(run, ms),
      clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
      nowMs: () => performance.now(),
    },
    log,
    runDir,
    backoff: BACKOFF,
  })
  const end = async (why: string) => {
    log({ why }, 'supervisor ends its services')
    await supervisor.stop()
  }
  const server = await serveControl(`${runDir}/supervisor.sock`, async (asked) => {
    if (asked.verb === 'reload') await supervisor.reload()
    if (asked.verb === 'restart') await supervisor.restart(asked.name)
    if (asked.verb === 'stop') await end('it was asked to')
    if (asked.verb === 'leave') await supervisor.idle()
    // the answer goes out first
    if (asked.verb === 'stop' || asked.verb === 'leave') setTimeout(() => process.exit(0), 50)
    return { pid: process.pid, services: supervisor.status() }
  })
  if (!server) return log({ runDir }, 'another supervisor runs here; this one ends')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal).finally(() => process.exit(0)))
  process.on('SIGHUP', () => log({}, 'the terminal went away; going on'))
  log({ pid: process.pid, runDir }, 'supervisor starts')
  await supervisor.reload()
}

main(process.argv[2]).catch((error) => {
  log({ error: String(error) }, 'the supervisor cannot go on')
  process.exit(1)
})
