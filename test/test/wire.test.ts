/** ZStack's dialect on the real engine: every route as ZStack's clients call it, and what they need back. */
import { apis, type Row } from '@skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { putUserImage, putUserIso } from '../harness/small-world.ts'
import { type Made, type Stop, tour, tourServers } from '../harness/tour.ts'
import { noteRule } from '../harness/tour-security.ts'
import { reference, wrongSchema, wrongTypes, wrongValues } from '../harness/wire-form.ts'
import { type Answer, apiNamed } from '../harness/zstack-client.ts'

if (!reference)
  process.stderr.write('SKIPPED: the ZStack reference is not here, so replies are compared with the contract only\n')

let site: SmallSite
const exercised = new Set<string>()
/** Need a job that is under way, or stuck (long-jobs.test.ts), or a host that is away (cascade-away.test.ts). */
const elsewhere = new Set(['CancelLongJob', 'ResumeLongJob', 'CleanLongJob', 'QueryGCJob', 'TriggerGCJob', 'DeleteGCJob'])
const made: Made = {}

beforeAll(async () => {
  site = await startSmallSite({ sftp: tourServers() })
  await putUserImage(site)
  putUserIso(site)
})
afterAll(async () => {
  await site.stop()
  expect(site.errors).toEqual([])
})

/** What is wrong with a final answer that should be good. */
function faults(name: string, { status, type, body, text }: Answer): string[] {
  if (status !== 200 || !body) return [`${status} ${text.slice(0, 600)}`]
  const api = apiNamed(name)
  return [
    ...(type.startsWith('application/json') ? [] : [`its type is ${type}`]),
    ...(api.result.kind === 'empty' && text !== '{}' ? [`it answers ${text}, not {}`] : []),
    ...(api.result.kind === 'inventory' && !body['inventory'] ? ['it has no inventory'] : []),
    ...(api.query && !((body['inventories'] as Row[] | undefined) ?? []).length ? ['it finds nothing'] : []),
    ...wrongValues(body),
    ...wrongSchema(api, body),
    ...wrongTypes(api, body),
  ]
}

async function go({ api, params, keep }: Stop): Promise<string[]> {
  const { jobUuid, first, last } = await site.client.exchange(api, params(made))
  exercised.add(api)
  const inventory = last.body?.['inventory'] as Row | undefined
  if (keep && inventory) made[keep] = inventory['uuid'] as string
  if (api === 'CreateVmInstance' && inventory) made['volume'] = inventory['rootVolumeUuid'] as string
  const nic = (inventory?.['vmNics'] as Row[] | undefined)?.at(-1)
  if (nic) made['nic'] = nic['uuid'] as string
  const listed = last.body?.['inventories']
  const former = Array.isArray(listed) ? (listed as Row[]).find((row) => row['usedFor'] === 'Former') : undefined
  if (former) made['formerIp'] = former['uuid'] as string
  noteRule(made, last.body ?? {})
  made['job'] = jobUuid
  return [...wrongAcceptance(api, first, jobUuid), ...faults(api, last)]
}

/** Exactly 202, and a body with exactly where and how long. */
function wrongAcceptance(api: string, { status, body }: Answer, jobUuid: string): string[] {
  if (apiNamed(api).sync) return status === 202 ? ['a synchronous call answers 202'] : []
  const expected = { location: `${site.url}/zstack/v1/api-jobs/${jobUuid}`, apiTimeout: expect.any(Number) }
  return [
    ...(status === 202 ? [] : [`the call answers ${status}`]),
    ...(apart(body, expected) ? [`the call answers ${JSON.stringify(body)}`] : []),
  ]
}

function apart(value: unknown, expected: unknown): boolean {
  try {
    expect(value).toEqual(expected)
    return false
  } catch {
    return true
  }
}

describe('every route of ZStack', () => {
  test.each(tour.map((stop, i) => [stop.api, i, stop] as const).filter(([api]) => !apiNamed(api).own))(
    '%s (stop %i) answers as its clients need it',
    async (api, _i, stop) => {
      expect(await go(stop), api).toEqual([])
      if (stop.keep === 'vm') {
        expect(await go({ api: 'UpdateVolume', params: (m) => ({ uuid: m['volume'], name: 'root' }) })).toEqual([])
        expect(await go({ api: 'GetTaskProgress', params: (m) => ({ apiId: m['job'] }) })).toEqual([])
      }
    },
  )

  test('was called once; what is only ours is called under /v1', () => {
    const missed = apis
      .filter(({ api }) => !api.own && !exercised.has(api.api) && !elsewhere.has(api.api))
      .map(({ api }) => api.api)
    expect(missed).toEqual([])
  })

  test('left nothing behind on hosts or in the graph', async () => {
    const audit = await fetch(`${site.url}/v1/audit/hosts`, { headers: { Authorization: `Bearer ${site.client.session}` } })
    expect(((await audit.json()) as Row)['differences']).toEqual([])
    expect(site.contradictions()).toEqual([])
    expect(site.machine.libvirt.inventory()).toEqual([])
    expect(
      [...site.machine.host.disk.files.keys()].filter((path) => path.startsWith('/data/') && !path.startsWith('/data/home/')),
    ).toEqual([])
  })
})
