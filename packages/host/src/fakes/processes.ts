/** Processes in memory, and the few programs that a fake machine can run. */
import type { Exec, RunOptions, RunResult } from '../exec.ts'
import type { Processes, ProcessIdentity, ProcessInfo } from '../process.ts'
import { commandFailed } from './gate.ts'

export class FakeProcessTable {
  private readonly table = new Map<number, ProcessInfo>()
  private nextPid = 1000
  /** Every signal that was delivered, in order. */
  readonly signals: { pid: number; signal: string }[] = []

  private readonly files = new Map<number, readonly string[]>()

  /** `mapped`: files that it has mapped. */
  start(cmdline: readonly string[], mapped: readonly string[] = []): ProcessIdentity {
    const info = { pid: this.nextPid, startTicks: this.nextPid * 10, cmdline: [...cmdline] }
    this.nextPid += 1
    this.table.set(info.pid, info)
    this.files.set(info.pid, mapped)
    return { pid: info.pid, startTicks: info.startTicks }
  }
  /** Dies without a word, as by kill -9 from elsewhere. */
  kill(pid: number): void {
    this.table.delete(pid)
  }
  killAll(): void {
    this.table.clear()
  }
  get(pid: number): ProcessInfo | undefined {
    return this.table.get(pid)
  }
  mapped(pid: number): string[] | undefined {
    return this.table.has(pid) ? [...(this.files.get(pid) ?? [])] : undefined
  }
  all(): ProcessInfo[] {
    return [...this.table.values()]
  }
}

/** The `Processes` port over a table: TERM and KILL end a process at once. */
export function fakeProcesses(table: FakeProcessTable): Processes {
  const same = (who: ProcessIdentity) => table.get(who.pid)?.startTicks === who.startTicks
  return {
    get: async (pid) => table.get(pid),
    list: async () => table.all(),
    mapped: async (pid) => table.mapped(pid),
    async signal(who, signal) {
      if (!same(who)) return false
      table.signals.push({ pid: who.pid, signal })
      if (signal !== 'SIGHUP') table.kill(who.pid)
      return true
    },
    waitGone: async (who) => !same(who),
  }
}

export type FakeProgram = (argv: readonly string[], opts: RunOptions) => Promise<Partial<RunResult>>

/** An `Exec` that knows only the programs given to it. */
export function fakeExec(table: FakeProcessTable, programs: Record<string, FakeProgram>): Exec {
  return {
    async run(cmd, argv, opts) {
      const program = programs[cmd]
      if (!program) throw commandFailed(`${cmd} is not installed on this host`)
      const result = { code: 0, stdout: '', stderr: '', ...(await program(argv, opts)) }
      if ((opts.okCodes ?? [0]).includes(result.code)) return result
      throw commandFailed(`${cmd} ended with code ${result.code}`, result.stderr)
    },
    async spawn(cmd, argv) {
      const { pid } = table.start([cmd, ...argv])
      const kill = () => {
        const alive = table.get(pid) !== undefined
        table.kill(pid)
        return alive
      }
      return { pid, exited: new Promise(() => undefined), kill }
    },
    open: async (cmd) => {
      throw commandFailed(`${cmd} is not installed on this host`)
    },
  }
}
