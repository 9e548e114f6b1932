/** `skerry console <vm>`: the guest's serial console in this terminal. Ctrl-] leaves. */
import { SkerryError } from '@skerry/contract'
import type { RawData } from 'ws'
import type { Io, RawTerminal } from '../io.ts'
import { clientFor, contextOf, type Globals } from '../session.ts'

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d
/** How long output is still shown after piped input has ended. */
const AFTER_INPUT_MS = 2_000

const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data

/** Resolves with the reason why it ended. */
function connected(terminal: RawTerminal, socket: import('ws').WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    terminal.onInput((bytes) => {
      const at = bytes.indexOf(LEAVE)
      if (at < 0) return socket.send(bytes)
      if (at > 0) socket.send(bytes.subarray(0, at))
      socket.close()
      resolve('left')
    })
    // What was piped in deserves its answer, then nobody is left to press Ctrl-].
    terminal.onEnd(() => setTimeout(() => resolve('the input has ended'), AFTER_INPUT_MS))
    socket.on('message', (data: RawData) => terminal.write(bytesOf(data)))
    socket.on('close', (_code, reason) => resolve(reason.toString() || 'the console was closed'))
    socket.on('error', reject)
  })
}

function opened(socket: import('ws').WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', (cause) =>
      reject(new SkerryError('agent-unreachable', 'the console could not be opened', {}, { cause })),
    )
  })
}

export async function openConsole(io: Io, vm: string, o: Globals): Promise<void> {
  const { context } = await contextOf(io, o)
  const client = await clientFor(io, context)
  const { uuid } = await client.get('vmInstance', vm)
  const { inventory } = await client.call('RequestConsoleAccess', { vmInstanceUuid: uuid }, { wait: true })
  const token = String((inventory as { token?: unknown } | undefined)?.token ?? '')
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(client.consoleUrl(token), context.ca ? { ca: await io.readFile(context.ca) } : {})
  await opened(socket)
  io.err(`connected to ${vm}; Ctrl-] leaves\n`)
  const terminal = io.rawTerminal()
  try {
    const reason = await connected(terminal, socket)
    io.err(`\n${reason}\n`)
  } finally {
    terminal.close()
    socket.terminate()
  }
}
