/** Calls about rights: who may call what and why, what accounts have, whose resources are. */
import {
  type Api,
  apis,
  pathParameters,
  type Resource,
  type Row,
  resources,
  SkerryError,
  subjectParameter,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call, Caller } from '../engine/port.ts'
import { tableOfType } from '../engine/tags.ts'
import { callerOf } from '../identity/caller.ts'
import { decide } from '../identity/decide.ts'
import { limitsOf } from '../identity/quota.ts'
import { usageOf } from '../identity/usage.ts'
import { anyRow, maySee, ownerOf } from '../identity/whose.ts'

type Declared = { api: Api; resource: Resource }
const byName = new Map<string, Declared>(apis.flatMap((one) => names(one.api.api).map((name) => [name, one])))

/** ZStack's clients name an API by its message's class, with or without the package. */
function names(api: string): string[] {
  return [api, `API${api}Msg`]
}

const apiNamed = (name: string) => byName.get(name.replace(/^.*\./, ''))

/** In whose place it is asked: a user of the account, or another account where an administrator asks. */
function inPlaceOf(graph: Graph, { caller, params }: Call): Caller {
  const { userUuid } = params
  const accountUuid = params['accountUuid'] ?? graph.get('user', userUuid as string)?.['accountUuid'] ?? caller!.accountUuid
  if (userUuid === undefined && params['accountUuid'] === undefined) return caller!
  const found = callerOf(graph, { accountUuid, userUuid, sessionUuid: caller!.sessionUuid })
  if (found) return found
  throw new SkerryError('not-found', `account ${accountUuid} has no user ${userUuid}`, { field: 'userUuid' })
}

const mayCall = (graph: Graph, caller: Caller, { api, resource }: Declared) => decide(graph, { api, resource, caller }).allowed

/** The decision on a call of the API, on the resource where one is named. */
function explained(graph: Graph, call: Call): Row {
  const { apiName, resourceUuid } = call.params
  const declared = apiNamed(String(apiName))
  if (!declared) throw new SkerryError('not-found', `there is no API ${apiName}`, { field: 'apiName' })
  const { api, resource } = declared
  const target = api.target ?? subjectParameter(api.path, resource) ?? pathParameters(api.path)[0] ?? 'resourceUuid'
  const params = resourceUuid === undefined ? {} : { params: { [target]: resourceUuid } }
  const { allowed, rule, statement, parameter, error } = decide(graph, {
    api,
    resource,
    caller: inPlaceOf(graph, call),
    ...params,
  })
  return {
    ...{ allowed, rule },
    ...(statement ? { statement } : {}),
    ...(parameter ? { parameter } : {}),
    ...(error ? { message: error.message } : {}),
  }
}

/** The accounts of those of the resources that the caller may see. */
function accountsOf(graph: Graph, { params, caller }: Call): Row {
  const inventories: Row = {}
  for (const uuid of params['resourceUuids'] as string[]) {
    const found = anyRow(graph, uuid)
    if (!found || !(caller?.admin || maySee(graph, caller!.accountUuid, found.table, found.row))) continue
    const owner = ownerOf(graph, found.table, found.row)
    const account = typeof owner === 'object' ? graph.get('account', owner.account) : undefined
    if (account) inventories[uuid] = { uuid: account['uuid'], name: account['name'], type: account['type'] }
  }
  return { inventories }
}

function usages(graph: Graph, account: string): Row {
  const [used, limits] = [usageOf(graph, account), limitsOf(graph, account)]
  return {
    usages: Object.entries(limits).map(([name, total]) => ({ name, total, used: used[name as keyof typeof used] ?? 0 })),
  }
}

function permitted(graph: Graph, { params, caller }: Call): Row {
  const resource = (resources as Record<string, Resource>)[tableOfType(String(params['resourceType']))]!
  const may = resource.apis.filter((api) => mayCall(graph, caller!, { api, resource }))
  return { apis: may.map(({ api }) => api) }
}

export function identityCalls(graph: Graph): Record<string, (call: Call) => Row> {
  return {
    GetAccountQuotaUsage: ({ params }) => {
      const uuid = params['uuid'] as string
      if (!graph.get('account', uuid))
        throw new SkerryError('not-found', `there is no account ${uuid}`, { resource: 'account', uuid })
      return usages(graph, uuid)
    },
    CheckApiPermission: (call) => {
      const caller = inPlaceOf(graph, call)
      const asked = call.params['apiNames'] as string[]
      const said = asked.map((name) => {
        const declared = apiNamed(name)
        return [name, declared && mayCall(graph, caller, declared) ? 'Allow' : 'Deny'] as const
      })
      return { inventory: Object.fromEntries(said) }
    },
    CheckResourcePermission: (call) => permitted(graph, call),
    ExplainPermission: (call) => explained(graph, call),
    GetResourceAccount: (call) => accountsOf(graph, call),
  }
}
