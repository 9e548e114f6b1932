/**
 * NATS services (ADR-32): what answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, so that any NATS tool lists our agents.
 * Written on the port, so it is the same on both twins, and the id is ours (nats.js makes its own up).
 */
import { SkerryError } from '@skerry/contract'
import type { Bus, GatheringBus, ServeStats, Subscription } from './bus.ts'

export interface ServiceEndpoint {
  name: string
  subject: string
  queue?: string
  /** What `bus.serve()` returned for it: its numbers are shown by `$SRV.STATS`. */
  serving?: Subscription
}

export interface ServiceDescription {
  /** As `agent-kvm`: letters, digits, `-`, `_`. The name that the rights of an agent know is `agentServiceName(kind)`. */
  name: string
  /** Semantic version. */
  version: string
  /** Unique: an agent's uuid. */
  id: string
  description?: string
  metadata?: Record<string, string>
  endpoints: readonly ServiceEndpoint[]
  /** When it began; default now. */
  startedAt?: Date
}

export const SERVICE_VERBS = ['PING', 'INFO', 'STATS'] as const
type ServiceVerb = (typeof SERVICE_VERBS)[number]

const NAME = /^[A-Za-z0-9_-]+$/
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/

/** The three subjects of a verb that a service answers on. */
export function serviceSubjects(verb: ServiceVerb, name: string, id: string): string[] {
  return [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`]
}

/** Answers for the service until stopped. Throws `invalid-argument` for a name, id or version that ADR-32 doesn't allow. */
export function announceService(bus: Bus, service: ServiceDescription): Subscription {
  const { name, id, version } = service
  if (!NAME.test(name) || !NAME.test(id) || !VERSION.test(version)) {
    throw new SkerryError('invalid-argument', 'a service needs a plain name and id and a semantic version', { name, id, version })
  }
  const started = (service.startedAt ?? new Date()).toISOString()
  const answers: Record<ServiceVerb, () => unknown> = {
    PING: () => identity('ping', service),
    INFO: () => ({
      ...identity('info', service),
      description: service.description ?? '',
      endpoints: service.endpoints.map((e) => ({ name: e.name, subject: e.subject, queue_group: e.queue ?? '', metadata: {} })),
    }),
    STATS: () => ({ ...identity('stats', service), started, endpoints: service.endpoints.map(endpointStats) }),
  }
  const open = SERVICE_VERBS.flatMap((verb) =>
    serviceSubjects(verb, name, id).map((subject) => bus.serve(subject, async () => answers[verb]())),
  )
  return { stop: async () => void (await Promise.all(open.map((s) => s.stop()))) }
}

function identity(
  verb: 'ping' | 'info' | 'stats',
  { name, id, version, metadata = {} }: ServiceDescription,
): Record<string, unknown> {
  return { type: `io.nats.micro.v1.${verb}_response`, name, id, version, metadata }
}

const NO_STATS: ServeStats = { requests: 0, errors: 0, lastError: '', processingNs: 0 }

function endpointStats({ name, subject, queue, serving }: ServiceEndpoint): Record<string, unknown> {
  const { requests, errors, lastError, processingNs } = serving?.stats?.() ?? NO_STATS
  return {
    name,
    subject,
    queue_group: queue ?? '',
    num_requests: requests,
    num_errors: errors,
    last_error: lastError,
    processing_time: processingNs,
    average_processing_time: requests > 0 ? Math.round(processingNs / requests) : 0,
  }
}

/** Who answers on this bus within `timeoutMs`: the bodies as they came, to be parsed by the caller. `name` narrows it. */
export async function discoverServices(
  bus: GatheringBus,
  { verb = 'PING', name, timeoutMs }: { verb?: ServiceVerb; name?: string; timeoutMs: number },
): Promise<unknown[]> {
  const subject = name === undefined ? `$SRV.${verb}` : `$SRV.${verb}.${name}`
  const answers = await bus.gather(subject, null, { timeoutMs })
  return answers.map((m) => m.data)
}
