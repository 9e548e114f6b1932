/** [format] NATS subjects (DESIGN §7). Nobody else types one. Every token is a uuid or a name without dots. */
import type { AgentKind } from '../resources/agent.ts'

const root = 'skerry.v1'

export const subjects = {
  /** to an agent, request/reply; `resourceUuid` is the agent's own uuid for verbs about itself */
  do: (kind: AgentKind, agentUuid: string, ...[noun, resourceUuid, verb]: [noun: string, resourceUuid: string, verb: string]) =>
    `${root}.agent.${kind}.${agentUuid}.do.${noun}.${resourceUuid}.${verb}`,
  doAll: (kind: AgentKind, agentUuid: string) => `${root}.agent.${kind}.${agentUuid}.do.>`,
  status: (kind: AgentKind, agentUuid: string, noun: string, uuid: string) =>
    `${root}.agent.${kind}.${agentUuid}.status.${noun}.${uuid}`,
  statusOfAll: `${root}.agent.*.*.status.*.*`,
  progress: (kind: AgentKind, agentUuid: string, commandId: string) => `${root}.agent.${kind}.${agentUuid}.progress.${commandId}`,
  progressOfAll: `${root}.agent.*.*.progress.*`,
  /** from an agent to the controllers, request/reply */
  ask: (kind: AgentKind, agentUuid: string, verb: string) => `${root}.agent.${kind}.${agentUuid}.ask.${verb}`,
  askOfAll: `${root}.agent.*.*.ask.*`,
  heartbeat: (kind: AgentKind, agentUuid: string) => `${root}.agent.${kind}.${agentUuid}.hb`,
  heartbeatOfAll: `${root}.agent.*.*.hb`,
  /** bytes of a console or tunnel session */
  io: (kind: AgentKind, agentUuid: string, session: string, way: 'in' | 'out') =>
    `${root}.agent.${kind}.${agentUuid}.io.${session}.${way}`,
  api: (noun: string, resourceUuid: string | undefined, verb: string) => `${root}.api.${noun}.${resourceUuid ?? '-'}.${verb}`,
  apiOfAll: `${root}.api.>`,
  event: (noun: string, uuid: string, event: string) => `${root}.evt.${noun}.${uuid}.${event}`,
  eventOfAll: `${root}.evt.>`,
  /**
   * Conditions as they are raised and cleared, published by controllers only. Not of the log: at least once, without an id to
   * go on from; the state is in `GET /v1/conditions`. `uuid` is `-` for what concerns the whole site.
   */
  alarm: (code: string, uuid: string | undefined, change: 'raised' | 'cleared') =>
    `${root}.alarm.${code}.${uuid ?? '-'}.${change}`,
  alarmOfAll: `${root}.alarm.>`,
  job: (jobUuid: string, what: 'progress' | 'done') => `${root}.job.${jobUuid}.${what}`,
} as const

export interface AgentSubject {
  kind: AgentKind
  agentUuid: string
  /** `do`, `status`, `progress`, `ask`, `hb` or `io` */
  area: string
  rest: string[]
}

/** The parts of a subject of an agent; undefined when it isn't one. */
export function parseAgentSubject(subject: string): AgentSubject | undefined {
  const [a, b, c, kind, agentUuid, area, ...rest] = subject.split('.')
  if (`${a}.${b}` !== root || c !== 'agent' || !area) return undefined
  if (kind !== 'kvm' && kind !== 'storage' && kind !== 'vrouter') return undefined
  if (!agentUuid || !/^[0-9a-f]{32}$/.test(agentUuid)) return undefined
  return { kind, agentUuid, area, rest }
}
