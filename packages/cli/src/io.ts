/** What the command line needs of the machine that it runs on. `main.ts` hands in the real one, tests one in memory. */
import type { Readable, Writable } from 'node:stream'
import type { Doctor } from './doctor/facts.ts'
import type { SupportFiles } from './support/machine.ts'

/** A terminal in raw mode, for consoles. */
export interface RawTerminal {
  onInput(listener: (bytes: Uint8Array) => void): void
  /** There will be no more input: a pipe or file has ended. */
  onEnd(listener: () => void): void
  write(bytes: Uint8Array): void
  /** Gives the terminal back as it was. */
  close(): void
}

/** A file that may be larger than memory. */
export interface OpenFile {
  sizeBytes: number
  /** Up to `length` bytes from `offset`. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

export interface Io {
  out(text: string): void
  err(text: string): void
  /** Is stdout a person's screen? */
  tty: boolean
  /** Asks a person; `secret` isn't echoed. Undefined where nobody can be asked. */
  ask(question: string, o: { secret: boolean }): Promise<string | undefined>
  readFile(path: string): Promise<string>
  /** Throws what opening it throws (ENOENT), and for what is no regular file. */
  openFile?(path: string): Promise<OpenFile>
  rawTerminal(): RawTerminal
  /** aborted by Ctrl-C */
  interrupted: AbortSignal
  /** SKERRY_CONTEXT, SKERRY_PASSWORD, SKERRY_SESSION, SKERRY_URL */
  env: Readonly<Record<string, string | undefined>>
  /** `~/.config/skerry` */
  configFolder: string
  fetch?: typeof globalThis.fetch
  doctor(): Promise<Doctor>
  /** The files of this machine, for `skerry support`. */
  machine?(): Promise<{ files: SupportFiles; now(): number; absolute(path: string): string }>
  /** work of scrypt for a backup's passphrase, as a power of two; default: what an attacker finds too much */
  scryptWorkFactor?: number
  /** stdin and stdout as they are, for `skerry tunnel` */
  streams?(): { input: Readable; output: Writable }
  /** Runs a program in this terminal, to its end; gives its exit code. Throws what starting it throws (ENOENT). */
  foreground?(cmd: string, argv: readonly string[]): Promise<number>
  /** argv that starts this command line again */
  self?: readonly [string, ...string[]]
  /** Runs the controller's program of this installation with these arguments, to its end. */
  controller?(argv: readonly string[]): Promise<{ code: number; out: string; err: string }>
}
