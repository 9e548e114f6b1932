/** The load generator, a process of its own: takes one task by IPC, answers with what it saw. */
import { performance } from 'node:perf_hooks'
import { idOf, ipOf, vmCount, vmName } from './dataset.ts'
import { Connection } from './wire.ts'

type Single = 'create' | 'get' | 'list' | 'query' | 'relations'
/** `mixed`: two creations of ten, the rest half reads by id and half by name. */
export type Operation = Single | 'mixed'

export interface Task {
  operation: Operation
  port: number
  session: string
  rows: number
  /** VMs that are there, instead of those of the dataset */
  vms?: readonly { uuid: string; name: string }[]
  seconds: number
  inFlight: number
  /** requests a second at fixed times (open loop: latency counts from when a request was due); absent: as fast as it goes */
  rate?: number
}

export interface Seen {
  count: number
  seconds: number
  /** milliseconds */
  p50: number
  p99: number
  max: number
  /** of the last answer */
  bytes: number
}

let serial = 0
const run = `${process.pid}-${Date.now().toString(36)}`
const pick = (n: number) => Math.floor(Math.random() * n)

/** Both sides are asked for the same paths. `relations` goes volume → VM → NIC → address. */
function requestOf(operation: Single, { session, rows, vms }: Task): string {
  const n = pick(vms?.length ?? vmCount(rows))
  const { uuid, name } = vms?.[n] ?? { uuid: idOf('a1', n), name: vmName(n) }
  const head = `host: bench\r\nauthorization: Bearer ${session}\r\n`
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${head}\r\n`
  switch (operation) {
    case 'get':
      return get(`/v1/vm-instances/${uuid}`)
    case 'list':
      return get('/v1/vm-instances?limit=1000')
    case 'query':
      return get(`/v1/vm-instances?q=name%3D${name}`)
    case 'relations':
      return get(`/v1/volumes?q=vmInstance.vmNics.usedIps.ip%3D${ipOf(n)}`)
    case 'create': {
      const body = JSON.stringify({
        params: { name: `offering-${run}-${serial++}`, cpuNum: 2, memorySize: 2147483648, sortKey: 7 },
      })
      return `POST /v1/instance-offerings?wait=30s HTTP/1.1\r\n${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    }
  }
}

function singleOf(operation: Operation): Single {
  if (operation !== 'mixed') return operation
  const dice = Math.random()
  return dice < 0.2 ? 'create' : dice < 0.6 ? 'get' : 'query'
}

async function one(connection: Connection, task: Task, latencies: number[], due: number): Promise<number> {
  const operation = singleOf(task.operation)
  const { status, body } = await connection.send(requestOf(operation, task))
  latencies.push(performance.now() - due)
  if (status !== (operation === 'create' ? 201 : 200))
    throw new Error(`${operation} was answered ${status}: ${body.toString('utf8', 0, 500)}`)
  if (body.length < 100) throw new Error(`${operation} found nothing: ${body.toString('utf8')}`)
  return body.length
}

async function closedLoop(connections: Connection[], task: Task, latencies: number[]): Promise<number> {
  const until = performance.now() + task.seconds * 1000
  let bytes = 0
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < until) bytes = await one(connection, task, latencies, performance.now())
    }),
  )
  return bytes
}

async function openLoop(connections: Connection[], task: Task & { rate: number }, latencies: number[]): Promise<number> {
  const began = performance.now()
  const total = Math.floor(task.rate * task.seconds)
  let next = 0
  let bytes = 0
  await Promise.all(
    connections.map(async (connection) => {
      for (;;) {
        const mine = next++
        if (mine >= total) return
        const due = began + (mine * 1000) / task.rate
        const early = due - performance.now()
        if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
        bytes = await one(connection, task, latencies, due)
      }
    }),
  )
  return bytes
}

async function perform(task: Task): Promise<Seen> {
  const connections = await Promise.all(Array.from({ length: task.inFlight }, () => Connection.open(task.port)))
  const latencies: number[] = []
  const began = performance.now()
  try {
    const { rate } = task
    const bytes =
      rate === undefined
        ? await closedLoop(connections, task, latencies)
        : await openLoop(connections, { ...task, rate }, latencies)
    const seconds = (performance.now() - began) / 1000
    latencies.sort((a, b) => a - b)
    const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
    return { count: latencies.length, seconds, p50: at(0.5), p99: at(0.99), max: at(1), bytes }
  } finally {
    for (const connection of connections) connection.close()
  }
}

process.on('message', (task: Task) => {
  perform(task).then(
    (seen) => process.send?.(seen),
    (error: Error) => process.send?.({ error: error.message }),
  )
})
