/** A wild URL must not leave this machine, whatever was made of it: in this process no other address is ever looked up or called. */
import { Socket } from 'node:net'

const HERE = new Set(['127.0.0.1', '::1', 'localhost'])
const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket

function hostOf(args: unknown[]): unknown {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (typeof first !== 'object' || first === null) return args[1]
  const { host, path } = first as { host?: unknown; path?: unknown }
  return path === undefined ? (host ?? 'localhost') : 'localhost'
}

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  const host = hostOf(args)
  if (HERE.has(String(host))) return connect.apply(this, args)
  process.nextTick(() => this.destroy(Object.assign(new Error(`connect ECONNREFUSED ${host}`), { code: 'ECONNREFUSED' })))
  return this
} as Socket['connect']
