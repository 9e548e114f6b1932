/** What a guest is told by tags of its VM, changed by calls of its own: the host name, and the SSH key; and what it may say. */
import { type Change, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow, type Step } from '@skerry/workflow'
import { z } from 'zod'
import { nicsOfVm } from '../desired/security-members.ts'
import { checkNewTag, checkSystemTag, resourceTypeOf, tagRow } from '../engine/tags.ts'
import { input } from './input.ts'
import { tellHosts } from './security.change.ts'
import { type Action, type CheckInput, type Ctx, derivedId, type Input, need, type World } from './world.ts'

interface Kind {
  /** how its tags begin */
  prefix: 'hostname::' | 'sshkey::' | 'cleanTraffic::'
  /** parameter with the new value; undefined: they only go. `false` is said by no tag */
  parameter?: 'hostname' | 'SshKey' | 'enable'
  /** documents that must be in force when the job ends */
  told?(ctx: Ctx): string[]
}

const held = z.object({ tags: z.array(z.record(z.string(), z.unknown())) })
const heldOf = (ctx: Ctx) => (ctx.outputs['look'] as z.infer<typeof held>).tags
const newTag = (ctx: Ctx) => derivedId(ctx, 'tag')

const tagsWith = ({ graph, uuid }: Pick<CheckInput, 'graph' | 'uuid'>, prefix: string): Readonly<Row>[] =>
  [...graph.by('tag', 'resourceUuid', uuid)]
    .map((key) => graph.get('tag', key)!)
    .filter((row) => row['type'] === 'System' && (row['tag'] as string).startsWith(prefix))

const textOf = ({ prefix, parameter }: Kind, params: Row) =>
  parameter === undefined || params[parameter] === false ? undefined : `${prefix}${String(params[parameter]).trim()}`

/** Throws `invalid-argument` where no guest could use it. */
function checkText(tag: string, field: string): void {
  try {
    checkSystemTag('vmInstance', tag, field)
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    throw new SkerryError(error.code, `invalid field[${field}]: ${error.message}`, { ...error.details, field }, { cause: error })
  }
}

function check(kind: Kind, { graph, params, uuid }: Pick<CheckInput, 'graph' | 'params' | 'uuid'>): void {
  need(graph, 'vmInstance', uuid)
  const tag = textOf(kind, params)
  if (tag === undefined) return
  checkText(tag, kind.parameter!)
  // The same again is no second one: it takes the place of what was there.
  const same = tagsWith({ graph, uuid }, tag).find((row) => row['tag'] === tag)
  checkNewTag(graph, { resourceUuid: uuid, kind: 'System', tag, ...(same ? { except: same['uuid'] as string } : {}) })
}

const look = ({ prefix }: Kind): Step<Input, World> => ({
  name: 'look',
  output: held,
  noUndo: 'it only looks',
  do: (ctx: Ctx) => ({
    output: ctx.outputs['look'] ?? { tags: tagsWith({ graph: ctx.world.graph, uuid: ctx.input.uuid }, prefix) },
  }),
})

function replace(kind: Kind, ctx: Ctx): { change?: Change } {
  const { graph, now } = ctx.world
  const { uuid: vm, params } = ctx.input
  if (graph.get('tag', newTag(ctx))) return {}
  const tag = textOf(kind, params)
  const put =
    tag === undefined
      ? []
      : [tagRow({ uuid: newTag(ctx), resourceUuid: vm, resourceType: resourceTypeOf('vmInstance'), tag, kind: 'System' }, now())]
  const old = heldOf(ctx).filter((row) => graph.get('tag', row['uuid'] as string))
  return {
    change: {
      guards: [{ g: 'exists', t: 'vmInstance', k: vm }],
      ops: [...old.map((row) => ({ o: 'del' as const, t: 'tag', k: row['uuid'] as string })), ...put],
      facts: [{ noun: 'vmInstance', uuid: vm, event: 'updated' }],
    },
  }
}

const action = (name: string, kind: Kind): Action => ({
  workflow: defineWorkflow<Input, World>({
    name,
    version: 1,
    input,
    steps: [
      look(kind),
      {
        name: 'replace',
        do: (ctx: Ctx) => replace(kind, ctx),
        undo: (ctx: Ctx) => {
          const { graph } = ctx.world
          if (!graph.get('vmInstance', ctx.input.uuid)) return {}
          const made = graph.get('tag', newTag(ctx)) ? [{ o: 'del' as const, t: 'tag', k: newTag(ctx) }] : []
          const back = heldOf(ctx)
            .filter((row) => !graph.get('tag', row['uuid'] as string))
            .map((v) => ({ o: 'put' as const, t: 'tag', k: v['uuid'] as string, v }))
          return { change: { ops: [...made, ...back] } }
        },
      },
      ...(kind.told ? [tellHosts(kind.told)] : []),
    ],
  }),
  check: (i) => check(kind, i),
})

export const vmGuestTags: readonly Action[] = [
  action('vm.setHostname', { prefix: 'hostname::', parameter: 'hostname' }),
  action('vm.deleteHostname', { prefix: 'hostname::' }),
  action('vm.setSshKey', { prefix: 'sshkey::', parameter: 'SshKey' }),
  action('vm.deleteSshKey', { prefix: 'sshkey::' }),
  action('vm.setCleanTraffic', {
    prefix: 'cleanTraffic::',
    parameter: 'enable',
    told: ({ world: { graph }, input: { uuid } }) => nicsOfVm(graph, uuid).map((nic) => `nicSecurity/${nic}`),
  }),
]
