/** What the answer to a request for a console or tunnel tells: where it is, and the token that an agent has been told of. */
import { createHmac } from 'node:crypto'
import { consoleTokenText } from '@skerry/console'
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import type { Call } from '../engine/port.ts'
import { CONSOLE_TOKEN_MS, toldAgent } from '../workflows/vm.console.ts'
import { tunnelTargetSchema } from '../workflows/vm.tunnel.ts'
import { type AgentsPort, need } from '../workflows/world.ts'
import { uploadAnswers } from './uploads.ts'

const SECRET_BYTES = 24

/** 192 bits that nobody without the site's key can tell, the same for a job whenever it is asked. */
export const consoleSecretOf =
  (siteKey: Uint8Array | string) =>
  (job: string): string =>
    createHmac('sha256', siteKey).update(`console/${job}`).digest().subarray(0, SECRET_BYTES).toString('base64url')

export interface ConsoleAnswerPorts {
  graph: Graph
  now(): number
  consoleSecret(job: string): string
  address: { hostname: string; port: number; scheme: string }
}

/** By API: what is told when its job has ended. */
export const accessAnswers = (ports: ConsoleAnswerPorts) => ({
  RequestConsoleAccess: consoleAnswer(ports),
  RequestTunnel: tunnelAnswer(ports),
  ...uploadAnswers(ports),
})

const tunnelAnswer =
  ({ graph, now, consoleSecret }: ConsoleAnswerPorts) =>
  (params: Row, job: string, result: unknown): Row | undefined => {
    const told = tunnelTargetSchema.safeParse(result)
    if (!told.success) return undefined // a job of an earlier version
    const { agentUuid, l3NetworkUuid, address } = told.data
    const secret = consoleSecret(job)
    const token = consoleTokenText({ agentUuid, resourceUuid: l3NetworkUuid, epoch: graph.epoch, secret })
    return { inventory: { token, address, port: params['port'] as number, expiredDate: now() + CONSOLE_TOKEN_MS } }
  }

/** A ConsoleInventory for the job's parameters. */
const consoleAnswer =
  ({ graph, now, consoleSecret, address }: ConsoleAnswerPorts) =>
  (params: Row, job: string, result: unknown): Row | undefined => {
    const vmUuid = params['vmInstanceUuid'] as string
    const told = toldAgent.safeParse(result)
    if (!told.success) return undefined // a job of an earlier version
    const { agentUuid } = told.data
    const token = consoleTokenText({ agentUuid, resourceUuid: vmUuid, epoch: graph.epoch, secret: consoleSecret(job) })
    return { inventory: { ...address, token, expiredDate: now() + CONSOLE_TOKEN_MS } }
  }

const LOG_MS = 15_000
const LINES = 1_000

/** What only the host of a VM knows: its agent is asked. */
export function consoleCalls({ graph, agents, newId }: { graph: Graph; agents: AgentsPort; newId(): string }) {
  return {
    GetVmConsoleLog: async ({ params }: Call): Promise<Row> => {
      const vm = need(graph, 'vmInstance', params['uuid'])
      const uuid = vm['uuid'] as string
      const agentUuid = agentOn(graph, (vm['hostUuid'] ?? vm['lastHostUuid']) as string | null, 'kvm')
      if (!agentUuid)
        throw new SkerryError('vm-illegal-state', `VM instance ${vm['name']} has run on no host that is there`, { uuid })
      const { search } = params as { search?: string }
      const input = { lines: params['lines'] ?? LINES, ...(search === undefined ? {} : { search }) }
      const waiting = { remainingMs: () => LOG_MS, progress: () => undefined }
      return agents.command(agentUuid, { id: `log_${newId()}`, noun: 'vm', uuid, verb: 'console-log', input }, waiting)
    },
  }
}
