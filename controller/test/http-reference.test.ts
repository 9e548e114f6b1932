/** Every in-scope route against ZStack's own table: method, path, body key, required parameters, sync or async, class names. */
import { existsSync, readFileSync } from 'node:fs'
import { apis, type Resource, replyMembers, resources } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { besides } from './java-classes.ts'

interface ReferenceApi {
  api: string
  method: string
  path: string
  alsoPaths?: string[]
  async: boolean
  session: boolean
  query?: boolean
  bodyKey?: string
  params?: Record<string, { type: string; required?: boolean; in?: string }>
}

const folder = new URL('../../../shared/reference/', import.meta.url)
const read = (name: string) =>
  existsSync(new URL(name, folder)) ? JSON.parse(readFileSync(new URL(name, folder), 'utf8')) : undefined
const rest = read('zstack-rest.json') as { apis: ReferenceApi[] } | undefined
const classes = read('zstack-classes.json') as { classes: Record<string, string>; replyLists: Record<string, string> } | undefined
if (!rest || !classes) process.stderr.write('SKIPPED: the ZStack reference is not here, so routes are not compared with it\n')

/** Where we differ from ZStack on purpose, and why. */
const BILLING = 'is in ZStack and its Java SDK (billing), but not in the table'
const explained: Record<string, string> = {
  ...Object.fromEntries(
    [
      'CreatePriceTable',
      'QueryPriceTable',
      'UpdatePriceTable',
      'DeletePriceTable',
      'AttachPriceTableToAccount',
      'DetachPriceTableFromAccount',
      'ChangeAccountPriceTableBinding',
      'CreateResourcePrice',
      'QueryResourcePrice',
      'UpdateResourcePrice',
      'DeleteResourcePrice',
      'CalculateAccountSpending',
    ].map((api) => [api, BILLING]),
  ),
  ...Object.fromEntries(
    ['QueryVmSchedulingRule', 'QueryVmSchedulingRuleGroup', 'QueryHostSchedulingRuleGroup'].map((api) => [
      api,
      'is in ZStack’s REST documentation, but not in the table',
    ]),
  ),
  QueryPrimaryStorage: 'theirs lacks the path by uuid that every other query has',
  QueryInstanceOffering: 'theirs lacks the path by uuid that every other query has',
  QueryDiskOffering: 'theirs lacks the path by uuid that every other query has',
  QueryIPSecConnection: 'theirs lacks the path by uuid that every other query has',
  QueryTag: 'theirs lacks the path by uuid that every other query has, and that its Go SDK asks',
  GetIpAddressCapacity: 'is in ZStack and its SDKs, but not in the table',
  QueryImageStoreBackupStorage: 'theirs lacks the path by uuid that every other query has, and that its Go SDK asks',
  BatchQuery: 'is in ZStack and its Java SDK, but not in the table',
  RenewSession: 'is over at once here; its clients take that as well',
}
/** Parameters that we ask for and ZStack doesn't. */
const alsoRequired: Record<string, string> = {
  'CreateVmInstance.imageUuid': 'guests boot from an image here; ZStack can also boot from an ISO or a volume',
  'CreateVmInstance.l3NetworkUuids': 'a guest has a network here; ZStack can make one without',
}
const known = new Map(rest?.apis.map((api) => [api.api, api]))
const scope = apis.filter(({ api }) => !api.own)
const variables = (path: string) => path.replace(/\{\w+\}/g, '{}')

describe.skipIf(!rest)('ZStack REST table', () => {
  it.each(scope.map(({ api }) => [api.api, api] as const))('%s has its method, path, body key and mode', (name, api) => {
    const theirs = known.get(name)
    if (theirs === undefined) return expect(explained[name], `${name} is no API of ZStack`).toBeTruthy()
    const ours = {
      method: api.method,
      path: variables(api.path),
      also: (api.also ?? []).map(variables),
      async: !api.sync,
      session: api.session,
      query: api.query ?? false,
    }
    const want = {
      method: theirs.method,
      path: variables(theirs.path),
      also: (theirs.alsoPaths ?? []).map(variables),
      async: theirs.async,
      session: theirs.session,
      query: theirs.query ?? false,
    }
    if (explained[name]) return expect(ours, `${name} is explained, but does not differ`).not.toEqual(want)
    expect(ours).toEqual(want)
    if (api.method === 'PUT') expect(api.bodyKey).toBe(theirs.bodyKey)
  })

  it.each(scope.filter(({ api }) => known.has(api.api) && !api.query).map(({ api }) => [api.api, api] as const))(
    '%s asks for no parameter that ZStack does not ask for',
    (name, api) => {
      const theirs = known.get(name)?.params ?? {}
      const required = Object.entries(api.params.shape).filter(
        ([, schema]) => !(schema as { safeParse(v: unknown): { success: boolean } }).safeParse(undefined).success,
      )
      for (const [param] of required)
        expect(theirs[param]?.required ?? `${name}.${param}` in alsoRequired, `${name}.${param}`).toBe(true)
    },
  )
})

/** The map of its SDK has no class for them, so none can be named. */
const unmapped = ['VmNicSecurityGroupRefInventory']

describe.skipIf(!classes)('ZStack classes', () => {
  it.each(
    Object.values(resources as Record<string, Resource>)
      .filter((r) => r.inventory)
      .map((r) => [r.name, r] as const),
  )('%s has its server class', (_, resource) => {
    const sdk = resource.inventory?.sdk ?? ''
    expect(resource.inventory?.java).toBe(classes?.classes[sdk] ?? besides[sdk])
  })

  const lists = Object.entries(classes?.replyLists ?? {}).map(
    ([list, element]) => [...list.split('.'), element] as [string, string, string],
  )
  const here = new Map(scope.map(({ api }) => [api.api, api]))
  it.each(
    lists.filter(
      ([api, , element]) => here.get(api)?.result.kind === 'fields' && !['String', 'Integer', ...unmapped].includes(element),
    ),
  )('%s has the class of its %s', (api, list, element) => {
    expect(replyMembers(api)[list]?.split(/[.$]/).at(-1)).toBe(element)
  })
})
