/**
 * The kernel lab: a QEMU guest with Debian's full kernel over this machine's own file tree (read only, with a file system in
 * memory on top), for what this machine's kernel lacks and for what must not happen to this machine: power cuts, disks that
 * fail, clocks that jump. Needs neither root nor KVM. Everything inside is 10 to 50 times slower than here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SkerryError } from '@skerry/contract'
import { openDoor } from './door.ts'
import { DOOR, DOOR_FILE, SHARE } from './init.ts'
import { labKernel } from './kernel.ts'
import { type OnOutput, teller, text } from './output.ts'
import { type LabOptions, qemuArgv } from './qemu.ts'

export interface LabRun {
  code: number
  stdout: string
  stderr: string
}

export interface RunInLab {
  timeoutMs: number
  /** Sees the output as it comes; it is still part of the result. */
  onOutput?: OnOutput
  /** Default `/`. */
  cwd?: string
  env?: Readonly<Record<string, string>>
}

/** A program that goes on in the lab. */
export interface LabProcess {
  /** Its exit code; 128 + n for signal n, as a shell says it. Rejects when the machine ends first. */
  readonly ended: Promise<number>
  stdout(): Promise<string>
  stderr(): Promise<string>
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export interface Lab {
  /** The shared folder here; inside it is at `SHARE`. */
  readonly share: string
  /** Runs to the end, whatever the exit code. Throws `deadline-exceeded` or `host-command-failed` with the console's last lines. */
  run(argv: readonly string[], options: RunInLab): Promise<LabRun>
  /** As `run`, but any exit code but 0 throws. Gives stdout. */
  must(argv: readonly string[], options: RunInLab): Promise<string>
  start(argv: readonly string[], options?: Pick<RunInLab, 'cwd' | 'env'>): Promise<LabProcess>
  /** The plug is pulled: QEMU is killed, whatever it was doing. */
  cut(): Promise<void>
  /** Syncs its disks and ends it in order. */
  off(): Promise<void>
  console(): Promise<string>
  /** Pulls the plug if it still runs, and removes its temporary folder. */
  dispose(): Promise<void>
}

const BOOT_MS = 120_000
const OFF_MS = 60_000
const OUTPUT_EVERY_MS = 200
const CONSOLE_LINES = 60
export const LAB_CACHE = join(tmpdir(), 'skerry-lab')

/** Resolves when the lab takes orders, some 7 s later. Throws with the console's last lines when it doesn't. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const kernel = await labKernel(options.cacheDir ?? LAB_CACHE)
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'skerry-lab-')))
  const share = join(dir, 'share')
  await mkdir(share, { recursive: true })
  await writeFile(join(share, DOOR_FILE), DOOR)
  const lab = new Machine(dir, options.dir === undefined)
  lab.boot(qemuArgv({ ...options, dir, kernel }))
  try {
    await lab.ready(options.bootMs ?? BOOT_MS)
  } catch (error) {
    await lab.dispose()
    throw error
  }
  if (options.network) await network(lab)
  return lab
}

/** What comes in from here goes to loopback, where a service without TLS may listen. */
async function network(lab: Lab): Promise<void> {
  const ruleset = ['table ip lab {', 'chain in { type nat hook prerouting priority -100; iif eth0 dnat to 127.0.0.1; }', '}']
  await writeFile(join(lab.share, 'lab.nft'), ruleset.join('\n'))
  for (const argv of [
    ['ip', 'link', 'set', 'eth0', 'up'],
    ['ip', 'address', 'add', '10.0.2.15/24', 'dev', 'eth0'],
    ['sysctl', '-q', '-w', 'net.ipv4.conf.all.route_localnet=1'],
    ['nft', '-f', `${SHARE}/lab.nft`],
  ])
    await lab.must(argv, { timeoutMs: 30_000 })
}

class Machine implements Lab {
  readonly share: string
  readonly #dir: string
  readonly #temporary: boolean
  #qemu: ChildProcess | undefined
  #output = ''
  #door: Socket | undefined
  #number = 0
  readonly #ends = new Map<string, { resolve(code: number): void; reject(error: Error): void }>()

  constructor(dir: string, temporary: boolean) {
    this.#dir = dir
    this.#temporary = temporary
    this.share = join(dir, 'share')
  }

  boot(argv: readonly string[]): void {
    const qemu = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#qemu = qemu
    for (const stream of [qemu.stdout, qemu.stderr]) stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    const killWithUs = (): void => void qemu.kill('SIGKILL')
    process.once('exit', killWithUs)
    const over = (why: string) => {
      process.off('exit', killWithUs)
      void this.#failed(`the lab ${why}`).then((error) => {
        for (const { reject } of this.#ends.values()) reject(error)
        this.#ends.clear()
      })
    }
    qemu.once('exit', (code, signal) => over(`ended (${signal ?? code})`))
    qemu.once('error', (error) => over(`could not be started: ${error.message}`))
  }

  async ready(ms: number): Promise<void> {
    const up = this.#expect('ready')
    await this.#within(Promise.all([this.#connect(), up]), ms, `the lab was not up after ${ms} ms`)
  }

  async run(argv: readonly string[], options: RunInLab): Promise<LabRun> {
    const process = await this.start(argv, options)
    const tell = teller(process, options.onOutput)
    const timer = setInterval(() => void tell(), OUTPUT_EVERY_MS)
    try {
      const code = await this.#within(process.ended, options.timeoutMs, `in the lab, ${argv.join(' ')} did not end in time`)
      return { code, stdout: await process.stdout(), stderr: await process.stderr() }
    } finally {
      clearInterval(timer)
      await tell()
    }
  }

  async must(argv: readonly string[], options: RunInLab): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options)
    if (code === 0) return stdout
    const error = await this.#failed(`in the lab, ${argv.join(' ')} ended with ${code}: ${stderr.slice(-2_000)}`)
    throw error
  }

  async start(argv: readonly string[], { cwd = '/', env = {} }: Pick<RunInLab, 'cwd' | 'env'> = {}): Promise<LabProcess> {
    if (!this.#door || this.#over()) throw await this.#failed('the lab does not run')
    const id = String(++this.#number)
    const file = (kind: string) => join(this.share, `${id}.${kind}`)
    const words = ['env', `--chdir=${cwd}`, ...Object.entries(env).map(([key, value]) => `${key}=${value}`), ...argv]
    await writeFile(file('argv'), words.map((word) => `${word}\0`).join(''))
    const ended = this.#expect(id)
    ended.catch(() => undefined) // whoever waits is told
    this.#door.write(`run ${id}\n`)
    return {
      ended,
      stdout: () => text(file('out')),
      stderr: () => text(file('err')),
      kill: async (signal) => {
        const pid = (await readFile(file('pid'), 'utf8')).trim()
        await this.must(['kill', `-${signal.slice(3)}`, pid], { timeoutMs: 30_000 })
      },
    }
  }

  async cut(): Promise<void> {
    const qemu = this.#qemu
    if (!qemu || this.#over()) return
    const exited = once(qemu, 'exit')
    qemu.kill('SIGKILL')
    await exited
  }

  async off(): Promise<void> {
    const qemu = this.#qemu
    if (!qemu || this.#over()) return
    const exited = once(qemu, 'exit')
    this.#door?.write('off\n')
    await this.#within(exited, OFF_MS, 'the lab did not power off')
  }

  console = async (): Promise<string> => (await text(join(this.#dir, 'console'))).replaceAll('\r', '')

  async dispose(): Promise<void> {
    await this.cut()
    this.#door?.destroy()
    if (this.#temporary) await rm(this.#dir, { recursive: true, force: true })
  }

  #over = (): boolean => this.#qemu?.exitCode !== null || this.#qemu.signalCode !== null

  #expect(id: string): Promise<number> {
    return new Promise((resolve, reject) => void this.#ends.set(id, { resolve, reject }))
  }

  /** QEMU makes the socket when it starts; the lab's end of it opens later. */
  async #connect(): Promise<void> {
    const door = await openDoor(join(this.#dir, 'door.sock'), this.#over)
    if (!door) return // its end has told why
    door.on('error', () => undefined) // comes with the end of QEMU, which is reported
    this.#door = door
    createInterface({ input: door }).on('line', (line) => {
      const [id = '', code = '0'] = line.split(' ')
      this.#ends.get(id)?.resolve(Number(code))
      this.#ends.delete(id)
    })
  }

  async #within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => void this.#failed(what, 'deadline-exceeded').then(reject), ms)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #failed(what: string, code: 'host-command-failed' | 'deadline-exceeded' = 'host-command-failed'): Promise<SkerryError> {
    const lines = `${(await this.console()).trimEnd()}\n${this.#output}`.trim().split('\n').slice(-CONSOLE_LINES)
    return new SkerryError(code, `${what}; the last lines of its console:\n${lines.join('\n')}`, { dir: this.#dir })
  }
}
