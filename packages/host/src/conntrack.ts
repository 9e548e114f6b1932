/**
 * Connections that the kernel tracks in a namespace. Rules decide about new connections only: one that was let in lives on under the
 * address that it began with, until it is forgotten here.
 */
import { ipv4, port } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import { netnsName } from './ip-schema.ts'
import { checkInput } from './parse-json.ts'

/** All of these that are given. */
export interface FlowMatch {
  /** Who began it, and whom it was sent to, before any translation. */
  source?: string
  destination?: string
  /** Whom answers are sent to: the address that the source was given. */
  answeredTo?: string
  protocol?: 'tcp' | 'udp'
  /** Of the destination, before any translation; with `protocol`. Both ends included. */
  ports?: { from: number; to: number }
}
export interface Flows {
  /** How many connections fit were there; none is fine. */
  forget(match: FlowMatch): Promise<number>
}
export interface Conntrack {
  at(netns?: string): Flows
}

const TIMEOUT_MS = 30_000

export const flowMatch: z.ZodType<FlowMatch> = z
  .strictObject({
    source: ipv4.optional(),
    destination: ipv4.optional(),
    answeredTo: ipv4.optional(),
    protocol: z.enum(['tcp', 'udp']).optional(),
    ports: z.strictObject({ from: port, to: port }).optional(),
  })
  .refine((m) => m.source ?? m.destination ?? m.answeredTo, 'an address must be given')
  .refine((m) => !m.ports || (m.protocol && m.ports.from <= m.ports.to), 'ports need a protocol and an order')

/** The real `conntrack`. */
export function conntrack(exec: Exec): Conntrack {
  return {
    at(netns) {
      if (netns !== undefined) checkInput('namespace', netns, netnsName)
      // code 1: nothing fits
      const run = (args: readonly string[]) =>
        exec.run('conntrack', args, { timeoutMs: TIMEOUT_MS, okCodes: [0, 1], ...(netns === undefined ? {} : { netns }) })
      const drop = async (args: readonly string[]) => countIn((await run(['-D', ...args])).stderr)
      return {
        async forget(match) {
          const { ports, ...rest } = checkInput('flows', match, flowMatch)
          const base = argsOf(rest)
          if (!ports) return drop(base)
          if (ports.from === ports.to) return drop([...base, '--dport', String(ports.from)])
          const { stdout } = await run(['-L', ...base])
          let count = 0
          for (const dport of portsIn(stdout, ports)) count += await drop([...base, '--dport', String(dport)])
          return count
        },
      }
    },
  }
}

const argsOf = ({ source, destination, answeredTo, protocol }: FlowMatch) => [
  ...(source ? ['--orig-src', source] : []),
  ...(destination ? ['--orig-dst', destination] : []),
  ...(answeredTo ? ['--reply-dst', answeredTo] : []),
  ...(protocol ? ['-p', protocol] : []),
]

/** `conntrack v1.4.7 (conntrack-tools): 2 flow entries have been deleted.` */
const countIn = (stderr: string) => Number(/(\d+) flow entr/.exec(stderr)?.[1] ?? 0)

/** Ports of destinations: the first `dport` of a line is that of the way there, the second that of the answers. */
function portsIn(listing: string, { from, to }: { from: number; to: number }): number[] {
  const found = listing.split('\n').flatMap((line) => /\bdport=(\d+)/.exec(line)?.[1] ?? [])
  return [...new Set(found.map(Number))].filter((p) => p >= from && p <= to)
}
