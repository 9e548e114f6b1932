/** The simulator's door. Loopback only, and only with the token: whoever gets in starts machines and reads nothing secret. */
import { timingSafeEqual } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import {
  ALL_MACHINES,
  behaviourChange,
  machineWanted,
  SkerryError,
  simulatedAddress,
  simulatorPaths,
  toErrorBody,
} from '@skerry/contract'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import { knownOperations } from './behaviour.ts'
import type { Simulator } from './simulator.ts'

const HOST = '127.0.0.1'
const MAX_BODY = 64 * 1024

export interface DoorPorts {
  simulator: Simulator
  token: string
  /** everything runs */
  ready(): boolean
  /** The simulator is to end. */
  stop(): void
}

export function simulatorApp({ simulator, token, ready, stop }: DoorPorts): Hono {
  const app = new Hono()
  app.onError((error, c) => {
    const body = toErrorBody(error)
    const status = error instanceof SkerryError ? error.spec.status : 500
    return c.json(body, status as 400)
  })
  app.notFound((c) => c.json(toErrorBody(new SkerryError('not-found', 'the simulator knows no such path')), 404))
  app.use(async (c, next) => {
    if (!isToken(c.req.header('authorization'), token))
      throw new SkerryError('permission-denied', 'the simulator is opened with the token in its simulator.json')
    await next()
  })
  app.use(bodyLimit({ maxSize: MAX_BODY, onError: () => Promise.reject(new SkerryError('body-too-large')) }))
  app.get(simulatorPaths.health, (c) => c.json({ ready: ready(), pid: process.pid, machines: simulator.size }))
  app.get(simulatorPaths.machines, (c) => c.json({ machines: simulator.list() }))
  app.get(simulatorPaths.operations, (c) => c.json({ operations: knownOperations() }))
  app.post(simulatorPaths.machines, async (c) => {
    await simulator.bring(read(machineWanted, await c.req.text()))
    return c.json({})
  })
  app.put(simulatorPaths.machine, async (c) => {
    const address = c.req.param('address') ?? ''
    if (address !== ALL_MACHINES && !simulatedAddress.safeParse(address).success)
      throw new SkerryError('invalid-argument', `${address} is no address 127.x.y.z`, { address })
    return c.json({ machines: await simulator.set(address, read(behaviourChange, await c.req.text())) })
  })
  app.post(simulatorPaths.stop, (c) => {
    stop()
    return c.json({})
  })
  return app
}

function isToken(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(`Bearer ${token}`)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function read<T extends z.ZodType>(schema: T, text: string): z.infer<T> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw new SkerryError('malformed-request', 'the body is not JSON', {}, { cause })
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`)
  throw new SkerryError('invalid-argument', problems.join('; '), { problems })
}

export interface OpenDoor {
  url: string
  close(): Promise<void>
}

/** On any free port. */
export function openDoor(ports: DoorPorts): Promise<OpenDoor> {
  const app = simulatorApp(ports)
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: HOST, port: 0 }, (info: AddressInfo) => {
      server.off('error', reject)
      resolve({
        url: `http://${HOST}:${info.port}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            if ('closeIdleConnections' in server) server.closeIdleConnections()
          }),
      })
    })
    server.once('error', reject)
  })
}
