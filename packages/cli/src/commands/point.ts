/** `skerry agent point`: run on each host after the controller has moved; agents keep their credentials. */
import { pointAgent } from '@skerry/agent'
import { SkerryError } from '@skerry/contract'
import { files } from '@skerry/host'
import type { Io } from '../io.ts'
import { table } from '../output.ts'
import { stateDirOf } from './backup.ts'

export interface PointOptions {
  nats: string[]
  ca?: string
  stateDir?: string
}

/** Folders with an enrolled agent: the given one, those of a site's `agents`, or those of agents that stand alone beside it. */
async function agentsIn(folder: string): Promise<string[]> {
  const disk = files()
  const below = async (path: string) => ((await disk.list(path)) ?? []).map((name) => `${path}/${name}`)
  const candidates = [folder, ...(await below(folder)), ...(await below(`${folder}/agents`))]
  const has = await Promise.all(candidates.map((path) => disk.stat(`${path}/identity.json`)))
  return candidates.filter((_, i) => has[i] !== undefined)
}

export async function point(io: Io, o: PointOptions): Promise<void> {
  const folder = stateDirOf(io, o)
  const ca = o.ca ? await io.readFile(o.ca) : undefined
  const found = await agentsIn(folder)
  if (found.length === 0) throw new SkerryError('not-found', `no agent is enrolled below ${folder}`, { path: folder })
  const rows = []
  for (const path of found) {
    const { kind, uuid, before } = await pointAgent(files(), path, { servers: o.nats, ca })
    rows.push({ agent: `agent-${kind}`, uuid, from: before.join(','), to: o.nats.join(',') })
  }
  io.out(table(['agent', 'uuid', 'from', 'to'], rows))
  io.out('restart the agents: guests run on (systemctl restart "skerry-agent-*", or scripts/up)')
}
