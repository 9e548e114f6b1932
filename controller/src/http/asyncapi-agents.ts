/** What agents are told and tell, for `/asyncapi.json`: documents, commands, signs of life, sessions. */
import {
  type AgentKind,
  channelMessage,
  command,
  commandReply,
  consoleMessage,
  digestReply,
  document,
  documentsReply,
  documentsRequest,
  heartbeat,
  inventoryReply,
  kvmCommands,
  nouns,
  planReply,
  progress,
  type Row,
  rekeyReply,
  rekeyRequest,
  sftpAsk,
  status,
  statusesReply,
  storageCommands,
  subjects,
  syncReply,
  syncRequest,
  vrouterCommands,
} from '@skerry/contract'
import type { z } from 'zod'
import { add, hole, type Parts } from './asyncapi-parts.ts'
import { schemaOfParams } from './openapi.ts'

const agentDo = (verb: string, kind: string = hole('kind')) =>
  subjects.do(kind as AgentKind, hole('agentUuid'), 'agent', hole('agentUuid'), verb)
const nothing: Row = { type: ['null', 'object'] }

/** What every agent answers. */
const ownVerbs: readonly [verb: string, summary: string, payload: z.ZodType | undefined, reply: z.ZodType][] = [
  ['sync', 'Documents of one commit, taken together or not at all', syncRequest, syncReply],
  ['digest', 'What the agent holds', undefined, digestReply],
  ['documents', 'Those of these that it holds', documentsRequest, documentsReply],
  ['statuses', 'What came of all documents', undefined, statusesReply],
  ['inventory', 'Everything on the host that carries our mark', undefined, inventoryReply],
  ['plan', 'What a sync of these documents would change', syncRequest, planReply],
  ['rekey', 'Another key of the agent on NATS', rekeyRequest, rekeyReply],
]

export function addAgents(parts: Parts): void {
  for (const [verb, summary, payload, reply] of ownVerbs)
    add(parts, {
      ...{ name: `agent.${verb}`, address: agentDo(verb), summary, action: 'send' },
      payload: payload ? schemaOfParams(payload) : nothing,
      reply: schemaOfParams(reply),
    })
  const told = [
    [
      'status',
      subjects.status(hole('kind'), hole('agentUuid'), hole('noun'), hole('resourceUuid')),
      'What came of a document',
      status,
    ],
    ['progress', subjects.progress(hole('kind'), hole('agentUuid'), hole('commandId')), 'How far a command has come', progress],
    ['heartbeat', subjects.heartbeat(hole('kind'), hole('agentUuid')), 'Every 5 s, and when something changes', heartbeat],
  ] as const
  for (const [name, address, summary, payload] of told)
    add(parts, { name: `agent.${name}`, address, summary, action: 'receive', payload: schemaOfParams(payload) })
  add(parts, {
    ...{ name: 'agent.ask.sftp', address: subjects.ask('storage', hole('agentUuid'), sftpAsk.verb), action: 'receive' },
    summary: 'How to get into a storage server',
    payload: schemaOfParams(sftpAsk.input),
    reply: schemaOfParams(sftpAsk.reply),
  })
  addSessions(parts)
}

const commands = { kvm: kvmCommands, storage: storageCommands, vrouter: vrouterCommands } as const
const kebab = (text: string) => text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()

export function addCommands(parts: Parts): void {
  for (const [kind, verbs] of Object.entries(commands))
    for (const [key, { input, output }] of Object.entries(verbs as Record<string, { input: z.ZodType; output: z.ZodType }>))
      add(parts, {
        name: `agent.${kind}.${kebab(key)}`,
        address: subjects.do(kind as AgentKind, hole('agentUuid'), hole('noun'), hole('resourceUuid'), kebab(key)),
        ...{ summary: `A verb of agent-${kind}; a repeated id gets the first result`, action: 'send' },
        payload: { allOf: [schemaOfParams(command), { type: 'object', properties: { input: schemaOfParams(input) } }] },
        reply: { allOf: [schemaOfParams(commandReply), { type: 'object', properties: { output: schemaOfParams(output) } }] },
      })
}

/** Both ways of a session that a command has opened; its id is in the command's input. */
function addSessions(parts: Parts): void {
  for (const way of ['in', 'out'] as const)
    add(parts, {
      name: `agent.io.${way}`,
      address: subjects.io(hole('kind'), hole('agentUuid'), hole('session'), way),
      summary: `Bytes ${way === 'in' ? 'to' : 'from'} a console (kvm), tunnel (vrouter) or upload (storage)`,
      action: way === 'in' ? 'send' : 'receive',
      payload: { anyOf: [schemaOfParams(consoleMessage), schemaOfParams(channelMessage)] },
    })
}

/** Every desired document by noun, in the schema that this version writes. */
export const documentSchemas = (): Row =>
  Object.fromEntries(
    Object.values(nouns).flatMap((of) =>
      of.map(({ noun, schema, spec }) => {
        const narrowed = { properties: { noun: { const: noun }, schema: { const: schema }, spec: schemaOfParams(spec) } }
        return [`document.${noun}`, { allOf: [schemaOfParams(document), { type: 'object', ...narrowed }] }]
      }),
    ),
  )
