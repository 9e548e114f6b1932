/** Where the door may listen: beyond loopback only with TLS, and never with the default password (DESIGN §7). Pure. */
import { isIP } from 'node:net'

/** 127.0.0.0/8, ::1 and `localhost`. */
export function isLoopback(address: string): boolean {
  if (address === 'localhost') return true
  const plain = address.replace(/^::ffff:/i, '')
  if (isIP(plain) === 4) return plain.startsWith('127.')
  return isIP(plain) === 6 && /^(0*:)*:?0*1$/.test(plain)
}

/** Why the door must not listen there, with what to do; undefined when it may. */
export function refusalToBind(o: { address: string; tls: boolean; defaultPassword: boolean }): string | undefined {
  if (isLoopback(o.address)) return undefined
  if (!o.tls) return `refusing to listen on ${o.address} without TLS: set a certificate, or listen on 127.0.0.1`
  if (o.defaultPassword) return `refusing to listen on ${o.address} with the default password: set SKERRY_ADMIN_PASSWORD`
  return undefined
}
