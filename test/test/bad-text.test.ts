/** Every place of every API that takes text, filled with text that breaks careless programs. */
import { ADMIN_ACCOUNT, apis, type Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allPlaces, FREE_TEXT, nastyTexts, type Place } from '../harness/nasty.ts'
import { OwnClient } from '../harness/own-client.ts'
import { ABOUT_CALLS, type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { type Made, type Stop, tour, tourServers } from '../harness/tour.ts'
import { makeByTour } from '../harness/tour-made.ts'
import { type Answer, apiNamed, newUuid, sentFor, sha512, wellFormed } from '../harness/zstack-client.ts'

/** Text for people, or for nobody: any of it may be taken, and is given back as it came. */
const FREE = new Set([
  'description',
  'username',
  'password',
  'AccessKeySecret',
  'authKey',
  'guestOsType',
  'systemTags',
  'userTags',
  'tag',
  'value',
  'color',
  'tokens',
  'type',
  'architecture',
  'accountName',
  'accountType',
  'captchaUuid',
  'verifyCode',
  'clientInfo',
  'properties',
  'token',
  'version',
  'publicKey',
  'sealKey',
  'deleteMode',
  'search',
  // of the VMs whose cards are listed
  'vmName',
  'reason',
  'userName',
  'identity',
  'opaque',
  'apiName',
  // whoever is unlocked, and kinds of runs that are counted: there need be none
  'resourceName',
  'schedulerJobTypes',
  // programs: what is wrong with one is told by its line
  'zql',
  'script',
])
const ECHOED = ['description', 'guestOsType']
/** Answered by the call itself: what was never there isn't valid, is out already, has no progress, may not be called. */
const ASKABLE = new Set(['sessionUuid', 'apiId', 'imageId', 'apiNames'])
/** `__proto__` is a legal name of a network interface; a map loses such a key, and what is left of it is judged. */
const LEGAL = new Set(['physicalInterface', 'networkServices', 'parameters'])
const isLegal = (parameter: string, value: string) => value === '__proto__' && LEGAL.has(parameter)
const MINUTE_MS = 61_000
const RESTART = {
  file: 'restart.yaml',
  text: 'define: vm.restart\nparams: { vm: vmInstance }\nsteps: [{ step: reboot-vm, with: { uuid: $vm } }]\n',
}

let site: SmallSite
let own: OwnClient
let made: Made

beforeAll(async () => {
  site = await startSmallSite({ sftp: tourServers(), workflows: [RESTART] })
  made = await makeByTour(site)
  own = new OwnClient(site.url, site.client.session)
})
afterAll(() => site.stop())

const OWN_AND_SPECIAL: Stop[] = [
  { api: 'UpdateVolume', params: (m) => ({ uuid: m['volume'] }) },
  { api: 'GetTaskProgress', params: () => ({ apiId: newUuid() }) },
  { api: 'DeleteAgent', params: () => ({ uuid: newUuid() }) },
  { api: 'ChangeAccessKeyState', params: () => ({ uuid: newUuid(), stateEvent: 'enable' }) },
  ...['DeleteAccessKey', 'CancelLongJob', 'ResumeLongJob', 'CleanLongJob', 'RerunLongJob', 'UpdateLongJob', 'DeleteLongJob'].map(
    (api) => ({
      api,
      params: () => ({ uuid: newUuid() }),
    }),
  ),
  { api: 'GetVmConsoleLog', params: (m) => ({ uuid: m['vm'] }) },
  { api: 'RequestTunnel', params: (m) => ({ vmInstanceUuid: m['vm'], port: 22 }) },
  { api: 'FinishImageUpload', params: () => ({ uuid: newUuid(), sizeBytes: 1 }) },
  { api: 'CancelImageUpload', params: () => ({ uuid: newUuid() }) },
  { api: 'UpdateTag', params: () => ({ uuid: newUuid() }) },
  { api: 'AttachTagToResources', params: (m) => ({ tagUuid: newUuid(), resourceUuids: [m['zone']] }) },
  { api: 'DetachTagFromResources', params: (m) => ({ tagUuid: newUuid(), resourceUuids: [m['zone']] }) },
  ...['TriggerGCJob', 'DeleteGCJob'].map((api) => ({ api, params: () => ({ uuid: newUuid() }) })),
  { api: 'ChangePluginState', params: () => ({ uuid: newUuid(), stateEvent: 'disable' }) },
  {
    api: 'RunSiteWorkflow',
    params: (m) => ({ uuid: [...site.store.graph.rows('siteWorkflow')][0]![0], parameters: { vm: m['vm'] } }),
  },
  { api: 'ExplainPermission', params: () => ({ apiName: 'CreateZone' }) },
  { api: 'CheckApiPermission', params: () => ({ apiNames: ['CreateZone'] }) },
  { api: 'GetAccountBill', params: () => ({ accountUuid: ADMIN_ACCOUNT }) },
  { api: 'RenewSession', params: () => ({ sessionUuid: newUuid() }) },
  { api: 'RetryJob', params: () => ({ uuid: newUuid() }) },
  { api: 'CreateAgentToken', params: () => ({}) },
  { api: 'RevokeAgent', params: () => ({ uuid: newUuid() }) },
  { api: 'LoseHost', params: () => ({ uuid: newUuid() }) },
  { api: 'AdoptOrphan', params: () => ({ uuid: newUuid() }) },
  { api: 'RemoveOrphan', params: () => ({ uuid: newUuid() }) },
  { api: 'RotateKeys', params: () => ({ what: 'agents' }) },
  { api: 'IssueBusCredentials', params: () => ({ unlessSignedBy: `A${'2'.repeat(55)}` }) },
  {
    api: 'EnrolAgent',
    params: () => ({
      token: 'x'.repeat(20),
      kind: 'kvm',
      machineId: newUuid(),
      managementIp: '192.0.2.1',
      version: '1',
      publicKey: 'U',
      sealKey: 'x',
    }),
  },
]
const sound = (api: string): Row => {
  const stop = [...OWN_AND_SPECIAL, ...tour].find((s) => s.api === api)
  if (!stop) throw new Error(`nobody knows sound parameters of ${api}`)
  return stop.params(made)
}

/** The last answer of either dialect. */
const dialects: Record<string, (name: string, params: Row) => Promise<Answer>> = {
  '/zstack/v1': async (name, params) => (await site.client.exchange(name, params)).last,
  '/v1': (name, params) => own.call(name, params),
}

/** What must never be in an answer. */
function leaks(text: string): string[] {
  return [/\n\s+at /, /\.ts:\d/, /node_modules/, /skerry-small-/, new RegExp(process.cwd()), /root:x:0/, /uid=\d/]
    .filter((p) => p.test(text))
    .map(String)
}

function wrong(api: string, { parameter }: Place, value: string, { status, body, text }: Answer): string[] {
  const shown = text.slice(0, 500)
  const failed = (body?.['error'] ?? body) as Row | undefined
  const found = leaks(text).map((leak) => `leaks ${leak}: ${shown}`)
  if (status >= 200 && status < 300) {
    if (parameter !== FREE_TEXT && !ASKABLE.has(parameter) && !isLegal(parameter, value)) found.push(`accepted: ${shown}`)
    const inventory = (parameter === FREE_TEXT && (body?.['inventory'] as Row | undefined)) || {}
    for (const field of ECHOED)
      if (field in apiNamed(api).params.shape && field in inventory && inventory[field] !== value)
        found.push(`came back as ${JSON.stringify(inventory[field])}`)
    return found
  }
  const internal = failed?.['code'] === 'internal' || failed?.['code'] === 'SYS.1000'
  if (status >= 500 && (status !== 503 || internal)) found.push(`${status}: ${shown}`)
  if (internal) found.push(`taken for a defect: ${shown}`)
  // Free text may be in a call that is refused for another reason.
  if (parameter !== FREE_TEXT && !isLegal(parameter, value) && !text.includes(parameter))
    found.push(`does not name ${parameter}: ${status} ${shown}`)
  return found
}

/** What callers' commits wrote, besides the calls themselves; agents and clocks go on by themselves. */
async function madeSince(seq: number): Promise<string[]> {
  const made: string[] = []
  for await (const { commit } of site.store.read(seq + 1)) {
    const written = commit.ops.filter(({ t }) => !ABOUT_CALLS.has(t)).map(({ o, t, k }) => `${o} ${t} ${k}`)
    if (commit.actor !== 'system' && !commit.actor.startsWith('agent:') && written.length > 0)
      made.push(`${commit.actor} made ${written.join(', ')}`)
  }
  return made
}

describe.each(Object.keys(dialects))('%s', (dialect) => {
  const inDialect = allPlaces((parameter) => FREE.has(parameter)).filter(({ api }) => dialect === '/v1' || !api.own)

  test.each(inDialect.map(({ api, places }) => [api.api, places] as const))(
    '%s takes no text for what it is not',
    async (name, here) => {
      const found: string[] = []
      for (const place of here) {
        for (const [what, value] of Object.entries(nastyTexts)) {
          // A legal name; as one, it would stand for that resource from then on.
          if (place.parameter === 'name' && value === '__proto__') continue
          await site.settled()
          const before = { seq: site.store.graph.seq, state: site.state() }
          const answer = await dialects[dialect]!(name, place.with(sound(name), value))
          found.push(...wrong(name, place, value, answer).map((w) => `${place.parameter} = ${what}: ${w}`))
          const refused = answer.status >= 400
          if (refused && site.store.graph.seq !== before.seq && site.state() !== before.state)
            found.push(...(await madeSince(before.seq)).map((made) => `${place.parameter} = ${what}: refused, but ${made}`))
        }
      }
      if (name === 'LogInByAccount') site.advance(MINUTE_MS)
      expect(found.slice(0, 20).join('\n')).toBe('')
      expect(site.errors).toEqual([])
    },
  )

  test('a __proto__ among the keys is a key like any other that nobody knows', async () => {
    for (const { api } of apis.filter(({ api }) => api.method === 'POST' || api.method === 'PUT')) {
      if (dialect === '/zstack/v1' && api.own) continue
      const sent = sentFor(api, sound(api.api))
      const evil = '"__proto__":{"admin":true,"name":"evil","zoneUuid":"evil"},"constructor":{"prototype":{"admin":true}}'
      const key = api.bodyKey ?? 'params'
      for (const body of [
        `{${evil},"${key}":{}}`,
        `{"${key}":{${evil}}}`,
        `{"${key}":{"name":"x","clientInfo":{${evil}},"networkServices":{${evil}}}}`,
      ]) {
        const answer = dialect === '/v1' ? await own.sendWaiting({ ...sent, body }) : await site.client.send({ ...sent, body })
        expect([api.api, body, leaks(answer.text), answer.status < 500 || answer.status === 503]).toEqual([
          api.api,
          body,
          [],
          true,
        ])
      }
    }
    expect(({} as Row)['admin']).toBeUndefined()
    expect(site.errors).toEqual([])
  })

  test('a condition holds any text, and no pattern takes long', async () => {
    const send = (path: string) =>
      dialect === '/v1' ? own.send({ method: 'GET', path }) : site.client.send({ method: 'GET', path })
    for (const value of [...Object.values(nastyTexts), '%a'.repeat(1_000), '%'.repeat(3_000), '_%'.repeat(1_500)]) {
      for (const q of [
        `name=${value}`,
        `name~=${value}`,
        `${value}=x`,
        `uuid?=${value}`,
        `vmNics.ip=${value}`,
        `createDate>${value}`,
        `cpuNum=${value}`,
      ]) {
        const began = performance.now()
        const answer = await send(`/vm-instances?q=${encodeURIComponent(wellFormed(q))}`)
        expect([q.slice(0, 80), answer.status < 500 || answer.status === 503, leaks(answer.text)]).toEqual([
          q.slice(0, 80),
          true,
          [],
        ])
        expect((answer.body?.['error'] as Row | undefined)?.['code']).not.toBe('SYS.1000')
        expect(performance.now() - began).toBeLessThan(20_000)
      }
    }
    expect(site.errors).toEqual([])
  })

  test('the site is as well as before', async () => {
    expect((await fetch(`${site.url}/healthz`)).status).toBe(200)
    expect(site.contradictions()).toEqual([])
    expect(await site.client.call('LogInByAccount', { accountName: 'admin', password: sha512('password') })).toMatchObject({
      inventory: {},
    })
  })
})
