/** What the graph itself says to be wrong: agents, hosts, VMs, jobs. Pure. */
import { type ErrorBody, type Row, SFTP, SKERRY_VERSION } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { AgentBook } from '../agents/book.ts'
import { called, type Finding, nameOf } from './finding.ts'

/** Heartbeats may wait somewhere for a moment: less than this is no wrong clock. */
export const CLOCK_DIFFERS_MS = 10_000

/** `removals`: how many tombstones wait for this agent. */
export function agentFindings(graph: Graph, book: AgentBook, uuid: string, removals: number): Finding[] {
  const agent = graph.get('agent', uuid)
  if (!agent) return []
  const host = nameOf(graph, 'host', agent['hostUuid'])
  const where = `agent-${agent['kind']} on ${host ? `host ${host}` : agent['managementIp']}`
  const facts = { kind: agent['kind'], host, hostUuid: agent['hostUuid'], managementIp: agent['managementIp'] }
  const about = { noun: 'agent', uuid, name: (agent['name'] as string | undefined) ?? null, related: [agent['hostUuid']] }
  const found: Finding[] = []
  const say = (code: Finding['code'], message: string, details: Row = {}) =>
    found.push({ ...about, code, message, details: { ...facts, ...details } })
  const away = agent['status'] === 'Disconnected'
  if (away) say('agent-disconnected', `${where} is silent`)
  if (away && removals > 0)
    say('removal-waiting', `${removals} deleted resources wait for ${where} to come back`, { count: removals })
  if (agent['version'] !== SKERRY_VERSION)
    say('agent-version-differs', `${where} is of version ${agent['version']}, the controller of ${SKERRY_VERSION}`, {
      ...{ agentVersion: agent['version'], controllerVersion: SKERRY_VERSION },
    })
  const [rotation] = away ? graph.by('keyRotation', 'state', 'Running') : []
  if (rotation && (graph.get('keyRotation', rotation)!['pending'] as string[]).includes(uuid))
    say('rotation-waiting', `the rotation of keys ${rotation} waits for ${where}, which is silent`, { keyRotationUuid: rotation })
  const unmet = graph.get('reunion', uuid)
  if (unmet) {
    const backup = new Date(unmet['backupAt'] as number).toISOString()
    say('agent-unmet', `a backup of ${backup} was restored, and ${where} has not been heard since`, { backupAt: backup })
  }
  const blind = away ? [] : (book.lastHeartbeat(uuid)?.blind ?? [])
  if (blind.length > 0) {
    const what = blind.map(({ noun, error }) => `${noun}: ${(error as unknown as ErrorBody).message}`).join('; ')
    say('agent-blind', `${where} cannot see what is on its host: ${what}`, { blind })
  }
  const offsetMs = book.clockOffsetMs(uuid)
  if (!away && offsetMs !== undefined && Math.abs(offsetMs) > CLOCK_DIFFERS_MS)
    say('agent-clock-differs', `the clock of ${where} is ${offsetText(offsetMs)} the controller's`, {
      offsetMs: Math.round(offsetMs),
    })
  return found
}

const offsetText = (ms: number) => `${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? 'ahead of' : 'behind'}`

/** A storage server that was found to be out of reach, or not to be used any more. */
export function serverFindings(graph: Graph, uuid: string): Finding[] {
  const storage = graph.get('backupStorage', uuid)
  if (storage?.['type'] !== SFTP || storage['status'] !== 'Disconnected') return []
  const name = nameOf(graph, 'backupStorage', uuid)
  const cause = storage['disconnectCause'] as ErrorBody | null
  const where = `${storage['hostname']}:${storage['sshPort']}`
  return [
    {
      ...{ code: 'storage-server-away', noun: 'backup-storage', uuid, name, related: [] },
      message: `${called('backup-storage', name, uuid)} (${where}) cannot be used: ${cause?.message ?? 'unknown'}`,
      details: { hostname: storage['hostname'], port: storage['sshPort'], cause },
    },
  ]
}

export function hostFindings(graph: Graph, uuid: string): Finding[] {
  const host = graph.get('host', uuid)
  if (host?.['status'] !== 'Disconnected') return []
  const name = nameOf(graph, 'host', uuid)
  const cause = host['disconnectCause'] ?? 'unknown'
  return [
    {
      ...{ code: 'host-disconnected', noun: 'host', uuid, name },
      message: `host ${name ?? uuid} (${host['managementIp']}) is out of sight: ${cause}`,
      details: { managementIp: host['managementIp'], cause },
    },
  ]
}

/** Why a guest is off that nobody stopped through us; its own decision (`guest`) and its host's boot (`host`) are nothing wrong. */
const WRONG_ENDS: Readonly<Record<string, { code: Finding['code']; what: string }>> = {
  crash: { code: 'vm-crashed', what: 'crashed' },
  panicked: { code: 'vm-crashed', what: 'panicked and is off' },
  failed: { code: 'vm-crashed', what: 'failed: its qemu ended with an error' },
  destroyed: { code: 'vm-ended', what: 'was destroyed by hand' },
  saved: { code: 'vm-ended', what: 'was saved to disk by hand' },
  migrated: { code: 'vm-ended', what: 'was migrated away by hand' },
  unknown: { code: 'vm-ended', what: 'is off, and libvirt does not say why' },
}

export function vmFindings(graph: Graph, uuid: string): Finding[] {
  const vm = graph.get('vmInstance', uuid)
  if (!vm) return []
  const hostUuid = vm['hostUuid'] ?? vm['lastHostUuid']
  const host = nameOf(graph, 'host', hostUuid)
  const name = nameOf(graph, 'vmInstance', uuid)
  const about = { noun: 'vm', uuid, name, related: [hostUuid] }
  const on = host ? ` on host ${host}` : ''
  const details = { host, hostUuid, state: vm['state'], stateCause: vm['stateCause'] ?? null }
  const cause = vm['stateCause'] ? `: ${vm['stateCause']}` : ''
  const say = (code: Finding['code'], message: string): Finding[] => [{ ...about, code, message: `${message}${cause}`, details }]
  switch (vm['state']) {
    case 'Unknown':
    case 'NoState':
      return say('vm-unknown', `the state of ${called('vm', name, uuid)}${on} is not known`)
    case 'Crashed':
      return say('vm-crashed', `${called('vm', name, uuid)}${on} crashed; what is left of it is as it was`)
    case 'Paused':
      // By order, or by order as its host told it.
      if ([null, undefined, 'api'].includes(vm['stateCause'] as string | null | undefined)) return []
      return say('vm-paused', `${called('vm', name, uuid)}${on} is paused, and not by Skerry`)
  }
  const end = vm['state'] === 'Stopped' ? WRONG_ENDS[String(vm['stateCause'])] : undefined
  return end ? [{ ...about, code: end.code, message: `${called('vm', name, uuid)}${on} ${end.what}`, details }] : []
}

/** One for each whole thing: the parts of an orphaned VM go with it. */
export function orphanFindings(graph: Graph, uuid: string): Finding[] {
  const orphan = graph.get('orphan', uuid)
  // A VM that somebody made without us is nothing wrong.
  if (!orphan || orphan['partOfUuid'] || orphan['outside'] === true) return []
  const host = nameOf(graph, 'host', orphan['hostUuid'])
  const name = nameOf(graph, 'orphan', uuid)
  const { noun, ownUuid, agentUuid, hostUuid, ips, paths, adoptable } = orphan
  const what = `${noun} ${name ?? ownUuid} (${ownUuid})${host ? ` on host ${host}` : ''}`
  return [
    {
      ...{ code: 'orphan-found', noun: 'orphan', uuid, name, related: [ownUuid, hostUuid, agentUuid] },
      message: `${what} carries our mark, but nothing here knows of it; it is left as it is`,
      details: { noun, ownUuid, host, hostUuid, agentUuid, ips, paths, adoptable },
    },
  ]
}

export function jobFindings(graph: Graph, uuid: string): Finding[] {
  const job = graph.get('job', uuid)
  if (job?.['state'] !== 'stuck') return []
  const error = job['error'] as unknown as ErrorBody | null
  const code = error?.code === 'upgrade-stuck' ? 'job-stuck-upgrade' : 'job-stuck'
  return [
    {
      ...{ code, noun: 'job', uuid, name: null, related: [job['resourceUuid']] },
      message: `job ${uuid} (${job['api']}) is stuck at step ${job['step']}: ${error?.message ?? 'no error was recorded'}`,
      details: { job: uuid, api: job['api'], step: job['step'], resourceUuid: job['resourceUuid'], ...(error ? { error } : {}) },
    },
  ]
}

/** A plugin that is switched off is nobody's trouble any more. */
export function pluginFindings(graph: Graph, uuid: string): Finding[] {
  const row = graph.get('plugin', uuid)
  if (row?.['status'] !== 'Degraded' || row['state'] !== 'Enabled') return []
  const [name, cause] = [row['name'] as string, row['cause'] as string]
  return [{ code: 'plugin-degraded', noun: 'plugin', uuid, name, message: `plugin ${name} fails: ${cause}`, details: { cause } }]
}
