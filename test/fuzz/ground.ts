/** What a fuzzed site stands on: one of everything, callers of every kind, and how to get back to just that. */
import { ADMIN_ACCOUNT, type Api, apis, PREFIX, type Resource, type Row, tableOf } from '@skerry/contract'
import { OwnClient } from '../harness/own-client.ts'
import type { Key } from '../harness/signed.ts'
import { ABOUT_CALLS, type SmallSite } from '../harness/small-site.ts'
import type { Made } from '../harness/tour.ts'
import { makeByTour } from '../harness/tour-made.ts'
import { sha512, ZStackClient } from '../harness/zstack-client.ts'

/** How a request may show who it is of. */
export interface Callers {
  admin: string
  tenant: string
  /** valid once */
  ended: string
}

export interface Ground {
  made: Made
  callers: Callers
  /** of the administrator */
  key: Key
  /** below `/v1`: where pieces of an image are taken */
  upload: string
}

async function sessionOf(site: SmallSite, accountName: string, password: string): Promise<string> {
  const client = new ZStackClient(site.url)
  const { inventory } = (await client.call('LogInByAccount', { accountName, password })) as { inventory: Row }
  return inventory['uuid'] as string
}

export async function makeGround(site: SmallSite): Promise<Ground> {
  const made = await makeByTour(site)
  const password = sha512('of the fuzzed tenant')
  made['tenant'] = await site.client.uuid('CreateAccount', { name: 'fuzzed', password, type: 'Normal' })
  const ended = await sessionOf(site, 'admin', sha512('password'))
  await site.client.call('LogOut', { sessionUuid: ended })
  const callers = { admin: site.client.session!, tenant: await sessionOf(site, 'fuzzed', password), ended }
  return { made, callers, key: await keyOf(site), upload: await uploadOf(site, made) }
}

async function keyOf({ client }: SmallSite): Promise<Key> {
  const asked = { accountUuid: ADMIN_ACCOUNT, userUuid: ADMIN_ACCOUNT }
  const { inventory } = (await client.call('CreateAccessKey', asked)) as { inventory: Row }
  return { AccessKeyID: inventory['AccessKeyID'] as string, AccessKeySecret: inventory['AccessKeySecret'] as string }
}

/** Where an image waits that was begun and is never whole. */
async function uploadOf({ client }: SmallSite, made: Made): Promise<string> {
  const image = { name: 'in pieces', url: 'upload://wild.qcow2', backupStorageUuids: [made['images']], format: 'qcow2' }
  const { inventory } = (await client.call('AddImage', image)) as { inventory: Row }
  const [ref] = inventory['backupStorageRefs'] as Row[]
  return new URL(String(ref!['installPath'])).pathname.slice(PREFIX.own.length)
}

/** Rows that nobody can delete by a call, or that go with others. */
const ASIDE = new Set([...ABOUT_CALLS, 'desired', 'usedIp', 'accountResourceRef', 'longJob'])

export type Rows = ReadonlyMap<string, ReadonlySet<string>>

/** Keys of every table. */
export function rowsNow(site: SmallSite): Rows {
  const { graph } = site.controller.state
  const tables = new Set(apis.map(({ resource }) => tableOf(resource)))
  return new Map([...tables].map((table) => [table, new Set([...graph.rows(table)].map(([key]) => key))]))
}

interface Ways {
  resource: Resource
  /** each in turn */
  apis: Api[]
}

/** In the order in which they help. */
const ENDS = ['cancel-upload', 'delete', 'destroy', 'expunge']

function waysOut(): Ways[] {
  const byUuid = (api: Api) => api.path.split('{').length === 2 && api.path.includes('{uuid}')
  const found = new Map<string, Ways>()
  for (const { api, resource } of apis) {
    const place = ENDS.indexOf(api.verb)
    if (place < 0 || !(byUuid(api) || api.verb === 'expunge')) continue
    const ways = found.get(resource.name) ?? { resource, apis: [] }
    ways.apis.push(api)
    found.set(resource.name, ways)
  }
  return [...found.values()].map((ways) => ({
    ...ways,
    apis: ways.apis.sort((a, b) => ENDS.indexOf(a.verb) - ENDS.indexOf(b.verb)),
  }))
}

/** What was disabled, or put into maintenance, is as it was. */
async function enabled(site: SmallSite, client: OwnClient, kept: Rows): Promise<void> {
  const { graph } = site.controller.state
  for (const { api, resource } of apis) {
    const field = resource.states?.field
    if (api.verb !== 'change-state' || field === undefined || !api.path.includes('{uuid}')) continue
    for (const key of kept.get(tableOf(resource)) ?? []) {
      const row = graph.get(tableOf(resource), key)
      if (row && row[field] !== 'Enabled') await client.call(api.api, { uuid: row['uuid'], stateEvent: 'enable' })
    }
  }
}

const PASSES = 6

/** Its connections are kept for long, and may be ended by the server just as they are used again: then once more. */
class Persistent extends OwnClient {
  override async send(...sent: Parameters<OwnClient['send']>): ReturnType<OwnClient['send']> {
    return super.send(...sent).catch(() => super.send(...sent))
  }
}

/** Deletes whatever is there beyond `kept`; tells what could not be deleted, and what is missing of `kept`. `settled`: of jobs, false when late. */
export async function backTo(
  site: SmallSite,
  kept: Rows,
  settled: () => Promise<boolean>,
): Promise<{ left: string[]; lost: string[] }> {
  const client = new Persistent(site.url, site.client.session)
  const { graph } = site.controller.state
  const said = new Map<string, string>()
  // The server group that a listener has for itself goes with the listener, and by no call.
  const ofKept = (row: Readonly<Row>) => kept.get('loadBalancerListener')?.has(String(row['listenerUuid'])) === true
  const beyond = ({ resource }: Ways) =>
    [...graph.rows(tableOf(resource))].filter(
      ([key, row]) => !kept.get(tableOf(resource))?.has(key) && row['uuid'] !== ADMIN_ACCOUNT && !ofKept(row),
    )
  await enabled(site, client, kept)
  for (let pass = 0; pass < PASSES; pass++) {
    let some = false
    for (const ways of waysOut())
      for (const [, row] of beyond(ways)) {
        some = true
        for (const api of ways.apis) {
          const { status, text } = await client.call(api.api, pathParams(api, row['uuid'] as string))
          said.set(row['uuid'] as string, `${api.api} ${status} ${text}`)
        }
      }
    if (!(await settled()) || !some) break
  }
  const now = rowsNow(site)
  const left = waysOut().flatMap((ways) =>
    beyond(ways).map(([key, row]) => `${tableOf(ways.resource)} ${key}: ${said.get(row['uuid'] as string)}`),
  )
  const lost = [...kept].flatMap(([table, keys]) =>
    ASIDE.has(table) ? [] : [...keys].filter((key) => !now.get(table)?.has(key)).map((key) => `${table} ${key}`),
  )
  return { left, lost }
}

const pathParams = (api: Api, uuid: string): Row =>
  Object.fromEntries([...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name!, uuid]))
