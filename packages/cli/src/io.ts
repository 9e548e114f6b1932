/** What the command line needs of the machine that it runs on. `main.ts` hands in the real one, tests one in memory. */
import type { Doctor } from './doctor/facts.ts'

/** A terminal in raw mode, for consoles. */
export interface RawTerminal {
  onInput(listener: (bytes: Uint8Array) => void): void
  /** There will be no more input: a pipe or file has ended. */
  onEnd(listener: () => void): void
  write(bytes: Uint8Array): void
  /** Gives the terminal back as it was. */
  close(): void
}

export interface Io {
  out(text: string): void
  err(text: string): void
  /** Is stdout a person's screen? */
  tty: boolean
  /** Asks a person; `secret` isn't echoed. Undefined where nobody can be asked. */
  ask(question: string, o: { secret: boolean }): Promise<string | undefined>
  readFile(path: string): Promise<string>
  rawTerminal(): RawTerminal
  /** aborted by Ctrl-C */
  interrupted: AbortSignal
  /** SKERRY_CONTEXT, SKERRY_PASSWORD, SKERRY_SESSION, SKERRY_URL */
  env: Readonly<Record<string, string | undefined>>
  /** `~/.config/skerry` */
  configFolder: string
  fetch?: typeof globalThis.fetch
  doctor(): Promise<Doctor>
}
