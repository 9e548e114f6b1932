/** TCP connections out of a network namespace, which a process of node's can't enter: a small program in it carries the bytes. */
import { Duplex } from 'node:stream'
import type { Exec } from './exec.ts'

export interface TcpTarget {
  address: string
  port: number
  /** Name of the network namespace to connect from; default: the process's own. */
  netns?: string
}

export interface TcpConnection {
  /** Bytes both ways. Its end is told by `ended`, not by an error. */
  stream: Duplex
  /** Why it ended, in words: refused, no route, closed. Never rejects. */
  ended: Promise<string>
  close(): void
}

export interface Tcp {
  /**
   * Begins to connect: whether somebody answers shows when bytes come, or by the end, within `CONNECT_S` seconds. Throws
   * `host-command-failed` when nothing can be connected from there at all.
   */
  connect(to: TcpTarget): Promise<TcpConnection>
}

export const CONNECT_S = 10

export function tcp(exec: Exec): Tcp {
  return {
    async connect({ address, port, netns }) {
      const argv = ['nc', '-w', String(CONNECT_S), address, String(port)]
      const nc = await exec.open('busybox', argv, netns === undefined ? {} : { netns })
      const stream = Duplex.from({ readable: nc.output, writable: nc.input })
      // A stream that is torn down in the middle of a write says so here, too.
      stream.on('error', () => nc.kill())
      return { stream, ended: nc.ended.then(({ stderr }) => reasonOf(stderr, `${address}:${port}`)), close: () => nc.kill() }
    },
  }
}

/** `nc: can't connect to remote host (192.0.2.1): Connection refused`; a time-out leaves `nc: timed out`. */
function reasonOf(stderr: string, where: string): string {
  if (stderr === '') return 'the guest has closed the connection'
  return `${where}: ${stderr.replace(/^.*?: (?=[^:]*$)/s, '').toLowerCase()}`
}
