/** `skerry console <vm>`: the guest's serial console in this terminal. Ctrl-] leaves. `--web`: in a browser, its screen too. */
import { SkerryError } from '@skerry/contract/errors'
import type { RawData } from 'ws'
import type { Io, RawTerminal } from '../io.ts'
import { clientFor, contextOf, type Globals } from '../session.ts'
import { bytesOf, openSocket } from '../web-socket.ts'

/** Ctrl-], as telnet and virsh have it. */
const LEAVE = 0x1d
/** How long output is still shown after piped input has ended. */
const AFTER_INPUT_MS = 2_000

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
    socket.resume()
  })
}

export interface ConsoleOptions extends Globals {
  web?: boolean
  vnc?: boolean
  proxy?: string
}

export async function openConsole(io: Io, vm: string, o: ConsoleOptions): Promise<void> {
  const kind = o.vnc ? 'vnc' : 'serial'
  if (!o.web && (o.vnc || o.proxy)) throw new SkerryError('invalid-argument', 'a screen and a proxy need a browser: add --web')
  const { context } = await contextOf(io, o)
  const client = await clientFor(io, context)
  const { uuid } = await client.get('vmInstance', vm)
  const { inventory } = await client.call('RequestConsoleAccess', { vmInstanceUuid: uuid }, { wait: true })
  const token = String((inventory as { token?: unknown } | undefined)?.token ?? '')
  if (o.web) return io.out(`${client.consolePageUrl(token, { kind, name: vm, ...(o.proxy ? { proxy: o.proxy } : {}) })}`)
  const socket = await openSocket(io, context, { url: client.consoleUrl(token), what: 'the console' })
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
