/**
 * Steps that give a volume another present file: an empty one over a file that it has. First the row says what is about to be, then the
 * agent makes it, and only the end of the job makes it the present one. Undone, it is taken out of the row and removed.
 */
import { besides, type Guard, type Op, type Row } from '@skerry/contract'
import type { Step } from '@skerry/workflow'
import { agentOn } from '../desired/agents-of.ts'
import { asItIs, needFiles, setVolume, volumeOf } from './volume.files.ts'
import type { Ctx, EndCtx, Input, World } from './world.ts'

export interface NextFile {
  volumeUuid(ctx: EndCtx): string
  file(ctx: EndCtx): string
  /** over which it is made */
  over(ctx: EndCtx): string
  vmStates?: readonly string[]
}

const without = (list: unknown, file: string) => ((list as string[] | undefined) ?? []).filter((one) => one !== file)
const working = (ctx: Ctx, o: NextFile): Readonly<Row> | undefined => {
  const volume = ctx.world.graph.get('volume', o.volumeUuid(ctx))
  return volume?.['filesJob'] === ctx.job ? volume : undefined
}

/** Marks the volume as worked on; `more` is committed with it, and taken back with it. */
export function markStep(
  o: NextFile,
  more: { do(ctx: Ctx, volume: Readonly<Row>): { ops: Op[]; guards: Guard[] }; undo(ctx: Ctx, volume: Readonly<Row>): Op[] },
): Step<Input, World> {
  return {
    name: 'mark',
    do: (ctx: Ctx) => {
      const { graph } = ctx.world
      if (working(ctx, o)) return {}
      const volume = needFiles(graph, o.volumeUuid(ctx), { job: ctx.job, ...(o.vmStates ? { vmStates: o.vmStates } : {}) })
      const { ops, guards } = more.do(ctx, volume)
      return {
        change: {
          guards: [asItIs(graph, volume['uuid'] as string), ...guards],
          ops: [setVolume(volume, { filesJob: ctx.job }), ...ops],
        },
      }
    },
    undo: (ctx: Ctx) => {
      const volume = working(ctx, o)
      if (!volume) return {}
      const agent = agentOn(ctx.world.graph, volume['localHostUuid'] as string | null, 'storage')
      // An agent that is away removes the file when it is back.
      const drop = agent && ctx.world.agents.alive(agent) ? without(volume['drop'], o.file(ctx)) : (volume['drop'] ?? [])
      return { change: { ops: [setVolume(volume, { filesJob: null, drop }), ...more.undo(ctx, volume)] } }
    },
  }
}

export function nextFileSteps(o: NextFile): Step<Input, World>[] {
  return [
    {
      name: 'clean-up',
      do: () => ({}),
      // After the row says that the file is not wanted any more.
      undo: async (ctx: Ctx) => {
        const volume = working(ctx, o)
        const agent = volume && agentOn(ctx.world.graph, volume['localHostUuid'] as string | null, 'storage')
        if (agent && ctx.world.agents.alive(agent)) await ctx.world.agents.converge([`volume/${o.volumeUuid(ctx)}`], ctx)
      },
    },
    {
      name: 'announce',
      do: (ctx: Ctx) => ({
        change: {
          guards: [{ g: 'field', t: 'volume', k: o.volumeUuid(ctx), field: 'filesJob', in: [ctx.job] }],
          ops: [setVolume(volumeOf(ctx, o.volumeUuid(ctx)), { next: { file: o.file(ctx), over: o.over(ctx) } })],
        },
      }),
      undo: (ctx: Ctx) => {
        const volume = working(ctx, o)
        if (!volume?.['next']) return {}
        const drop = [...without(volume['drop'], o.file(ctx)), o.file(ctx)]
        return { change: { ops: [setVolume(volume, { next: null, drop })] } }
      },
    },
    {
      name: 'make-file',
      do: async (ctx: Ctx) => void (await ctx.world.agents.converge([`volume/${o.volumeUuid(ctx)}`], ctx)),
      noUndo: 'a file that is not announced any more is removed',
    },
  ]
}

/** The end: the file that was made is the present one. `drop`: what is not needed from now on. */
export const becomePresent = (ctx: EndCtx, o: NextFile, v: Row, drop: readonly string[] = []) => {
  const volume = volumeOf(ctx, o.volumeUuid(ctx))
  const installPath = besides(volume['installPath'] as string, o.file(ctx))
  return setVolume(volume, { installPath, next: null, filesJob: null, drop: [...drop], lastOpDate: ctx.world.now(), ...v })
}
