/** The supervisor's socket: one request and one answer a connection, a line of JSON each. */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { type ErrorBody, fromErrorBody, SkerryError, toErrorBody } from '@skerry/contract'
import { z } from 'zod'
import type { ServiceStatus } from '../services/spec.ts'

export const request = z.discriminatedUnion('verb', [
  z.object({ verb: z.literal('status') }),
  z.object({ verb: z.literal('reload') }),
  z.object({ verb: z.literal('restart'), name: z.string() }),
  /** Ends all services, then the supervisor. */
  z.object({ verb: z.literal('stop') }),
  /** Ends the supervisor alone; another adopts its services. */
  z.object({ verb: z.literal('leave') }),
])
export type Request = z.infer<typeof request>

export interface Answer {
  pid: number
  services: ServiceStatus[]
}

const MAX_LINE = 64 * 1024

/** Undefined: another supervisor answers there already. A socket that nobody serves is replaced. */
export async function serveControl(path: string, answer: (asked: Request) => Promise<Answer>): Promise<Server | undefined> {
  if ((await askControl(path, { verb: 'status' }, 5_000)) !== undefined) return undefined
  await rm(path, { force: true })
  const server = createServer((socket) => serve(socket, answer))
  server.listen(path)
  await once(server, 'listening')
  return server
}

function serve(socket: Socket, answer: (asked: Request) => Promise<Answer>): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy()) // whoever asked is gone
  socket.on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\n')
    if (end < 0) return void (text.length > MAX_LINE && socket.destroy())
    socket.removeAllListeners('data')
    respond(text.slice(0, end), answer).then((line) => socket.end(`${line}\n`))
  })
}

async function respond(line: string, answer: (asked: Request) => Promise<Answer>): Promise<string> {
  try {
    return JSON.stringify({ ok: await answer(request.parse(JSON.parse(line))) })
  } catch (error) {
    return JSON.stringify({ error: toErrorBody(error) })
  }
}

/** Undefined: no supervisor runs. Throws what it answers, or `deadline-exceeded`. */
export function askControl(path: string, asked: Request, timeoutMs: number): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let text = ''
    socket.setTimeout(timeoutMs, () => {
      socket.destroy()
      reject(
        new SkerryError('deadline-exceeded', `the supervisor did not answer within ${timeoutMs} ms`, { path, verb: asked.verb }),
      )
    })
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${JSON.stringify(asked)}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      // reset: it ended between taking the request and answering it
      const nobody = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(cause.code ?? '')
      if (nobody) resolve(undefined)
      else reject(new SkerryError('host-command-failed', 'cannot speak to the supervisor', { path }, { cause }))
    })
    socket.on('close', () => settle(text, resolve, reject))
  })
}

function settle(text: string, resolve: (answer: Answer | undefined) => void, reject: (error: Error) => void): void {
  // nothing: it ended before it answered
  const parsed = text === '' ? { ok: undefined } : (JSON.parse(text) as { ok: Answer } | { error: ErrorBody })
  if ('ok' in parsed) resolve(parsed.ok)
  else reject(fromErrorBody(parsed.error))
}
