/**
 * The built controller as a process, with a NATS server and a state folder, and nobody else: for what happens to its log. It can
 * be killed and started again on the same folder, which may lie on a file system of the test's own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PREFIX, type Row } from '@skerry/contract'
import { freePort, startNats } from '@skerry/testkit'
import { controllerArgs } from './site.ts'
import { apiNamed, sentFor, sha512 } from './zstack-client.ts'

/** SKERRY_CONTROLLER: another build of it, such as the last release. */
export const CONTROLLER = process.env['SKERRY_CONTROLLER'] ?? join(import.meta.dirname, '../../dist/controller/main.js')
const READY_MS = 60_000
const ANSWER_MS = 40_000

export interface Reply {
  status: number
  text: string
  /** undefined where the text is no JSON */
  body: Row | undefined
}

export interface Asked {
  method: string
  /** with its prefix and its query */
  path: string
  body?: string
  headers?: Record<string, string>
}

export interface LoneController {
  readonly url: string
  /** the folder of everything; `stateDir` may lie elsewhere */
  readonly dir: string
  readonly stateDir: string
  /** of the process that runs; undefined when none does */
  readonly pid: number | undefined
  /** Starts the process; `ready` is another thing. */
  begin(): void
  /** Resolves when it is ready (or, with `path`, answers anything there); throws with its output when it ends before. */
  ready(path?: string): Promise<void>
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Exit code of a process that ends by itself. */
  ended(): Promise<number | null>
  /** One request over connections of this process's life. Rejects when no whole answer comes. */
  ask(asked: Asked): Promise<Reply>
  /** A call by its API name in our dialect, waited for. */
  call(api: string, params?: Row, headers?: Record<string, string>): Promise<Reply>
  login(): Promise<void>
  output(): Promise<string>
  stop(): Promise<void>
}

export interface LoneOptions {
  stateDir?: string
  args?: readonly string[]
}

export async function loneController(o: LoneOptions = {}): Promise<LoneController> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-lone-'))
  const nats = await startNats({ dir: join(dir, 'nats'), tls: true, auth: true })
  const port = await freePort()
  const args = await controllerArgs(dir, nats, port)
  if (o.stateDir) args[args.indexOf('--state-dir') + 1] = o.stateDir
  const process_ = new ControllerProcess([...args, ...(o.args ?? [])], join(dir, 'controller.log'), port)
  return Object.assign(process_, {
    ...{ dir, url: `http://127.0.0.1:${port}`, stateDir: o.stateDir ?? join(dir, 'controller') },
    async stop() {
      await process_.end('SIGTERM')
      await nats.stop()
      await rm(dir, { recursive: true, force: true })
    },
  })
}

class ControllerProcess {
  readonly #args: readonly string[]
  readonly #log: string
  readonly #port: number
  #child: ChildProcess | undefined
  #agent = new Agent()
  #session: string | undefined

  constructor(args: readonly string[], log: string, port: number) {
    this.#args = args
    this.#log = log
    this.#port = port
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  begin(): void {
    this.#agent = new Agent({ keepAlive: true })
    const log = openSync(this.#log, 'a')
    const env = { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' }
    this.#child = spawn(process.execPath, [CONTROLLER, ...this.#args], { env, stdio: ['ignore', log, log] })
    closeSync(log)
  }

  async ready(path = '/readyz'): Promise<void> {
    for (const end = Date.now() + READY_MS; ; ) {
      const reply = await this.ask({ method: 'GET', path }).catch(() => undefined)
      if (reply && (path !== '/readyz' || reply.status === 200)) return
      if (this.pid === undefined || Date.now() > end)
        throw new Error(`the controller is not ready; it said\n${(await this.output()).slice(-4_000)}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child && this.pid !== undefined) {
      const ended = once(this.#child, 'exit')
      this.#child.kill(signal)
      await ended
    }
    this.#agent.destroy()
  }

  async ended(): Promise<number | null> {
    if (this.#child && this.pid !== undefined) await once(this.#child, 'exit')
    return this.#child?.exitCode ?? null
  }

  ask({ method, path, body, headers }: Asked): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ host: '127.0.0.1', port: this.#port, method, path, agent: this.#agent, timeout: ANSWER_MS },
          headers: {
            ...(this.#session ? { Authorization: `Bearer ${this.#session}` } : {}),
            ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...headers,
          },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          response.on('error', reject)
          response.on('end', () => {
            const isJson = response.headers['content-type']?.includes('json')
            resolve({ status: response.statusCode!, text, body: isJson && text !== '' ? (JSON.parse(text) as Row) : undefined })
          })
        },
      )
      sent.on('error', reject)
      sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} in ${ANSWER_MS} ms`)))
      sent.end(body)
    })
  }

  call(api: string, params: Row = {}, headers: Record<string, string> = {}): Promise<Reply> {
    const { method, path, body } = sentFor(apiNamed(api), params)
    const waiting = apiNamed(api).sync || method === 'GET' ? '' : `${path.includes('?') ? '&' : '?'}wait=30s`
    const asked = { method, path: `${PREFIX.own}${path}${waiting}`, headers }
    return this.ask(body === undefined ? asked : { ...asked, body })
  }

  async login(): Promise<void> {
    this.#session = undefined
    const reply = await this.call('LogInByAccount', { accountName: 'admin', password: sha512('password') })
    const inventory = reply.body?.['inventory'] as Row | undefined
    if (!inventory) throw new Error(`login answered ${reply.status}: ${reply.text}`)
    this.#session = inventory['uuid'] as string
  }

  output(): Promise<string> {
    return readFile(this.#log, 'utf8').catch(() => '')
  }
}
