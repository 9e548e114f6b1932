/** Every API as every kind of caller, over the real HTTP door. Nothing is carried out: the engine behind it only decides who may. */
import {
  apis,
  isOwned,
  namedIn,
  PREFIX,
  pathParameters,
  type Resource,
  type Row,
  resourceNamedBy,
  resources,
  rightsOf,
  subjectParameter,
} from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { fakeHttp } from '../src/testing/index.ts'
import {
  callers,
  type Declared,
  isRead,
  OWNER_ACCOUNT,
  paramsOf,
  requestOf,
  rightsEngine,
  scopeOf,
  sessions,
  uuidOf,
  type Who,
} from './rights-world.ts'

const engine = rightsEngine()
const { send } = fakeHttp({ engine })

interface Answered {
  status: number
  code: string | undefined
  text: string
}

async function ask(one: Declared, who: Who, params = paramsOf(one)): Promise<Answered> {
  const [method, path, body] = requestOf(one, params)
  const session = sessions[who]
  const authorization = session === undefined ? '' : `Bearer ${session}`
  const response = await send(method, PREFIX.own + path, body, { authorization })
  const text = await response.text()
  const code = response.status >= 400 ? (JSON.parse(text) as { code?: string }).code : undefined
  return { status: response.status, code, text }
}

/** Parameters that name something that belongs to an account. */
const ofAccounts = (one: Declared) =>
  namedIn(one).filter(({ of, parameter }) => typeof scopeOf(of) === 'object' && paramsOf(one)[parameter] !== undefined)

/** Refused, and how; undefined: let through. Written down once more, without the code under test. */
function expected(one: Declared, who: Who): string | undefined {
  const { api, resource } = one
  const rights = rightsOf(one)
  if (rights === 'anonymous') return undefined
  if (callers[who] === undefined) return 'session-invalid'
  if (who === 'admin') return undefined
  if (rights === 'admin') return 'permission-denied'
  const named = ofAccounts(one)
  if (who === 'read-only user') return isRead(api) || always.has(api.api) ? undefined : 'permission-denied'
  if (who === 'owner') return undefined
  if (api.query) return undefined
  if (who === 'other') return named.length > 0 ? 'not-found' : undefined
  const unshared = named.some(({ of }) => !sees(of))
  if (unshared) return named.find(({ of }) => !sees(of)) ? 'refused' : undefined
  const target = api.target ?? subjectParameter(api.path, resource)
  const forOwner = named.some(
    ({ parameter, of, path }) =>
      (!api.sync && (parameter === target || !isUsed(of))) || (rights === 'owner' && path) || api.owns?.includes(parameter),
  )
  return forOwner ? 'permission-denied' : undefined
}

/** What was shared with the receiver: what is owned, and what follows it. */
function sees(of: string): boolean {
  const scope = scopeOf(of)
  if (typeof scope !== 'object') return true
  if ('follows' in scope) return sees(scope.of)
  return isOwned((resources as Record<string, Resource>)[of === '*' ? 'vmInstance' : of]!)
}

const isUsed = (of: string) => {
  const scope = scopeOf(of)
  return typeof scope === 'object' && 'owner' in scope && scope.used === true
}

/** What no user needs a policy for; the user that is changed in the matrix is the caller itself. */
const always: ReadonlySet<string> = new Set(['CheckApiPermission', 'RenewSession', 'UpdateUser'])
const refusals = ['session-invalid', 'permission-denied', 'not-found']

describe.each(Object.keys(callers) as Who[])('every API as %s', (who) => {
  it('is refused and let through as its rights say', async () => {
    const wrong: string[] = []
    for (const one of apis) {
      const { status, code, text } = await ask(one, who)
      const want = expected(one, who)
      const got = status === 401 ? 'session-invalid' : code !== undefined && refusals.includes(code) ? code : undefined
      // What is asked may be nonsense; it is only looked at whether it was refused for want of rights.
      const same = want === 'refused' ? got !== undefined : got === want
      if (!same && !(got === 'not-found' && want === undefined && !one.api.query && who === 'admin'))
        wrong.push(`${one.api.api}: ${got ?? `let through (${status} ${code})`}, not ${want}: ${text.slice(0, 200)}`)
    }
    expect(wrong).toEqual([])
  })
})

describe("another account's resource", () => {
  it('is answered word for word as one that is not there', async () => {
    const wrong: string[] = []
    for (const one of apis.filter((a) => a.api.session && rightsOf(a) !== 'admin')) {
      const byUuid = one.api.query ? one.api.also?.[0] : undefined
      if (!byUuid && (one.api.query || ofAccounts(one).length === 0)) continue
      const declared = byUuid ? { ...one, api: { ...one.api, path: byUuid } } : one
      const at = (salt: string) => (byUuid ? { uuid: uuidOf(tableOf(one) + salt) } : paramsOf(one, salt))
      const [foreign, absent] = [await ask(declared, 'other', at('')), await ask(declared, 'other', at(' that is not there'))]
      const plain = ({ text }: Answered) => text.replace(/[0-9a-f]{32}/g, 'UUID')
      const visible = byUuid && typeof one.resource.scope !== 'object'
      if (!visible && plain(foreign) !== plain(absent)) wrong.push(`${one.api.api}: ${foreign.text} / ${absent.text}`)
    }
    expect(wrong).toEqual([])
  })

  it('is in no list, no count and no field of what others are shown', async () => {
    const wrong: string[] = []
    for (const one of apis.filter((a) => a.api.query && rightsOf(a) !== 'admin')) {
      const { text } = await ask(one, 'other')
      const shown = typeof one.resource.scope === 'object' ? ((JSON.parse(text) as { inventories: Row[] }).inventories ?? []) : []
      if (shown.some(({ uuid }) => uuid === uuidOf(tableOf(one)))) wrong.push(one.api.api)
      const mine = await ask(one, 'owner')
      if (
        typeof one.resource.scope === 'object' &&
        !mine.text.includes(uuidOf(tableOf(one))) &&
        // the row of their table is of none of their types
        !['l2VlanNetwork', 'l2VxlanNetwork', 'l2VxlanNetworkPool'].includes(one.resource.name) &&
        !['sharedResource', 'userTag', 'accountResourceRef', 'networkServiceL3NetworkRef', 'vRouterRouteTableRef'].includes(
          one.resource.name,
        )
      )
        wrong.push(`${one.api.api}: not shown to its owner`)
    }
    expect(wrong).toEqual([])
  })
})

const tableOf = ({ resource }: Declared) => resource.rows?.table ?? resource.name

describe('the contract', () => {
  it('says of every resource with APIs whose it is, so that the rights of each can be told', () => {
    const silent = Object.values(resources as Record<string, Resource>).filter(({ scope }) => scope === undefined)
    expect(silent.map(({ name }) => name)).toEqual([])
    expect(apis.filter((one) => rightsOf(one) === undefined).map(({ api }) => api.api)).toEqual([])
  })

  it('knows of every parameter that holds uuids what it names', () => {
    const unknown = apis.flatMap(({ api, resource }) => {
      const named = new Set(namedIn({ api, resource }).map(({ parameter }) => parameter))
      return [...pathParameters(api.path), ...Object.keys(api.params.shape)]
        .filter((parameter) => /Uuids?(For[A-Z]\w*)?$/.test(parameter) || parameter === 'uuid')
        .filter(
          (parameter) =>
            !named.has(parameter) && api.names?.[parameter] === undefined && resourceNamedBy(parameter, resource) === undefined,
        )
        .map((parameter) => `${api.api}.${parameter}`)
    })
    expect(unknown.filter((one) => !nameless.test(one))).toEqual([])
  })
})

/** They name no resource: the id of a new one, sessions, ids inside of a role. */
const nameless = /\.(resourceUuid|sessionUuid|captchaUuid|policyStatementUuids)$/

it('an account sees itself', () => expect(OWNER_ACCOUNT).toBe(uuidOf('account')))
