/** Where the door may listen: beyond loopback only with TLS, and never with the default password (DESIGN §7). Pure. */
import { isLoopback } from '@skerry/contract'

/** Why the door must not listen there, with what to do; undefined when it may. */
export function refusalToBind(o: { address: string; tls: boolean; defaultPassword: boolean }): string | undefined {
  if (isLoopback(o.address)) return undefined
  if (!o.tls) return `refusing to listen on ${o.address} without TLS: set a certificate, or listen on 127.0.0.1`
  if (o.defaultPassword) return `refusing to listen on ${o.address} with the default password: set SKERRY_ADMIN_PASSWORD`
  return undefined
}
