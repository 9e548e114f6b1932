/** Storage servers: a folder on any machine with a stock sshd. Which agent goes there is chosen each time; who answers first is believed. */
import { type Row, SFTP, SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { bringAgents } from '../deploy/bring.ts'
import { agentFor } from '../place/sftp-agent.ts'
import { input } from './input.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, baseRow, type CheckInput, type Ctx, type Input, need, type World } from './world.ts'

const capacity = { totalBytes: z.number(), availableBytes: z.number() }
export const answer = z.object({ hostKey: z.string(), ...capacity })
export type Answer = z.infer<typeof answer>

export const isSftp = (row: Readonly<Row> | undefined) => row?.['type'] === SFTP
const rowOf = (ctx: Ctx) => ctx.world.graph.get('backupStorage', ctx.input.uuid) as Row | undefined

async function command(ctx: Ctx, verb: 'connect' | 'forget'): Promise<Row> {
  const { graph, agents } = ctx.world
  const row = need(graph, 'backupStorage', ctx.input.uuid)
  const agent = agentFor(graph, row, (uuid) => agents.alive(uuid))
  const asked = { id: `${ctx.commandId}_${verb}`, noun: 'storage', uuid: ctx.input.uuid, verb, input: { path: row['url'] } }
  return agents.command(agent, asked, ctx)
}

const AWAY = ['storage-unreachable', 'storage-login-failed', 'storage-host-key', 'agent-absent']

/** Where nobody gets in now nobody could write before, unless it is known that somebody did: then there is nothing to take back. */
export function unlessAway(error: unknown, wasThere: boolean): void {
  if (wasThere || !(error instanceof SkerryError) || !AWAY.includes(error.code)) throw error
}

export async function connectSftp(ctx: Ctx): Promise<{ output: Answer }> {
  return { output: answer.parse(await command(ctx, 'connect')) }
}

/** The server answered: it is the one from now on, and has so much room. */
export function connectedOps(row: Readonly<Row>, { hostKey, totalBytes, availableBytes }: Answer) {
  const k = row['uuid'] as string
  const delta = (field: string, value: number) => ({
    ...{ o: 'add' as const, t: 'backupStorage', k, field },
    delta: value - (row[field] as number),
  })
  return [
    { o: 'set' as const, t: 'backupStorage', k, v: { status: 'Connected', hostKey, disconnectCause: null } },
    delta('totalCapacity', totalBytes),
    delta('availableCapacity', availableBytes),
  ]
}

export const backupStorageAddSftp: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'backupStorage.addSftp',
    version: 1,
    input,
    steps: [
      {
        name: 'create',
        do: async (ctx: Ctx) => {
          const p = ctx.input.params
          if (rowOf(ctx)) return {}
          await bringAgents(ctx, p['hostname'] as string, 'storage')
          const row: Row = {
            ...baseRow(ctx),
            ...{ url: p['url'], type: SFTP, state: 'Enabled', status: 'Connecting', totalCapacity: 0, availableCapacity: 0 },
            ...{ attachedZoneUuids: [], hostname: p['hostname'], username: p['username'], sshPort: p['sshPort'] ?? 22 },
            ...{ password: p['password'], agentUuid: null, hostKey: null, disconnectCause: null },
          }
          return {
            change: {
              guards: [{ g: 'absent', t: 'backupStorage', k: ctx.input.uuid }],
              ops: [{ o: 'put', t: 'backupStorage', k: ctx.input.uuid, v: row }],
              facts: [{ noun: 'backupStorage', uuid: ctx.input.uuid, event: 'created' }],
            },
          }
        },
        undo: (ctx: Ctx) =>
          rowOf(ctx) ? { change: { ops: [{ o: 'del' as const, t: 'backupStorage', k: ctx.input.uuid }] } } : {},
      },
      {
        name: 'connect',
        output: answer,
        do: connectSftp,
        undo: async (ctx: Ctx) => {
          if (!rowOf(ctx)) return
          await command(ctx, 'forget').catch((error) => unlessAway(error, ctx.outputs['connect'] !== undefined))
        },
      },
      {
        name: 'record',
        do: (ctx: Ctx) => ({ change: { ops: connectedOps(rowOf(ctx)!, ctx.outputs['connect'] as Answer) } }),
        noUndo: 'removing the row takes it along',
      },
    ],
  }),
  check(i: CheckInput) {
    if (i.graph.get('backupStorage', i.uuid))
      throw new SkerryError('duplicate-uuid', `a backup storage with uuid ${i.uuid} exists`, { uuid: i.uuid })
    const { hostname, url, sshPort } = i.params
    for (const key of i.graph.by('backupStorage', 'hostname', hostname)) {
      const other = i.graph.get('backupStorage', key)!
      if (isSftp(other) && other['url'] === url && other['sshPort'] === (sshPort ?? 22))
        throw new SkerryError('invalid-argument', `backup storage ${other['name']} has this folder already`, {
          backupStorageUuid: key,
        })
    }
  },
}

/** A folder that holds no image can be added again by anybody; one with images stays as it is (agent-storage/DECISIONS.md). */
export const giveBackFolder: Step<Input, World> = {
  name: 'give-back',
  when: (ctx: Ctx) => isSftp(rowOf(ctx)),
  output: z.object({ removed: z.boolean() }),
  do: async (ctx: Ctx) => {
    const before = (ctx.outputs['give-back'] as { removed: boolean } | undefined)?.removed ?? false
    try {
      return { output: { removed: before || (await command(ctx, 'forget'))['removed'] === true } }
    } catch (error) {
      unlessAway(error, false)
      return { output: { removed: before } }
    }
  },
  undo: async (ctx: Ctx) => void (rowOf(ctx) && (await command(ctx, 'connect').catch((error) => unlessAway(error, false)))),
}

/** Who names a server anew says that whoever answers there is to be believed. */
export const backupStorageUpdateSftp: Action = resourceUpdating('backupStorage.updateSftp', {
  also: (params) => (params['hostname'] === undefined ? {} : { hostKey: null }),
  check: ({ graph, uuid }) => needSftp(graph, uuid),
})

function needSftp(graph: CheckInput['graph'], uuid: string): void {
  const row = need(graph, 'backupStorage', uuid)
  if (!isSftp(row))
    throw new SkerryError('invalid-argument', `backup storage ${row['name']} is of type ${row['type']}`, {
      uuid,
      type: row['type'],
    })
}
