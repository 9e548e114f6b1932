/** The simulator as a process: nats-server and the controller as its children, and machines in its memory. Wiring only. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { connectionOf, type Log } from '@skerry/agent'
import { connectNats } from '@skerry/bus'
import { type SimulatorFile, SkerryError } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { pino } from 'pino'
import { openDoor } from './http.ts'
import { Simulator } from './simulator.ts'
import { Children } from './site/children.ts'
import { simulatedLayout } from './site/layout.ts'
import { prepareNats } from './site/nats-files.ts'

const READY_MS = 60_000
const SAVE_MS = 2_000
/** Saving takes at most one part in so many of the time. */
const SAVE_SHARE = 20
const HOST = '127.0.0.1'
/** MiB for objects that live for one call only: with less, many of them are kept for long. */
const YOUNG = ['--max-semi-space-size=64']
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
/** Of thousands of agents only what is wrong is worth a line. */
const log: Log = pino({ name: 'skerry-simulator', level: 'warn' })

interface Given {
  stateDir: string
  httpPort: string
  natsPort: string
  natsServer: string
  controller: string
  plugins: string | undefined
  workflows: string | undefined
}

function readGiven(argv: readonly string[]): Given {
  const text = { type: 'string' } as const
  const needed = { 'state-dir': text, 'http-port': text, 'nats-port': text, 'nats-server': text, controller: text } as const
  const options = { ...needed, plugins: text, workflows: text } as const
  const { values } = parseArgs({ args: [...argv], options, strict: true })
  const need = (name: keyof typeof needed) => {
    const value = values[name]
    if (value === undefined) throw new SkerryError('invalid-argument', `--${name} is missing; scripts/up --simulate gives it`)
    return value
  }
  return {
    stateDir: need('state-dir'),
    httpPort: need('http-port'),
    natsPort: need('nats-port'),
    natsServer: need('nats-server'),
    controller: need('controller'),
    plugins: values.plugins,
    workflows: values.workflows,
  }
}

async function run(given: Given): Promise<void> {
  const layout = simulatedLayout(given.stateDir)
  const { files, process: processes } = realHost()
  const children = new Children({ files, processes, path: layout.children, log })
  await children.endLeftovers()
  await prepareNats(files, layout, Number(given.natsPort))
  const controllerUrl = `http://${HOST}:${given.httpPort}`
  const natsUrl = `nats://${HOST}:${given.natsPort}`
  const simulator = new Simulator({
    controllerUrl,
    connect: (identity) => connectNats({ ...connectionOf(identity.kind, identity), waitOnFirstConnect: true }),
    ...{ files, dir: layout.machines, log, sleep, random: Math.random },
  })
  const now = { ready: false, ending: false }
  const token = randomBytes(24).toString('base64url')
  const end = async () => {
    if (now.ending) return
    Object.assign(now, { ending: true, ready: false })
    await simulator.stop()
    await children.stop()
    await files.remove(layout.door) // last: while it is there, this one is
    process.exit(0)
  }
  const stop = () => void end().catch(fail)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  const door = await openDoor({ simulator, token, ready: () => now.ready, stop })
  const here: SimulatorFile = { url: door.url, token }
  await files.write(layout.door, JSON.stringify(here), 0o600)
  const begin = async () => {
    await children.start({ name: 'nats', argv: [given.natsServer, '-c', layout.natsConfig], logFile: layout.log('nats') })
    const argv: [string, ...string[]] = [
      ...([
        process.execPath,
        ...YOUNG,
        given.controller,
        '--state-dir',
        layout.controller,
        '--http-port',
        given.httpPort,
      ] as const),
      ...['--nats-url', natsUrl, '--nats-site', layout.natsSite, '--simulator', layout.door],
      ...['--admin-password-file', layout.adminPassword],
      ...(given.plugins === undefined ? [] : ['--plugins', given.plugins]),
      ...(given.workflows === undefined ? [] : ['--workflows', given.workflows]),
    ]
    await children.start({ name: 'controller', argv, logFile: layout.log('controller') })
    await untilReady(`${controllerUrl}/readyz`)
    await simulator.resume()
    now.ready = true
  }
  await begin().catch(async (error) => {
    await children.stop()
    throw error
  })
  saveAgainAndAgain(simulator, () => now.ending)
}

async function untilReady(url: string): Promise<void> {
  for (const until = performance.now() + READY_MS; ; await sleep(25)) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined) // not listening yet
    if (answer?.ok) return
    if (performance.now() > until)
      throw new SkerryError('not-ready', `the controller at ${url} is not ready after ${READY_MS} ms`)
  }
}

/** A simulator that is killed loses the last seconds of its machines, as a power cut loses what was not synced. */
function saveAgainAndAgain(simulator: Simulator, ending: () => boolean): void {
  const later = (ms: number) =>
    setTimeout(() => {
      if (ending()) return
      const began = performance.now()
      simulator
        .save()
        .catch((err) => log.error({ err }, 'cannot keep what simulated machines are'))
        .finally(() => later(Math.max(SAVE_MS, SAVE_SHARE * (performance.now() - began))))
    }, ms)
  later(SAVE_MS)
}

function fail(err: unknown): never {
  log.error({ err }, 'the simulator cannot go on')
  process.exit(1)
}

await run(readGiven(process.argv.slice(2))).catch(fail)
