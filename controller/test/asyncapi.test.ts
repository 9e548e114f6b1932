/** `/asyncapi.json`: valid by the schema that AsyncAPI publishes, whole, and true of messages as they are. */
import { readFileSync } from 'node:fs'
import specs from '@asyncapi/specs'
import { apis, type Row, subjects } from '@skerry/contract'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { beforeAll, describe, expect, it } from 'vitest'
import { fakeHttp, sampleParams } from '../src/testing/index.ts'

interface AsyncApi {
  channels: Record<string, { address: string; messages: Row; parameters?: Row }>
  operations: Record<string, { action: string; channel: { $ref: string }; reply?: Row }>
  components: { messages: Record<string, { payload: Row; headers?: Row }>; schemas: Row }
}
let document: AsyncApi

beforeAll(async () => {
  const { send } = fakeHttp()
  document = (await (await send('GET', '/asyncapi.json', undefined, { authorization: '' })).json()) as AsyncApi
})

const newAjv = () => {
  const ajv = new Ajv({ strict: false, allErrors: true, formats: { base64: true } })
  ;(formats as unknown as (ajv: Ajv) => void)(ajv)
  return ajv
}

/** Checks one message of the document. */
function checker() {
  const ajv = newAjv()
  ajv.addSchema({ $id: 'skerry', ...document })
  return (message: string, value: unknown) => {
    const check = ajv.compile({ $ref: `skerry#/components/messages/${message}/payload` })
    return check(value) ? [] : check.errors
  }
}

it('fits the JSON Schema of AsyncAPI 3.0', () => {
  const check = newAjv().compile(specs.schemasWithoutId['3.0.0'] as object)
  const fits = check(document)
  expect(check.errors?.slice(0, 5) ?? []).toEqual([])
  expect(fits).toBe(true)
  // It refuses what is no such document.
  expect(check({ ...document, operations: { x: { action: 'shout' } } })).toBe(false)
})

it('has no dangling reference', () => {
  const referenced = new Set([...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!))
  const at = (path: string) => path.split('/').reduce<unknown>((value, key) => (value as Row | undefined)?.[key], document)
  expect([...referenced].filter((path) => at(path) === undefined)).toEqual([])
  expect(referenced.size).toBeGreaterThan(500)
})

it('describes every API, each operation with its channel, and every area of the contract’s subjects', () => {
  for (const { api } of apis) expect(Object.keys(document.operations), api.api).toContain(`call.${api.api}`)
  const addresses = Object.values(document.channels).map(({ address }) => address)
  expect(new Set(Object.keys(document.channels))).toEqual(new Set(Object.keys(document.operations)))
  const areas = new Set(addresses.map((address) => address.split('.').slice(0, 3).join('.')))
  expect([...areas].sort()).toEqual(['agent', 'alarm', 'api', 'evt', 'job'].map((area) => `skerry.v1.${area}`))
  const told = new Set(addresses.filter((one) => one.startsWith('skerry.v1.agent.')).map((one) => one.split('.')[5]))
  expect([...told].sort()).toEqual(['ask', 'do', 'hb', 'io', 'progress', 'status'])
  expect(addresses).toContain(subjects.api('vm', '{uuid}', 'start'))
  expect(document.channels['call.CreateZone']?.address).toBe('skerry.v1.api.zone.-.create')
  for (const { address, parameters = {} } of Object.values(document.channels))
    expect(Object.keys(parameters)).toEqual([...new Set([...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!))])
})

describe('its schemas', () => {
  it('take the parameters that the APIs take, and refuse others', () => {
    const check = checker()
    for (const { api } of apis) {
      if (api.query) continue
      const variables = Object.fromEntries([...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, 'a'.repeat(32)]))
      expect(check(`call.${api.api}`, { ...sampleParams(api), ...variables }), api.api).toEqual([])
    }
    expect(check('call.CreateZone', {})).not.toEqual([])
    expect(check('call.CreateZone', { name: 7 })).not.toEqual([])
  })

  it('take the messages that were recorded, and the desired documents', () => {
    const check = checker()
    const recorded = new URL('../../packages/contract/test/golden/messages-v1.json', import.meta.url)
    const golden = JSON.parse(readFileSync(recorded, 'utf8')) as Row
    const messages = {
      syncRequest: 'agent.sync',
      status: 'agent.status',
      heartbeat: 'agent.heartbeat',
      progress: 'agent.progress',
    }
    for (const [name, message] of Object.entries(messages)) {
      expect(golden[name], name).toBeDefined()
      expect(check(message, golden[name]), name).toEqual([])
    }
    const replies = { syncReply: 'agent.sync.reply', digestReply: 'agent.digest.reply', statusesReply: 'agent.statuses.reply' }
    for (const [name, message] of Object.entries(replies)) expect(check(message, golden[name]), name).toEqual([])
    expect(check('agent.heartbeat', { ...(golden['heartbeat'] as Row), agentUuid: 'x' })).not.toEqual([])
    for (const frame of [{ d: 'aGk=' }, { n: 1, d: 'aGk=' }, { ack: 7 }, { end: true, reason: 'left' }])
      expect(check('agent.io.in', frame)).toEqual([])
    expect(check('agent.io.out', { d: 7 })).not.toEqual([])
    expect(Object.keys(document.components.schemas)).toContain('document.vm')
  })
})
