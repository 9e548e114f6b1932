/** Uploads of a controller: what takes their bytes, and what looks after those that nobody goes on with. */
import type { Row } from '@skerry/contract'
import type { Agents } from '../agents/agents-port.ts'
import { consoleSecretOf } from '../calls/consoles.ts'
import type { ControllerPorts } from '../controller.ts'
import type { ControllerEngine } from '../engine/engine.ts'
import { sweepUploads } from './sweep.ts'
import { ImageUploads, type UploadsPorts } from './uploads.ts'

type Ports = Pick<ControllerPorts, 'bus' | 'timers' | 'newId' | 'monotonic' | 'siteKey'>

interface Parts {
  agents: Agents
  engine: Pick<ControllerEngine, 'graph' | 'accept' | 'busy'>
}

const portsOf = ({ bus, timers, newId, monotonic, siteKey }: Ports, { agents, engine }: Parts): UploadsPorts => ({
  ...{ bus, timers, newId, monotonic, agents, graph: engine.graph, consoleSecret: consoleSecretOf(siteKey) },
  accept: (call) => engine.accept(call),
  busy: (uuid) => engine.busy(uuid),
})

export const imageUploads = (p: Ports, parts: Parts): ImageUploads => new ImageUploads(portsOf(p, parts))

const LOOK_MS = 60_000

/** The function it gives ends it. */
export function tendUploads(
  p: Ports & Pick<ControllerPorts, 'every' | 'store'> & Parts & { report(error: unknown, facts: Row): void },
): () => void {
  const ports = portsOf(p, p)
  return p.every(LOOK_MS, () => {
    if (p.store.status().writable) void sweepUploads({ ...ports, report: p.report })
  })
}
