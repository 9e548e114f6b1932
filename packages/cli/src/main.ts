#!/usr/bin/env node
/** `skerry`: hands the real machine to the command line. */
import { spawn } from 'node:child_process'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Io, OpenFile, RawTerminal } from './io.ts'
import { run } from './run.ts'

const { env, stdin, stdout, stderr } = process
const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())

async function ask(question: string, o: { secret: boolean }): Promise<string | undefined> {
  if (!stdin.isTTY) return undefined
  stderr.write(question)
  // readline echoes into its output: a secret's goes nowhere
  const output = o.secret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : stderr
  const reader = createInterface({ input: stdin, output, terminal: true })
  const answer = await new Promise<string>((resolve) => reader.question('', resolve))
  reader.close()
  if (o.secret) stderr.write('\n')
  return answer
}

function rawTerminal(): RawTerminal {
  stdin.setRawMode?.(true)
  stdin.resume()
  return {
    onInput: (listener) => void stdin.on('data', listener),
    onEnd: (listener) => void stdin.once('end', listener),
    write: (bytes) => void stdout.write(bytes),
    close: () => {
      stdin.setRawMode?.(false)
      stdin.removeAllListeners('data')
      stdin.pause()
    },
  }
}

/** The controller's program lies beside this one: in a clone's `dist`, or among the installed bundles, where each has its content's name. */
async function controllerProgram(): Promise<string> {
  const bundles = dirname(import.meta.dirname)
  const names = (await readdir(bundles)).filter((name) => /^controller(-[0-9a-f]+)?$/.test(name))
  const dated = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(bundles, name))).mtimeMs })))
  const newest = dated.sort((a, b) => b.at - a.at)[0]
  if (!newest) throw new Error(`there is no controller beside ${import.meta.dirname}`)
  return join(bundles, newest.name, 'main.js')
}

async function controller(argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [await controllerProgram(), ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes) => (said.out += bytes))
  child.stderr.on('data', (bytes) => (said.err += bytes))
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => resolve(exit ?? 1))
  })
  return { code, ...said }
}

/** Its signals are its own: a Ctrl-C in this terminal reaches both. */
async function foreground(cmd: string, argv: readonly string[]): Promise<number> {
  const child = spawn(cmd, argv, { stdio: 'inherit' })
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => resolve(exit ?? 255))
  })
}

async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path)
  const found = await handle.stat()
  if (!found.isFile()) {
    await handle.close()
    throw new Error(`${path} is not a regular file`)
  }
  return {
    sizeBytes: found.size,
    async read(offset, length) {
      const bytes = new Uint8Array(length)
      const { bytesRead } = await handle.read(bytes, 0, length, offset)
      return bytes.subarray(0, bytesRead)
    },
    close: () => handle.close(),
  }
}

const io: Io = {
  openFile,
  controller,
  foreground,
  streams: () => ({ input: stdin, output: stdout }),
  self: [process.execPath, resolve(process.argv[1] ?? '')],
  out: (text) => void stdout.write(`${text}\n`),
  err: (text) => void stderr.write(text),
  tty: stderr.isTTY === true,
  ask,
  readFile: (path) => readFile(path, 'utf8'),
  rawTerminal,
  interrupted: interrupt.signal,
  env,
  configFolder: join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'skerry'),
  machine: async () => ({ files: (await import('@skerry/host')).files(), now: Date.now, absolute: (path) => resolve(path) }),
  doctor: async () =>
    (await import('./doctor/probe.ts')).probe(
      ['/', env['SKERRY_STATE_DIR'] ?? '/var/lib'],
      env['SKERRY_STATE_DIR'] ?? '/var/lib/skerry',
    ),
}

process.exitCode = await run(process.argv.slice(2), io)
