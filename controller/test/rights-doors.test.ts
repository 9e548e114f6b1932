/**
 * What belongs to another account is answered word for word as what is not there, at every door and with every header that looks before
 * the call is made: nobody learns that it exists.
 */
import { type GatheringBus, memoryBroker, rightsOf as rightsOnBus } from '@skerry/bus'
import { apis, namedIn, PREFIX, pathParameters, type Row, rightsOf, subjectParameter, subjects } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serveCalls } from '../src/nats/serve.ts'
import { fakeHttp } from '../src/testing/index.ts'
import { callers, type Declared, paramsOf, requestOf, rightsEngine, scopeOf, sessions, type Who } from './rights-world.ts'

const engine = rightsEngine()
const { send, door } = fakeHttp({ engine })
const broker = memoryBroker()
const controller = broker.connect(rightsOnBus({ kind: 'controller' }))
let cli: GatheringBus
let stop: () => Promise<void>

beforeAll(() => {
  cli = broker.connect(rightsOnBus({ kind: 'operator-cli', id: 'x' }))
  stop = serveCalls(controller, door)
})
afterAll(async () => {
  await stop()
  await Promise.all([cli.close(), controller.close()])
})

type Ask = (one: Declared, params: Row, who: Who) => Promise<string>

/** Over HTTP in our dialect, with headers and words of the query. */
const own =
  (headers: Record<string, string> = {}, search = ''): Ask =>
  async (one, params, who) => {
    const [method, path, body] = requestOf(one, params)
    const whole = `${PREFIX.own}${path}${search && (path.includes('?') ? '&' : '?')}${search}`
    const response = await send(method, whole, body, { authorization: `Bearer ${sessions[who]}`, ...headers })
    return `${response.status} ${await response.text()}`
  }

/** As ZStack's clients ask: 202, and the error of a job. */
const zstack: Ask = async (one, params, who) => {
  const [method, path, body] = requestOf(one, params)
  const response = await send(method, PREFIX.zstack + path, body, { authorization: `OAuth ${sessions[who]}` })
  if (response.status !== 202) return `${response.status} ${await response.text()}`
  const { location } = (await response.json()) as { location: string }
  const job = await send('GET', new URL(location).pathname, undefined, { authorization: `OAuth ${sessions[who]}` })
  return `202, ${job.status} ${await job.text()}`
}

const nats: Ask = async ({ api, resource }, params, who) => {
  const subject = subjectParameter(api.path, resource)
  const data = { ...params }
  if (subject !== undefined) delete data[subject]
  const of = subject === undefined ? undefined : String(params[subject])
  const headers = { Authorization: `Bearer ${sessions[who]}` }
  const reply = cli.request(subjects.api(resource.noun, of, api.verb), data, { timeoutMs: 5_000, headers })
  return reply.then(
    ({ data: told, headers: more }) => `${more['Skerry-Status']} ${JSON.stringify(told)}`,
    (error) => JSON.stringify([error.code, error.message, error.details]),
  )
}

const plain = (text: string) => text.replace(/[0-9a-f]{32}/g, 'UUID').replace(/a \w+( that is not there)?(?=\\?")/g, 'NAME')

/** Calls that name something which belongs to an account. */
const concerned = apis.filter(
  (one) =>
    one.api.session &&
    !one.api.query &&
    rightsOf(one) !== 'admin' &&
    namedIn(one).some(({ of, parameter }) => typeof scopeOf(of) === 'object' && parameter in paramsOf(one)),
)

/** By what name instead of uuid a path may name it. */
function byName(one: Declared, salt = ''): Row {
  const named = namedIn(one).filter(({ path }) => path)
  const names = named.map(({ parameter, of }) => [parameter, `a ${of === '*' ? 'vmInstance' : of}${salt}`])
  return { ...paramsOf(one, salt), ...Object.fromEntries(names) }
}

const doors: Record<string, { ask: Ask; of: typeof paramsOf; only?: (one: Declared) => boolean }> = {
  'our HTTP': { ask: own(), of: paramsOf },
  'our HTTP with a name': { ask: own(), of: byName, only: ({ api }) => pathParameters(api.path).length > 0 },
  'our HTTP with If-Match': { ask: own({ 'If-Match': '"1"' }), of: paramsOf, only: ({ api }) => !api.sync },
  'our HTTP with If-Plan': { ask: own({ 'If-Plan': 'plan-1' }), of: paramsOf, only: ({ api }) => !api.sync },
  'a dry run': { ask: own({}, 'dryRun=true'), of: paramsOf, only: ({ api }) => !api.sync },
  'a call that waits': { ask: own({}, 'wait=1s'), of: paramsOf, only: ({ api }) => !api.sync },
  "ZStack's HTTP": { ask: zstack, of: paramsOf, only: ({ api }) => !api.own },
  NATS: { ask: nats, of: paramsOf },
}

describe.each(Object.entries(doors))('over %s', (_, { ask, of, only = () => true }) => {
  it('it is refused as what is not there, and let through for its owner', async () => {
    const wrong: string[] = []
    let through = 0
    for (const one of concerned.filter(only)) {
      const params = of(one, '')
      const [foreign, absent] = [await ask(one, params, 'other'), await ask(one, of(one, ' that is not there'), 'other')]
      if (plain(foreign) !== plain(absent)) wrong.push(`${one.api.api}: ${foreign} / ${absent}`)
      if ((await ask(one, params, 'owner')) !== foreign) through++
    }
    expect(wrong).toEqual([])
    // Where the owner were refused alike, nothing would be told apart. (Some calls take no `If-Match`, whoever makes them.)
    expect(through).toBeGreaterThan(concerned.filter(only).length * 0.5)
  })
})

it('covers most calls, and callers that own nothing', () => {
  expect(concerned.length).toBeGreaterThan(80)
  expect(callers.other.accountUuid).not.toBe(callers.owner.accountUuid)
})
