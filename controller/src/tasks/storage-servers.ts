/** What the controller does for storage servers by itself: it lets agents in (and tells others what they ask), and looks whether the servers are there. */
import type { Bus } from '@skerry/bus'
import { type Row, SFTP_LOOK_MS } from '@skerry/contract'
import { answerAsks } from '../agents/asks.ts'
import { certificates } from '../agents/certificate-asks.ts'
import { ipsecKeys } from '../agents/ipsec-asks.ts'
import { sftpServers } from '../agents/sftp-asks.ts'
import type { State } from '../engine/state.ts'
import type { AgentsPort } from '../workflows/world.ts'
import { SftpWatch } from './sftp-watch.ts'

export interface StorageServerPorts {
  bus: Bus
  state: State
  agents: AgentsPort
  secrets: { get(id: string): Promise<string> }
  store: { status(): { writable: boolean } }
  newId(): string
  monotonic(): number
  every(ms: number, run: () => void): () => void
  report(error: unknown, facts: Row): void
}

/** Gives what ends it. */
export function storageServers(p: StorageServerPorts): () => void {
  const { state, agents, newId, monotonic, report } = p
  const asks = answerAsks({ bus: p.bus, graph: state.graph, secrets: p.secrets }, [sftpServers, ipsecKeys, certificates])
  const commit: SftpWatchCommit = (change) => state.commit(change, { actor: 'system' })
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const off = p.every(ms, () => {
        off()
        resolve()
      })
    })
  const watch = new SftpWatch({ graph: state.graph, agents, newId, monotonic, pause, report, commit })
  const off = p.every(SFTP_LOOK_MS, () => {
    if (p.store.status().writable) void watch.sweep()
  })
  return () => {
    off()
    asks.stop().catch((error) => report(error, { doing: 'ending answers to agents' }))
  }
}

type SftpWatchCommit = ConstructorParameters<typeof SftpWatch>[0]['commit']
