/**
 * The backend process: owns the FFI binding and may be killed at any time. It imports nothing that is slow to load and keeps
 * no state that matters. It never waits on its main thread, so it answers pings while libvirt is stuck. When the connection
 * breaks it says so and ends itself: a fresh process is the one way back, hence nothing is ever half reconnected.
 * Arguments: <uri> <lanes> <FFI library or auto>.
 */
import { ownFailure } from './failure-data.ts'
import { CallFailure, type Lane, Lanes, Opener } from './ffi/connection.ts'
import { registerEventLoop, runEventLoop, subscribe } from './ffi/events.ts'
import { loadFfi } from './ffi/load.ts'
import type { FfiName } from './ffi/native.ts'
import { operations } from './ffi/operations.ts'
import type { FromChild, LibvirtFailure, ToChild } from './port.ts'

const REOPEN_MS = 500

/** SIGKILL, because exit() would join pool threads that may be stuck in libvirt. */
const die = (): never => process.kill(process.pid, 'SIGKILL') as never

function send(message: FromChild, then?: () => void): void {
  process.send?.(message, (error: Error | null) => {
    if (error) die() // the supervisor is gone
    then?.()
  })
}

const failureOf = (error: unknown): LibvirtFailure =>
  error instanceof CallFailure ? error.failure : ownFailure(error instanceof Error ? error.message : String(error))

function lost(reason: string): void {
  send({ t: 'lost', reason }, die)
}

async function answer(lanes: Lanes, message: Extract<ToChild, { t: 'call' }>): Promise<void> {
  const handler = operations[message.op] as (lane: Lane, args: unknown) => Promise<unknown>
  try {
    const result = await lanes.run(message.remainingMs, async (lane) => {
      try {
        return await handler(lane, message.args)
      } catch (error) {
        if (!(await lane.alive())) lost(failureOf(error).message)
        throw error
      }
    })
    send({ t: 'reply', id: message.id, result })
  } catch (error) {
    send({ t: 'failed', id: message.id, failure: failureOf(error) })
  }
}

async function connect(opener: Opener): Promise<void> {
  for (;;) {
    try {
      const lane = await opener.open()
      await subscribe(lane, { onLifecycle: (event) => send({ t: 'lifecycle', event }), onClosed: lost })
      return send({ t: 'connected' })
    } catch (error) {
      send({ t: 'unreachable', failure: failureOf(error) })
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS))
    }
  }
}

function main(uri: string, laneCount: number, wanted: FfiName | 'auto'): void {
  const { native, ffi, passedOver } = loadFfi(wanted)
  send({ t: 'started', ffi, passedOver })
  registerEventLoop(native)
  runEventLoop(native).catch((error: unknown) => lost(String(error)))
  const opener = new Opener(native, uri)
  const lanes = new Lanes(opener, laneCount, () => performance.now())
  process.on('message', (message: ToChild) => {
    if (message.t === 'ping') send({ t: 'pong', rssBytes: process.memoryUsage.rss() })
    else void answer(lanes, message)
  })
  process.on('disconnect', die)
  void connect(opener)
}

const [uri, lanes, wanted] = process.argv.slice(2)
if (uri === undefined || wanted === undefined || !process.send)
  throw new Error('this file is the libvirt backend process; it is started by superviseLibvirt')
main(uri, Number(lanes), wanted as FfiName | 'auto')
