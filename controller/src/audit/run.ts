/** Asks every agent what its host holds, and compares. Changes nothing. */
import type { Bus } from '@skerry/bus'
import { inventoryReply, subjects, toErrorBody } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { kindOf } from '../agents/documents.ts'
import type { AuditDifference, Auditor } from '../http/ports.ts'
import { compareAddresses, compareCounters, compareHost } from './compare.ts'
import { expectedOn } from './expect.ts'

const TIMEOUT_MS = 30_000

export function auditor(bus: Bus, graph: Graph): Auditor {
  return {
    async hosts() {
      const agents = [...graph.rows('agent')].map(([uuid]) => uuid)
      const parts = await Promise.all(agents.map((uuid) => auditAgent(bus, graph, uuid)))
      const pending = pendingTombstones(graph)
      const differences = [
        ...parts.flatMap((p) => p.differences),
        ...pending,
        ...compareCounters(graph),
        ...compareAddresses(graph),
      ]
      return { differences, checked: parts.reduce((n, p) => n + p.checked, 0) }
    },
  }
}

async function auditAgent(
  bus: Bus,
  graph: Graph,
  agentUuid: string,
): Promise<{ differences: AuditDifference[]; checked: number }> {
  const kind = kindOf(graph, agentUuid)!
  const agent = graph.get('agent', agentUuid)!
  const host = `${agent['hostUuid'] ? graph.get('host', agent['hostUuid'] as string)?.['name'] : agent['managementIp']} (${kind})`
  const expected = expectedOn(graph, agentUuid)
  try {
    const reply = await bus.request(subjects.do(kind, agentUuid, 'agent', agentUuid, 'inventory'), {}, { timeoutMs: TIMEOUT_MS })
    const { items } = inventoryReply.parse(reply.data)
    const macs = new Set([...graph.rows('vmNic')].map(([, nic]) => nic['mac'] as string))
    const orphans = new Set([...graph.rows('orphan')].map(([, orphan]) => orphan['ownUuid'] as string))
    const volumes = new Set([...graph.rows('volume')].map(([k]) => k))
    return {
      differences: compareHost({ host, expected, observed: items, knownMacs: macs, orphans, volumes }),
      checked: Math.max(expected.length, items.length),
    }
  } catch (error) {
    const { message, code } = toErrorBody(error)
    return {
      differences: [
        {
          host,
          kind: 'agent',
          id: agentUuid,
          expected: 'answers',
          observed: `${code}: ${message}`,
          remedy: 'start its agent, then audit again',
        },
      ],
      checked: 0,
    }
  }
}

/** Deletions that an agent has not carried out yet. */
function pendingTombstones(graph: Graph): AuditDifference[] {
  const found: AuditDifference[] = []
  for (const [key, row] of graph.rows('desired')) {
    if (row['tombstone'])
      found.push({
        host: String(row['agentUuid']),
        kind: row['noun'] as string,
        id: key,
        expected: 'removed',
        observed: 'its removal is still waiting for the agent',
        remedy: "wait, or look at the agent's log",
      })
  }
  return found
}
