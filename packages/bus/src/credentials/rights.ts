/** [format] Who may say and hear what on NATS (DESIGN §7): allow-lists, both ways. The memory broker takes the same lists. */
import { SkerryError, uuid } from '@skerry/contract'
import type { Rights } from '../memory.ts'
import { SERVICE_VERBS, serviceSubjects } from '../services.ts'

export interface AgentIdentity {
  /** `kvm`, `storage`, `vrouter`, or a third party's. */
  kind: string
  /** The agent's uuid: 32 hex. */
  uuid: string
}

/** Kinds of user that are told apart by their public key alone. */
export type KeyedKind = 'operator-cli' | 'console-proxy'
export type UserIdentity = { kind: 'controller' } | { kind: 'agent'; agent: AgentIdentity } | { kind: KeyedKind; id: string }
export type UserKind = UserIdentity['kind']

const AGENT_KIND = /^[a-z][a-z0-9-]{0,31}$/
const KEY_ID = /^[A-Za-z0-9]{1,64}$/

/** The name under which an agent announces itself as a NATS service; its rights know no other. */
export function agentServiceName(kind: string): string {
  return `agent-${kind}`
}

/** The allow-lists of a user. Throws `invalid-argument` for a kind or uuid that could carry a wildcard or another token. */
export function rightsOf(user: UserIdentity): Required<Rights> {
  switch (user.kind) {
    case 'controller':
      return controllerRights()
    case 'agent':
      return agentRights(user.agent)
    case 'operator-cli':
      return cliRights(ownInbox(user))
    case 'console-proxy':
      return proxyRights(ownInbox(user))
  }
}

function controllerRights(): Required<Rights> {
  const inboxPrefix = '_INBOX_ctl'
  const own = ['skerry.>', '$SRV.>', `${inboxPrefix}.>`]
  return { inboxPrefix, publish: [...own, '$JS.API.>', '$JS.ACK.>'], subscribe: own, unheard: [], responses: true }
}

function agentRights({ kind, uuid: id }: AgentIdentity): Required<Rights> {
  if (!AGENT_KIND.test(kind) || !uuid.safeParse(id).success) {
    throw new SkerryError('invalid-argument', 'an agent needs a kind of lower-case letters and a uuid', { kind, uuid: id })
  }
  const self = `skerry.v1.agent.${kind}.${id}`
  const inboxPrefix = `_INBOX_${id}`
  const services = SERVICE_VERBS.flatMap((verb) => serviceSubjects(verb, agentServiceName(kind), id))
  return {
    inboxPrefix,
    publish: [`${self}.status.>`, `${self}.progress.>`, `${self}.ask.>`, `${self}.hb`, `${self}.io.>`],
    subscribe: [`${self}.do.>`, `${self}.io.*.in`, `${inboxPrefix}.>`, ...services],
    unheard: [],
    responses: true,
  }
}

const INBOXES: Record<KeyedKind, string> = { 'operator-cli': '_INBOX_cli', 'console-proxy': '_INBOX_con' }

function ownInbox({ kind, id }: { kind: KeyedKind; id: string }): string {
  if (!KEY_ID.test(id))
    throw new SkerryError('invalid-argument', `a user of kind ${kind} needs an id of letters and digits`, { id })
  return `${INBOXES[kind]}_${id}`
}

/** Calls of others are unheard: sessions and passwords are in them. */
function cliRights(inboxPrefix: string): Required<Rights> {
  const api = 'skerry.v1.api.>'
  return {
    inboxPrefix,
    publish: [api, '$SRV.>'],
    subscribe: ['skerry.>', `${inboxPrefix}.>`],
    unheard: [api],
    responses: false,
  }
}

/** Opens consoles and tunnels for which somebody shows a token, and carries their bytes. */
function proxyRights(inboxPrefix: string): Required<Rights> {
  const [kvm, vrouter] = ['skerry.v1.agent.kvm.*', 'skerry.v1.agent.vrouter.*']
  return {
    inboxPrefix,
    publish: [`${kvm}.do.vm.*.console`, `${vrouter}.do.router.*.tunnel`, `${kvm}.io.*.in`, `${vrouter}.io.*.in`],
    subscribe: [`${kvm}.io.*.out`, `${vrouter}.io.*.out`, `${inboxPrefix}.>`],
    unheard: [],
    responses: false,
  }
}
