/** Channels, operations and messages of `/asyncapi.json`, added together, one exchange at a time. */
import type { Row } from '@skerry/contract'

export interface Parts {
  channels: Row
  operations: Row
  messages: Row
  schemas: Row
}

export interface Exchange {
  /** names channel, operation and messages */
  name: string
  address: string
  summary: string
  action: 'send' | 'receive'
  payload: Row
  headers?: Row
  reply?: Row
}

/** `{name}` in an address; a subject's builder takes any text. */
export const hole = (name: string) => `{${name}}` as never
const holesOf = (address: string): string[] => [...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
const descriptions: Record<string, string> = {
  uuid: 'of the resource: 32 hex characters',
  agentUuid: 'of the agent: 32 hex characters',
  resourceUuid: 'of the resource; for verbs of the agent itself, its own',
  kind: 'kvm, storage or vrouter, whoever made the agent',
  noun: 'of the document or resource',
}

const messageRef = (name: string): Row => ({ $ref: `#/components/messages/${name}` })

/** Puts one channel with its operation into the document; with `reply` it is a request. */
export function add(parts: Parts, { name, address, summary, action, payload, headers, reply }: Exchange): void {
  const holes = holesOf(address)
  const parameters = Object.fromEntries(holes.map((hole) => [hole, { description: descriptions[hole] ?? hole }]))
  parts.messages[name] = { name, summary, contentType: 'application/json', payload, ...(headers ? { headers } : {}) }
  const own: Row = { [name]: messageRef(name) }
  const answered = `${name}.reply`
  if (reply) {
    parts.messages[answered] = {
      name: answered,
      summary: 'or a problem, with the header Skerry-Error',
      contentType: 'application/json',
      payload: reply,
    }
    own[answered] = messageRef(answered)
  }
  parts.channels[name] = { address, messages: own, ...(holes.length > 0 ? { parameters } : {}) }
  const channel = { $ref: `#/channels/${name}` }
  const message = (one: string) => ({ $ref: `#/channels/${name}/messages/${one}` })
  parts.operations[name] = {
    ...{ action, channel, summary, messages: [message(name)] },
    ...(reply
      ? {
          reply: {
            address: { location: '$message.header#/reply', description: 'the reply subject of NATS' },
            messages: [message(answered)],
          },
        }
      : {}),
  }
}
