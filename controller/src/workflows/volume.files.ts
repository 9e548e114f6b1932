/**
 * The files that a volume with snapshots consists of, as its row says: the present one, those of its snapshots, one that is about to
 * become the present one, and those that are to go. A job that works on them says so in the row (`filesJob`): one at a time does.
 */
import { besides, fileNameOf, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import { VM_STATES } from './volume.attach.ts'
import { needIdleFiles } from './volume.rows.ts'
import { type AgentCommand, type Ctx, type EndCtx, need } from './world.ts'

/** The volume, if its files may be worked on: it has some, and nobody else does. */
export function needFiles(
  graph: Graph,
  uuid: unknown,
  { job, vmStates = VM_STATES }: { job?: string; vmStates?: readonly string[] } = {},
): Row {
  const volume = need(graph, 'volume', uuid)
  const where = { uuid, state: volume['status'], allowed: ['Ready'] }
  if (volume['status'] !== 'Ready')
    throw new SkerryError('illegal-state', `volume ${volume['name']} is ${volume['status']}, it must be Ready`, where)
  if (volume['placingJob'] || volume['detaching'])
    throw new SkerryError('in-use', `volume ${volume['name']} is coming to a VM instance or leaving it`, { uuid })
  needIdleFiles(volume, job)
  const vm = holder(graph, volume)
  if (vm && !vmStates.includes(vm['state'] as string))
    throw new SkerryError(
      'vm-illegal-state',
      `VM instance ${vm['name']} is ${vm['state']}: the files of its volume ${volume['name']} can be worked on when it is ${vmStates.join(', ')}`,
      { uuid: vm['uuid'], state: vm['state'], allowed: vmStates },
    )
  return volume
}

export function needEnabledVolume(volume: Readonly<Row>): void {
  if (volume['state'] !== 'Enabled')
    throw new SkerryError('illegal-state', `volume ${volume['name']} is ${volume['state']}, it must be Enabled`, {
      uuid: volume['uuid'],
      state: volume['state'],
      allowed: ['Enabled'],
    })
}

/** The VM that it is attached to. */
export const holder = (graph: Graph, volume: Readonly<Row>): Readonly<Row> | undefined =>
  graph.get('vmInstance', (volume['vmInstanceUuid'] as string | null) ?? '')

/** It is as it was looked at: a change that was decided from it fits. */
export const asItIs = (graph: Graph, uuid: string) => ({
  g: 'version' as const,
  t: 'volume',
  k: uuid,
  seq: graph.version('volume', uuid)!,
})

export const presentFile = (volume: Readonly<Row>): string => fileNameOf(volume['installPath'] as string)
export const pathOfFile = (volume: Readonly<Row>, file: string): string => besides(volume['installPath'] as string, file)
export const setVolume = (volume: Readonly<Row>, v: Row): Op => ({ o: 'set', t: 'volume', k: volume['uuid'] as string, v })

/** Where its files lie, as commands say it. */
export function poolOf(graph: Graph, volume: Readonly<Row>): { poolUuid: string; poolPath: string } {
  const poolUuid = volume['primaryStorageUuid'] as string
  return { poolUuid, poolPath: need(graph, 'primaryStorage', poolUuid)['url'] as string }
}

/** Takes room on its storage (a negative number of bytes gives it back), without asking whether there is any. */
export function roomOps(volume: Readonly<Row>, bytes: number): Op[] {
  if (bytes === 0) return []
  const k = volume['primaryStorageUuid'] as string
  return [
    { o: 'add', t: 'localStorageHost', k: `${k}:${volume['localHostUuid']}`, field: 'availableCapacity', delta: -bytes },
    { o: 'add', t: 'primaryStorage', k, field: 'availableCapacity', delta: -bytes },
  ]
}

type Say = Pick<AgentCommand, 'verb' | 'input'> & { id?: string }

/** A command to the agent that holds its files. */
export function toStorage(ctx: Ctx, volume: Readonly<Row>, { verb, input, id }: Say): Promise<Row> {
  const { graph, agents } = ctx.world
  const agent = agentOn(graph, volume['localHostUuid'] as string | null, 'storage')
  if (!agent) throw noAgent('storage', volume)
  const command = { id: id ?? ctx.commandId, noun: 'volume', uuid: volume['uuid'] as string, verb }
  return agents.command(agent, { ...command, input: { ...poolOf(graph, volume), ...input } }, ctx)
}

/** A command to the agent that runs its VM. */
export function toGuest(ctx: Ctx, volume: Readonly<Row>, { verb, input }: Say): Promise<Row> {
  const { graph, agents } = ctx.world
  const vm = need(graph, 'vmInstance', volume['vmInstanceUuid'])
  const agent = agentOn(graph, (vm['hostUuid'] ?? vm['lastHostUuid']) as string | null, 'kvm')
  if (!agent) throw noAgent('kvm', volume)
  const command = { id: ctx.commandId, noun: 'vm', uuid: vm['uuid'] as string, verb }
  return agents.command(agent, { ...command, input: { volumeUuid: volume['uuid'], ...input } }, ctx)
}

const noAgent = (kind: string, volume: Readonly<Row>) =>
  new SkerryError('agent-absent', `no ${kind} agent answers for the host of volume ${volume['name']}`, { uuid: volume['uuid'] })

/** What a file takes on its disk, by the agent's answer. */
export function actualOf(answer: unknown, file: string): number | undefined {
  const files = (answer as { files?: { file: string; actualBytes: number }[] } | undefined)?.files ?? []
  return files.find((f) => f.file === file)?.actualBytes
}

/** Jobs about a volume wait their turn among those of the VM that has it. */
export function queueOfVolume(graph: Graph, volumeUuid: string): string {
  return (graph.get('volume', volumeUuid)?.['vmInstanceUuid'] as string | null | undefined) ?? volumeUuid
}

export const volumeOf = (ctx: EndCtx, uuid: string): Readonly<Row> => need(ctx.world.graph, 'volume', uuid)
