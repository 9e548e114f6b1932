#!/usr/bin/env node
/** `skerry`: hands the real machine to the command line. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Io, RawTerminal } from './io.ts'
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

const io: Io = {
  out: (text) => void stdout.write(`${text}\n`),
  err: (text) => void stderr.write(text),
  tty: stderr.isTTY === true,
  ask,
  readFile: (path) => readFile(path, 'utf8'),
  rawTerminal,
  interrupted: interrupt.signal,
  env,
  configFolder: join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'skerry'),
  doctor: async () => (await import('./doctor/probe.ts')).probe(['/', env['SKERRY_STATE_DIR'] ?? '/var/lib']),
}

process.exitCode = await run(process.argv.slice(2), io)
