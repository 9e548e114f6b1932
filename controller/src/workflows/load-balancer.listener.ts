/** Listeners: ports of a load balancer, what they ask and what they lead to. */
import { balancerDesired, type Op, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { defineWorkflow } from '@skerry/workflow'
import { resourceTypeOf, tagRow } from '../engine/tags.ts'
import { input } from './input.ts'
import { balancerChange, needGroup, tellBalancers } from './load-balancer.change.ts'
import { ACL_REF, CERTIFICATE_REF, GROUP, GROUP_REF, LB, LISTENER, rowsBy } from './load-balancer.rows.ts'
import { changedSettings, settingsOf, tagsOf } from './load-balancer.settings.ts'
import { deletion } from './resource.delete.ts'
import { rowsStep } from './rows.step.ts'
import {
  type Action,
  baseRow,
  type CheckInput,
  type Ctx,
  derivedId,
  type Input,
  need,
  needEnabled,
  touch,
  type World,
} from './world.ts'

/** As ZStack's. */
const MAX_ACLS = 50

const stop = (code: 'in-use' | 'invalid-argument' | 'illegal-state' | 'not-found', message: string, details: Row) =>
  new SkerryError(code, message, details)

/** Ports of a load balancer are its listeners', each one's own. */
function checkListener({ graph, params }: Pick<CheckInput, 'graph' | 'params'>): void {
  const lb = needEnabled(graph, LB, params['loadBalancerUuid'])
  const all = rowsBy(graph, LISTENER, 'loadBalancerUuid', lb['uuid'])
  const taken = all.find((one) => one['loadBalancerPort'] === params['loadBalancerPort'])
  const about = { loadBalancerUuid: lb['uuid'], field: 'loadBalancerPort' }
  if (taken)
    throw stop(
      'in-use',
      `port ${params['loadBalancerPort']} of load balancer ${lb['name']} is that of listener ${taken['name']}`,
      {
        ...about,
        loadBalancerListenerUuid: taken['uuid'],
      },
    )
  if (all.length >= balancerDesired.MAX_LISTENERS)
    throw stop('illegal-state', `load balancer ${lb['name']} has ${all.length} listeners, the most there can be`, about)
  const certificate = params['certificateUuid']
  if (params['protocol'] === 'https' && certificate === undefined)
    throw stop('invalid-argument', 'a listener that speaks https needs a certificate', { field: 'certificateUuid' })
  if (params['protocol'] !== 'https' && certificate !== undefined)
    throw stop('invalid-argument', 'only a listener that speaks https has a certificate', { field: 'certificateUuid' })
  if (certificate !== undefined) need(graph, 'certificate', certificate)
  const acls = (params['aclUuids'] as string[] | undefined) ?? []
  for (const acl of acls) need(graph, 'accessControlList', acl)
  needAclRoom(graph, lb['uuid'], acls)
}

function needAclRoom(graph: Graph, lb: unknown, more: readonly string[]): void {
  const twice = more.find((acl, at) => more.indexOf(acl) !== at)
  if (twice) throw stop('invalid-argument', `list ${twice} is given twice`, { field: 'aclUuids' })
  const there = rowsBy(graph, LISTENER, 'loadBalancerUuid', lb).flatMap((one) =>
    rowsBy(graph, ACL_REF, 'listenerUuid', one['uuid']),
  )
  if (there.length + more.length > MAX_ACLS)
    throw stop('illegal-state', `the listeners of a load balancer have at most ${MAX_ACLS} lists of addresses`, {
      loadBalancerUuid: lb,
    })
}

const ref = (ctx: Ctx, t: string, fields: Row): Op => {
  const k = derivedId(ctx, `${t}/${Object.values(fields).join('/')}`)
  const now = ctx.world.now()
  return { o: 'put', t, k, v: { uuid: k, name: k, description: null, ...fields, createDate: now, lastOpDate: now } }
}

/** Tags that say it so. One that says something else of the same is changed. */
function settingOps(ctx: Ctx, listener: string): Op[] {
  const { graph, now } = ctx.world
  const tags = tagsOf(graph, listener)
  const changed = changedSettings(ctx.input.params, settingsOf(graph, listener))
  return Object.entries(changed).map(([name, value]): Op => {
    const tag = `${name}::${value}`
    const there = tags.get(name as keyof typeof changed)
    if (there) return touch(ctx, 'tag', there['uuid'] as string, { tag })
    const of = { resourceUuid: listener, resourceType: resourceTypeOf(LISTENER), kind: 'System' as const }
    return tagRow({ ...of, uuid: derivedId(ctx, `tag/${name}`), tag }, now())
  })
}

const listenerCreate: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'loadBalancerListener.create',
    version: 1,
    input,
    steps: [
      rowsStep('change', (ctx) => {
        const { params, uuid } = ctx.input
        if (ctx.outputs['change'] !== undefined) return { ops: [] }
        checkListener({ graph: ctx.world.graph, params })
        const { loadBalancerUuid, loadBalancerPort, instancePort = loadBalancerPort, protocol = 'tcp' } = params
        const policy = protocol === 'https' ? (params['securityPolicyType'] ?? 'tls_cipher_policy_default') : null
        const row = { ...baseRow(ctx), loadBalancerUuid, loadBalancerPort, instancePort, protocol }
        const type = params['aclType'] ?? 'black'
        const certificateUuid = params['certificateUuid'] as string | undefined
        return {
          guards: [{ g: 'exists', t: LB, k: loadBalancerUuid as string }],
          ops: [
            { o: 'put', t: LISTENER, k: uuid, v: { ...row, securityPolicyType: policy, serverGroupUuid: null } },
            ...(certificateUuid ? [ref(ctx, CERTIFICATE_REF, { listenerUuid: uuid, certificateUuid })] : []),
            ...((params['aclUuids'] as string[] | undefined) ?? []).map((aclUuid) =>
              ref(ctx, ACL_REF, { listenerUuid: uuid, aclUuid, type }),
            ),
            ...settingOps(ctx, uuid),
          ],
        }
      }),
      tellBalancers((ctx) => [ctx.input.params['loadBalancerUuid'] as string]),
    ],
  }),
  check(i) {
    if (i.graph.get(LISTENER, i.uuid))
      throw new SkerryError('duplicate-uuid', `a listener with uuid ${i.uuid} exists`, { uuid: i.uuid })
    checkListener(i)
    changedSettings(i.params, settingsOf(i.graph, i.uuid))
  },
  queueKey: (i) => i.params['loadBalancerUuid'] as string,
}

const change = balancerChange({
  workflow: 'loadBalancerListener.change',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    if (params['securityPolicyType'] !== undefined && listener['protocol'] !== 'https')
      throw stop('invalid-argument', 'only a listener that speaks https has a security policy', { field: 'securityPolicyType' })
    const next = { ...settingsOf(graph, uuid), ...changedSettings(params, settingsOf(graph, uuid)) }
    if (listener['protocol'] === 'tcp' && ['insert', 'rewrite'].includes(next.sessionPersistence))
      throw stop('invalid-argument', 'a listener that speaks tcp knows no cookies: its clients are kept by iphash', {
        field: 'sessionPersistence',
      })
  },
  ops: (ctx, listener) => [
    ...(ctx.input.params['securityPolicyType'] === undefined
      ? []
      : [touch(ctx, LISTENER, listener['uuid'] as string, { securityPolicyType: ctx.input.params['securityPolicyType'] })]),
    ...settingOps(ctx, listener['uuid'] as string),
  ],
})

const certificateRefs = (graph: Graph, listener: unknown) => rowsBy(graph, CERTIFICATE_REF, 'listenerUuid', listener)
const drop =
  (t: string) =>
  (row: Readonly<Row>): Op => ({ o: 'del', t, k: row['uuid'] as string })

const addCertificate = balancerChange({
  workflow: 'loadBalancerListener.addCertificate',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    need(graph, 'certificate', params['certificateUuid'])
    if (listener['protocol'] !== 'https')
      throw stop('invalid-argument', 'only a listener that speaks https has a certificate', { field: 'certificateUuid' })
    if (certificateRefs(graph, uuid).some((one) => one['certificateUuid'] === params['certificateUuid']))
      throw stop('in-use', `listener ${listener['name']} has this certificate already`, { uuid })
  },
  ops: (ctx, { uuid }) => [
    ...certificateRefs(ctx.world.graph, uuid).map(drop(CERTIFICATE_REF)),
    ref(ctx, CERTIFICATE_REF, { listenerUuid: uuid, certificateUuid: ctx.input.params['certificateUuid'] }),
  ],
})

/** The refs that a call names; throws where there is none. */
function named(graph: Graph, t: string, at: { listener: unknown; field: string; wanted: readonly unknown[] }): Readonly<Row>[] {
  const all = rowsBy(graph, t, 'listenerUuid', at.listener)
  return at.wanted.map((key) => {
    const found = all.find((one) => one[at.field] === key)
    if (found) return found
    throw stop('not-found', `the listener does not have ${key}`, { field: at.field, uuid: key })
  })
}
const namedBy = (t: string, field: string, param: string) => ({
  refs: (graph: Graph, listener: unknown, params: Row) => named(graph, t, { listener, field, wanted: [params[param]].flat() }),
})

function removing(workflow: string, t: string, at: { field: string; param: string; check?(group: Row): void }): Action {
  const { refs } = namedBy(t, at.field, at.param)
  return balancerChange({
    workflow,
    check({ graph, uuid, params }) {
      for (const row of refs(graph, uuid, params)) if (t === GROUP_REF) at.check?.(need(graph, GROUP, row['serverGroupUuid']))
    },
    ops: (ctx, { uuid }) => refs(ctx.world.graph, uuid, ctx.input.params).map(drop(t)),
  })
}

/** The group that a listener has for itself goes with it, and by no call. */
export function needShared(group: Row): void {
  if (group['listenerUuid'])
    throw stop('illegal-state', `server group ${group['name']} is the own one of a listener: it goes with that`, {
      ...{ serverGroupUuid: group['uuid'], listenerUuid: group['listenerUuid'] },
    })
}

const addGroup = balancerChange({
  workflow: 'loadBalancerListener.addGroup',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    needShared(needGroup(graph, params['serverGroupUuid'], listener['loadBalancerUuid']))
    const there = rowsBy(graph, GROUP_REF, 'listenerUuid', uuid)
    if (there.some((one) => one['serverGroupUuid'] === params['serverGroupUuid']))
      throw stop('in-use', `listener ${listener['name']} leads to this server group already`, { uuid })
  },
  ops: (ctx, { uuid }) => [ref(ctx, GROUP_REF, { listenerUuid: uuid, serverGroupUuid: ctx.input.params['serverGroupUuid'] })],
})

const addAcls = balancerChange({
  workflow: 'loadBalancerListener.addAcls',
  check({ graph, uuid, params }) {
    const listener = need(graph, LISTENER, uuid)
    const acls = params['aclUuids'] as string[]
    for (const acl of acls) need(graph, 'accessControlList', acl)
    needAclRoom(graph, listener['loadBalancerUuid'], acls)
    const there = rowsBy(graph, ACL_REF, 'listenerUuid', uuid)
    const known = there.find((one) => acls.includes(one['aclUuid'] as string))
    if (known) throw stop('in-use', `listener ${listener['name']} asks list ${known['aclUuid']} already`, { uuid })
    if (there.some((one) => one['type'] !== params['aclType']))
      throw stop('invalid-argument', 'a listener asks lists of one type: only white ones, or only black ones', {
        field: 'aclType',
      })
  },
  ops: (ctx, { uuid }) =>
    (ctx.input.params['aclUuids'] as string[]).map((aclUuid) =>
      ref(ctx, ACL_REF, { listenerUuid: uuid, aclUuid, type: ctx.input.params['aclType'] }),
    ),
})

export const listenerActions: readonly Action[] = [
  listenerCreate,
  change,
  deletion('loadBalancerListener.delete'),
  addCertificate,
  removing('loadBalancerListener.removeCertificate', CERTIFICATE_REF, { field: 'certificateUuid', param: 'certificateUuid' }),
  addGroup,
  removing('loadBalancerListener.removeGroup', GROUP_REF, {
    ...{ field: 'serverGroupUuid', param: 'serverGroupUuid' },
    check: needShared,
  }),
  addAcls,
  removing('loadBalancerListener.removeAcls', ACL_REF, { field: 'aclUuid', param: 'aclUuids' }),
]
