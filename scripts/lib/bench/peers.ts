/**
 * The same three things asked of LXD (a profile), OpenStack Placement (a resource provider) and Skerry (an instance offering): make
 * one durably, read one of a thousand, list a thousand. CPU of the server that answers; the sides in turn. What is not installed is
 * left out, and said.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { startNats } from '../../../packages/testkit/src/index.ts'
import { answering, end, freePort, SERVER_CORE, startPinned, usageOf } from './process.ts'
import { type Result, spread } from './result.ts'

export interface PeersOptions {
  root: string
  dir: string
  rounds: number
  say(text: string): void
  /** of this process */
  env: NodeJS.ProcessEnv
}

const ROWS = 1_000
const IN_FLIGHT = 16
/** How many of each make a round. */
const COUNTS = { create: 200, get: 500, list: 5 } as const
type Operation = keyof typeof COUNTS
const operations = Object.keys(COUNTS) as Operation[]
const WHAT: Readonly<Record<Operation, string>> = {
  create: `durable create, ${IN_FLIGHT} in flight`,
  get: 'get by id',
  list: `list ${ROWS}`,
}
/** PERFORMANCE.md: Skerry takes at most one so-manieth of the peer's CPU. */
const TIMES: Readonly<Record<string, Partial<Record<Operation, number>>>> = {
  lxd: { create: 15, get: 100 },
  placement: { create: 50, list: 5 },
}
/** Placement's own server takes one call at a time, and lets no more wait (Python's socketserver). */
const BACKLOG = 5
const START_MS = 60_000

interface Ask {
  method: string
  path: string
  body?: object
}

interface Side {
  name: string
  pid: number
  create(id: string): Ask
  get(id: string): Ask
  list: Ask
  headers: Record<string, string>
  at: { host: string; port: number } | { socketPath: string }
  agent: Agent
  stop(): Promise<void>
}

type Start = (o: PeersOptions) => Promise<Side>

const installed = (command: string) => {
  try {
    execFileSync('which', [command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const connections = (maxSockets: number) => new Agent({ keepAlive: true, maxSockets })

/** Resolves with the bytes of a 2xx answer. */
function send({ at, agent, headers }: Side, { method, path, body }: Ask): Promise<number> {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body)
    const more =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }
    const asked = request({ ...at, agent, method, path, headers: { ...headers, ...more } }, async (answer) => {
      const parts: Buffer[] = []
      for await (const part of answer) parts.push(part)
      const all = Buffer.concat(parts)
      const { statusCode = 0 } = answer
      if (statusCode >= 200 && statusCode < 300) resolve(all.length)
      else reject(new Error(`${method} ${path} was answered ${statusCode}: ${all.toString('utf8', 0, 500)}`))
    })
    asked.on('error', reject)
    asked.end(text)
  })
}

function pinned(o: PeersOptions, name: string, argv: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const log = openSync(join(o.dir, `${name}.log`), 'a')
  return spawn('taskset', ['-c', SERVER_CORE, ...argv], { stdio: ['ignore', log, log], env: { ...o.env, ...env } })
}

/** Waits until the side answers its own list. */
async function ready(side: Side, child: ChildProcess): Promise<Side> {
  const until = performance.now() + START_MS
  for (;;) {
    try {
      await send(side, side.list)
      return side
    } catch (error) {
      // while it starts; its log has the rest
      if (child.exitCode !== null || performance.now() > until) throw new Error(`${side.name} does not answer`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

/** LXD mounts folders of its own below its home, and leaves them. */
function unmountBelow(home: string): void {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
  for (const point of points.filter((one) => one.startsWith(`${home}/`)).toReversed()) execFileSync('umount', ['-l', point])
}

const startLxd: Start = (o) => {
  const home = join(o.dir, 'lxd')
  mkdirSync(home, { recursive: true })
  const child = pinned(o, 'lxd', ['lxd', '--group', 'root'], { LXD_DIR: home })
  const side: Side = {
    ...{
      name: 'lxd',
      pid: child.pid!,
      headers: {},
      at: { socketPath: join(home, 'unix.socket') },
      agent: connections(IN_FLIGHT),
    },
    create: (id) => ({
      method: 'POST',
      path: '/1.0/profiles',
      body: { name: id, config: { 'limits.cpu': '2', 'limits.memory': '2GiB' } },
    }),
    get: (id) => ({ method: 'GET', path: `/1.0/profiles/${id}` }),
    list: { method: 'GET', path: '/1.0/profiles?recursion=1' },
    stop: async () => {
      await end(child, 'SIGKILL')
      unmountBelow(home)
    },
  }
  return ready(side, child)
}

const startPlacement: Start = async (o) => {
  const home = join(o.dir, 'placement')
  mkdirSync(home, { recursive: true })
  const settings = [
    '[api]',
    'auth_strategy = noauth2',
    '[placement_database]',
    `connection = sqlite:///${join(home, 'placement.sqlite')}`,
    'sync_on_startup = true',
  ]
  writeFileSync(join(home, 'placement.conf'), `${settings.join('\n')}\n`)
  const port = await freePort()
  const argv = ['placement-api', '--host', '127.0.0.1', '--port', String(port)]
  const child = pinned(o, 'placement', argv, { OS_PLACEMENT_CONFIG_DIR: home })
  const side: Side = {
    ...{ name: 'placement', pid: child.pid!, at: { host: '127.0.0.1', port }, agent: connections(BACKLOG) },
    headers: { 'x-auth-token': 'admin', 'openstack-api-version': 'placement 1.39' },
    create: (id) => ({ method: 'POST', path: '/resource_providers', body: { name: `provider ${id}`, uuid: id } }),
    get: (id) => ({ method: 'GET', path: `/resource_providers/${id}` }),
    list: { method: 'GET', path: '/resource_providers' },
    stop: () => end(child, 'SIGKILL'),
  }
  return ready(side, child)
}

const startSkerry: Start = async (o) => {
  const nats = await startNats()
  const port = await freePort()
  const given = ['--state-dir', join(o.dir, 'skerry'), '--http-port', String(port), '--nats-url', nats.url]
  const log = join(o.dir, 'skerry.log')
  const child = startPinned({ core: SERVER_CORE, argv: [join(o.root, 'dist/controller/main.js'), ...given], log })
  await answering(`http://127.0.0.1:${port}/readyz`, child)
  const password = createHash('sha512').update('password').digest('hex')
  const body = JSON.stringify({ logInByAccount: { accountName: 'admin', password } })
  const answer = await fetch(`http://127.0.0.1:${port}/v1/accounts/login`, { method: 'PUT', body })
  const { inventory } = (await answer.json()) as { inventory: { uuid: string } }
  const path = '/v1/instance-offerings'
  const params = { cpuNum: 2, memorySize: 2 * 1024 ** 3 }
  return {
    ...{
      name: 'skerry',
      pid: child.pid!,
      headers: { authorization: `Bearer ${inventory.uuid}` },
      at: { host: '127.0.0.1', port },
      agent: connections(IN_FLIGHT),
    },
    create: (id) => ({
      method: 'POST',
      path: `${path}?wait=30s`,
      body: { params: { name: id, resourceUuid: idOf(id), ...params } },
    }),
    get: (id) => ({ method: 'GET', path: `${path}/${idOf(id)}` }),
    list: { method: 'GET', path: `${path}?limit=${ROWS}` },
    stop: async () => {
      await end(child, 'SIGKILL')
      await nats.stop()
    },
  }
}

const idOf = (id: string) => id.replaceAll('-', '')

/** So many of an operation, some at a time; gives the server's CPU of each in µs. */
async function micros(side: Side, operation: Operation, { count, ids }: { count: number; ids: string[] }): Promise<number> {
  const before = usageOf(side.pid).cpuMs
  let left = count
  const worker = async () => {
    while (left-- > 0) {
      if (operation === 'list') await send(side, side.list)
      else if (operation === 'get') await send(side, side.get(ids[left % ids.length]!))
      else {
        const id = randomUUID()
        await send(side, side.create(id))
        ids.push(id)
      }
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return ((usageOf(side.pid).cpuMs - before) * 1000) / count
}

/** Each side is asked in turn, from as many rows as the others: all are filled first, and what a round makes is the same everywhere. */
async function rounds(o: PeersOptions, sides: readonly Side[]) {
  const seen = new Map(sides.map((side) => [side.name, { create: [], get: [], list: [] } as Record<Operation, number[]>]))
  const made = new Map<string, string[]>()
  for (const side of sides) {
    const ids: string[] = []
    made.set(side.name, ids)
    o.say(`${side.name}: ${ROWS} to begin with`)
    await micros(side, 'create', { count: ROWS, ids })
  }
  for (const operation of operations.toReversed())
    for (let round = 0; round < o.rounds; round++)
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const value = await micros(side, operation, { count: COUNTS[operation], ids: made.get(side.name)! })
        seen.get(side.name)![operation].push(value)
      }
  return seen
}

export async function benchPeers(o: PeersOptions): Promise<{ results: Result[]; voided: string[] }> {
  const peers: Record<string, Start> = { lxd: startLxd, placement: startPlacement }
  const commands: Record<string, string> = { lxd: 'lxd', placement: 'placement-api' }
  const there = Object.keys(peers).filter((name) => installed(commands[name]!))
  for (const name of Object.keys(peers)) if (!there.includes(name)) o.say(`${name} is not installed, and left out`)
  const sides: Side[] = []
  try {
    for (const start of [startSkerry, ...there.map((name) => peers[name]!)]) sides.push(await start(o))
    const seen = await rounds(o, sides)
    return { results: there.flatMap((name) => resultsOf(name, seen)), voided: [] }
  } finally {
    for (const side of sides) await side.stop()
  }
}

function resultsOf(name: string, seen: ReadonlyMap<string, Record<Operation, number[]>>): Result[] {
  return operations.map((operation) => {
    const [limit, skerry] = [spread(seen.get(name)![operation]), spread(seen.get('skerry')![operation])]
    const [ratio, times] = [limit.median / skerry.median, TIMES[name]?.[operation]]
    const goal = times === undefined ? '' : `≥ ${times}×`
    const met = times === undefined ? null : ratio >= times
    return { bench: 'peers', what: `${WHAT[operation]}: ${name} as limit`, unit: 'µs CPU', limit, skerry, ratio, goal, met }
  })
}
