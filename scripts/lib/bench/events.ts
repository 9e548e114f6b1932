/** Who watches `/v1/events` hears of a change: how long after the caller was answered. Calls come at a fixed rate. */
import { join } from 'node:path'
import { eventsOf } from '../../../packages/sdk/src/events.ts'
import { type Result, spread } from './result.ts'
import { type Site, startSite } from './site.ts'
import { Connection } from './wire.ts'

export interface EventsOptions {
  root: string
  dir: string
  rounds: number
  seconds: number
  env: NodeJS.ProcessEnv
  say(text: string): void
}

const RATE = 100
const CONNECTIONS = 16
const P99_MS = 10
const HEARD_MS = 30_000

export async function benchEvents(o: EventsOptions): Promise<{ results: Result[]; voided: string[] }> {
  const site = await startSite({ ...o, hosts: 1, stateDir: join(o.dir, 'site') })
  const ending = new AbortController()
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(site.port)))
  try {
    const heard = await watch(site, ending.signal)
    const p50: number[] = []
    const p99: number[] = []
    // the first round is not counted: nothing is compiled yet
    for (let round = 0; round <= o.rounds; round++) {
      const late = (await roundOf(o, { site, connections, heard })).sort((a, b) => a - b)
      if (round === 0) continue
      p50.push(late[late.length >> 1]!)
      p99.push(late[Math.floor(late.length * 0.99)]!)
    }
    const what = `a creation, ${RATE} a second: its event after its answer`
    const all = { bench: 'events', what, skerry: spread(p99), goal: `≤ ${P99_MS} ms` }
    return {
      results: [
        { ...all, unit: 'ms (p50)', skerry: spread(p50), goal: '', met: null },
        { ...all, unit: 'ms (p99)', met: all.skerry.median <= P99_MS },
      ],
      voided: [],
    }
  } finally {
    ending.abort()
    for (const connection of connections) connection.close()
    site.end()
  }
}

interface Heard {
  at: Map<string, number>
  /** Resolves when that many were heard in all. */
  until(count: number): Promise<void>
}

/** When the creation of each offering was heard, by uuid. */
async function watch({ port, session }: Site, signal: AbortSignal): Promise<Heard> {
  const headers = { authorization: `Bearer ${session}`, 'accept-encoding': 'identity' }
  const { body, status } = await fetch(`http://127.0.0.1:${port}/v1/events`, { headers, signal })
  if (status !== 200 || !body) throw new Error(`/v1/events was answered ${status}`)
  const at = new Map<string, number>()
  let told: () => void = () => undefined
  const hear = async () => {
    for await (const { data } of eventsOf(body)) {
      const { noun, uuid, event } = data as { noun: string; uuid: string; event: string }
      if (noun !== 'instanceOffering' || event !== 'created') continue
      at.set(uuid, performance.now())
      told()
    }
  }
  hear().catch((error) => {
    if (!signal.aborted) throw error
  })
  const until = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${at.size} of ${count} events were heard`)), HEARD_MS)
      told = () => {
        if (at.size < count) return
        clearTimeout(timer)
        resolve()
      }
      told()
    })
  return { at, until }
}

interface Round {
  site: Site
  connections: readonly Connection[]
  heard: Heard
}

/** Milliseconds of each creation, 0 where the event came before the answer. */
async function roundOf({ seconds }: EventsOptions, { site, connections, heard }: Round): Promise<number[]> {
  const head = `POST /v1/instance-offerings?wait=30s HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${site.session}\r\ncontent-type: application/json\r\n`
  const answered = new Map<string, number>()
  const before = heard.at.size
  const began = performance.now()
  const total = Math.ceil(RATE * seconds)
  let next = 0
  const worker = async (connection: Connection) => {
    for (let mine = next++; mine < total; mine = next++) {
      const early = began + (mine * 1000) / RATE - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      const body = JSON.stringify({ params: { name: `offering-${before + mine}`, cpuNum: 1, memorySize: 1024 ** 3 } })
      const { status, body: answer } = await connection.send(`${head}content-length: ${body.length}\r\n\r\n${body}`)
      const at = performance.now()
      if (status !== 201) throw new Error(`an offering was answered ${status}: ${answer.toString('utf8', 0, 500)}`)
      answered.set((JSON.parse(answer.toString('utf8')) as { inventory: { uuid: string } }).inventory.uuid, at)
    }
  }
  await Promise.all(connections.map(worker))
  await heard.until(before + total)
  return [...answered].map(([uuid, at]) => Math.max(0, heard.at.get(uuid)! - at))
}
