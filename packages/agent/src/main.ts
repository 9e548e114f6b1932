/** What each agent's main calls: settings, enrolment, ledger, bus, signals. The process ends only by a signal or a hopeless start. */
import { randomBytes } from 'node:crypto'
import { type Bus, connectNats, realTimers, type Timers } from '@skerry/bus'
import { type AgentKind, type InventoryItem, SKERRY_VERSION, SkerryError, toErrorBody } from '@skerry/contract'
import { type Host, realHost } from '@skerry/host'
import type { AnyModule, Clock, DocumentName } from '@skerry/reconcile'
import { pino } from 'pino'
import { type AgentIdentity, runAgent } from './agent.ts'
import type { AgentCommand } from './commands.ts'
import { enrol, type Identity, loadIdentity } from './enrol.ts'
import { AgentKeys, connectionOf } from './keys.ts'
import { type Ledger, openLedger } from './ledger/ledger.ts'
import type { Log } from './log.ts'
import { sealKeysOf, unseal } from './seal.ts'
import { readSettings, type Settings } from './settings.ts'
import { fetchTrusting } from './trusting-fetch.ts'

export interface BuildContext {
  identity: AgentIdentity
  ledger: Ledger
  clock: Clock
  timers: Timers
  log: Log
  /** A folder of the agent's own, for runtime files (a router's leases). */
  stateDir: string
  /** Something on the host may have changed (a lifecycle event): a pass begins. `of`: with these documents only. */
  signal(of?: readonly DocumentName[]): void
  /** Opens what was sealed to this agent. */
  unseal(sealed: string, context: string): Buffer
  /** For what isn't status or reply (console bytes). Undefined while there is none. */
  bus(): Bus | undefined
}

/** What makes one kind of agent. */
export interface AgentParts {
  modules: readonly AnyModule[]
  commands: readonly AgentCommand[]
  inventory(): Promise<InventoryItem[]>
  /** After the drain: closes what `build` opened. Must not touch guests and daemons. */
  stop?(): Promise<void>
}

export interface StartOptions {
  kind: AgentKind
  build(host: Host, context: BuildContext): AgentParts | Promise<AgentParts>
}

const RETRY_MS = 3_000
const NS_PER_MS = 1_000_000
/** CLOCK_MONOTONIC: the same for every process of this boot. */
const sinceBootMs = () => Number(process.hrtime.bigint()) / NS_PER_MS
const REFUSED_RETRY_MS = 30_000

/** Runs the agent of this process: `process.argv`, `process.env`, SIGTERM and SIGINT are read here and nowhere else. */
export async function startAgent({ kind, build }: StartOptions): Promise<void> {
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())
  let log: Log = pino({ name: `agent-${kind}` })
  try {
    const settings = await readSettings(kind, process.argv.slice(2), process.env)
    log = pino({ name: `agent-${kind}`, level: settings.logLevel })
    const stop = await start({ kind, build, settings, log, signal: stopping.signal })
    await aborted(stopping.signal)
    await stop()
    process.exit(0)
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0)
    const { message, hint } = toErrorBody(error)
    log.error({ err: error }, hint ? `${message}. ${hint}` : message)
    process.exit(1)
  }
}

interface Starting extends StartOptions {
  settings: Settings
  log: Log
  signal: AbortSignal
}

/** Returns what ends it. */
async function start({ kind, build, settings, log, signal }: Starting): Promise<() => Promise<void>> {
  const host = realHost()
  const { stateDir } = settings
  await host.files.makeDir(stateDir, 0o700)
  const clock: Clock = { now: () => Date.now() }
  const [machineId, bootId] = await Promise.all([machineIdOf(host, stateDir), host.facts.bootId()])
  const credentials = await enrolled({ host, kind, settings, machineId, log, signal })
  const identity: AgentIdentity = { kind, uuid: credentials.uuid, machineId, bootId }
  const newId = () => randomBytes(16).toString('hex')
  const ledger = await openLedger({ dir: `${stateDir}/ledger`, files: host.files, clock, newId })
  let wake: BuildContext['signal'] = () => undefined
  let bus: Bus | undefined
  const parts = await build(host, {
    identity,
    ledger,
    clock,
    timers: realTimers,
    log,
    stateDir,
    signal: (of) => wake(of),
    unseal: (sealed, context) => unseal(sealKeysOf(credentials), sealed, context),
    bus: () => bus,
  })
  const connecting = connected(credentials, { kind, files: host.files, stateDir, log, signal })
  // Whoever waits for it is the agent; here only the result is kept for the context.
  connecting.then((keys) => (bus = keys.bus)).catch(() => undefined)
  const { modules, commands } = parts
  const agent = runAgent({
    identity,
    bus: connecting.then((keys) => keys.bus),
    rekey: async (data) => (await connecting).rekey(data),
    modules,
    commands,
    ledger,
    clock,
    timers: realTimers,
    sinceBootMs,
    random: Math.random,
    version: SKERRY_VERSION,
    log,
    inventory: () => parts.inventory(),
  })
  wake = (of) => agent.signal(of)
  return async () => {
    await agent.stop()
    await parts.stop?.()
  }
}

/** The identity that is there, or enrolment, tried until the controller answers. Throws when it refuses, or nothing is known. */
async function enrolled(of: {
  host: Host
  kind: AgentKind
  settings: Settings
  machineId: string
  log: Log
  signal: AbortSignal
}): Promise<Identity> {
  const { host, kind, settings, machineId, log, signal } = of
  const { stateDir, controller, tokenFile, managementIp, caFile } = settings
  const there = await loadIdentity(host.files, stateDir, kind)
  if (there) return there
  if (!controller || !tokenFile || !managementIp) {
    throw new SkerryError(
      'enrolment-refused',
      'this agent is not enrolled: give --controller, --token-file and --management-ip',
      { stateDir },
    )
  }
  const token = (await required(host, tokenFile)).trim()
  const fetcher = caFile ? fetchTrusting(await required(host, caFile)) : fetch
  for (;;) {
    try {
      return await enrol({
        controllerUrl: controller,
        token,
        kind,
        machineId,
        managementIp,
        stateDir,
        files: host.files,
        fetch: fetcher,
      })
    } catch (error) {
      if (!(error instanceof SkerryError) || error.spec.retry !== 'later') throw error
      log.warn({ err: error }, 'cannot enrol yet; trying again')
    }
    await pause(RETRY_MS, signal)
    signal.throwIfAborted()
  }
}

/** On the bus, whenever it comes. Refused credentials are tried again too: an operator may mend them while guests run on. */
async function connected(
  identity: Identity,
  of: { kind: AgentKind; files: Host['files']; stateDir: string; log: Log; signal: AbortSignal },
): Promise<AgentKeys> {
  const { kind, files, stateDir, log, signal } = of
  const onError = (error: SkerryError) => log.warn({ err: error }, 'bus')
  const report = (err: unknown) => log.error({ err }, 'ending a replaced connection failed')
  const connect = (as: Identity, waitOnFirstConnect = false) =>
    connectNats({ ...connectionOf(kind, as), waitOnFirstConnect, signal, onError })
  for (;;) {
    try {
      return new AgentKeys({ files, stateDir, kind, identity, connect, report }, await connect(identity, true))
    } catch (error) {
      signal.throwIfAborted()
      log.error({ err: error }, 'cannot connect to the bus; trying again, guests run on')
    }
    await pause(REFUSED_RETRY_MS, signal)
    signal.throwIfAborted()
  }
}

/** /etc/machine-id, else one of our own that stays. */
async function machineIdOf(host: Host, stateDir: string): Promise<string> {
  const own = `${stateDir}/machine-id`
  for (const path of ['/etc/machine-id', own]) {
    const text = (await host.files.read(path))?.trim() ?? ''
    if (/^[0-9a-f]{32}$/.test(text)) return text
  }
  const made = randomBytes(16).toString('hex')
  await host.files.write(own, `${made}\n`, 0o600)
  return made
}

async function required(host: Host, path: string): Promise<string> {
  const text = await host.files.read(path)
  if (text === undefined) throw new SkerryError('invalid-argument', `there is no file ${path}`, { path })
  return text
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    const end = () => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
  })
}
