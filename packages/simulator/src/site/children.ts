/** Programs that the simulator keeps running: nats-server and the controller. They end with it, and those of one that was killed are found. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import type { Log } from '@skerry/agent'
import type { Files, Processes } from '@skerry/host'
import { z } from 'zod'

const STOP_MS = 15_000
const AGAIN_MS = 1_000
const recorded = z.array(z.object({ pid: z.number().int().positive(), startTicks: z.number() }))

export interface ChildrenPorts {
  files: Files
  processes: Processes
  /** where pids are written down */
  path: string
  log: Log
}

export interface Program {
  name: string
  argv: readonly [string, ...string[]]
  logFile: string
}

export class Children {
  readonly #p: ChildrenPorts
  readonly #running = new Map<string, ChildProcess>()
  /** in the order of their starts */
  readonly #names: string[] = []
  #stopping = false

  constructor(ports: ChildrenPorts) {
    this.#p = ports
  }

  /** Ends what a simulator that was killed has left behind; nothing else, pids being told apart by their start. */
  async endLeftovers(): Promise<void> {
    const text = await this.#p.files.read(this.#p.path)
    const known = text === undefined ? undefined : recorded.safeParse(JSON.parse(text)).data
    for (const who of known ?? []) {
      if (!(await this.#p.processes.signal(who, 'SIGTERM'))) continue
      if (!(await this.#p.processes.waitGone(who, STOP_MS))) await this.#p.processes.signal(who, 'SIGKILL')
    }
    await this.#p.files.remove(this.#p.path)
  }

  async start(program: Program): Promise<void> {
    this.#names.push(program.name)
    this.#spawn(program)
    await this.#note()
  }

  #spawn(program: Program): void {
    const { name, argv, logFile } = program
    const out = openSync(logFile, 'a', 0o600)
    const child = spawn(argv[0], argv.slice(1), {
      stdio: ['ignore', out, out],
      env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', NODE_ENV: 'production' },
    })
    closeSync(out)
    this.#running.set(name, child)
    child.once('error', (err) => this.#p.log.error({ err, name }, 'cannot be started'))
    child.once('exit', (code, signal) => {
      if (this.#stopping) return
      this.#p.log.error({ name, code, signal }, 'ended; it is started again')
      setTimeout(() => {
        if (this.#stopping) return
        this.#spawn(program)
        this.#note().catch((err) => this.#p.log.error({ err }, 'cannot write down which programs run'))
      }, AGAIN_MS)
    })
  }

  /** The last one first. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const name of [...this.#names].reverse()) await end(this.#running.get(name))
    await this.#p.files.remove(this.#p.path)
  }

  async #note(): Promise<void> {
    const pids = [...this.#running.values()].flatMap(({ pid }) => pid ?? [])
    const found = await Promise.all(pids.map((pid) => this.#p.processes.get(pid)))
    const known = found.flatMap((info) => (info ? [{ pid: info.pid, startTicks: info.startTicks }] : []))
    await this.#p.files.write(this.#p.path, JSON.stringify(known), 0o600)
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}
