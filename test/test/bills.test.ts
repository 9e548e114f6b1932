/** Prices, usage and bills on a whole site: through ZStack's dialect, through ours, as CSV, and after a restart from the log alone. */
import type { Row } from '@skerry/contract'
import { createClient } from '@skerry/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'
import { sha512, ZStackClient } from '../harness/zstack-client.ts'

const HOUR = 3_600_000
const GIB = 1024 ** 3
const PASSWORD = sha512('tenant')

let site: SmallSite
let world: SmallWorld
let admin: ZStackClient
let account: string
let vm: string

const of = async (client: ZStackClient, params: Row = {}) =>
  client.call('CalculateAccountSpending', { accountUuid: account, ...params })
const refused = async (client: ZStackClient, api: string, params: Row) => {
  const { last } = await client.exchange(api, params)
  return String((last.body?.['error'] as Row | undefined)?.['details'] ?? `accepted: ${last.text}`)
}
const kind = (answer: Row, name: string) => (answer['spending'] as Row[]).find((s) => s['spendingType'] === name)

async function tenant(name: string): Promise<{ uuid: string; client: ZStackClient }> {
  return { uuid: await admin.uuid('CreateAccount', { name, password: PASSWORD }), client: await loggedIn(name) }
}
async function loggedIn(name: string): Promise<ZStackClient> {
  const client = new ZStackClient(site.url)
  const { inventory } = await client.call('LogInByAccount', { accountName: name, password: PASSWORD })
  client.session = (inventory as Row)['uuid'] as string
  return client
}
let ann: ZStackClient
let bob: ZStackClient
/** Sessions don't outlive it. */
async function pass(hours: number): Promise<void> {
  site.advance(hours * HOUR)
  await admin.login()
  ann.session = (await loggedIn('ann')).session
  bob.session = (await loggedIn('bob')).session
}

beforeAll(async () => {
  site = await startSmallSite()
  admin = site.client
  world = await makeSmallWorld(site)
  const [first, second] = [await tenant('ann'), await tenant('bob')]
  account = first.uuid
  ann = first.client
  bob = second.client
  vm = await admin.uuid('CreateVmInstance', {
    ...{ name: 'web', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] },
  })
  await admin.call('ChangeResourceOwner', { accountUuid: account, resourceUuid: vm })
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

describe('prices', () => {
  it('are made, found, ended and deleted; what makes no sense is refused and changes nothing', async () => {
    const params = { resourceName: 'memory', timeUnit: 'h', price: 2 }
    expect(await refused(admin, 'CreateResourcePrice', params)).toContain('resourceUnit')
    expect(await refused(admin, 'CreateResourcePrice', { ...params, resourceUnit: 'g', price: -1 })).toContain('price')
    expect(await refused(admin, 'CreateResourcePrice', { ...params, resourceUnit: 'parsec' })).toContain('resourceUnit')
    expect(await refused(ann, 'CreateResourcePrice', { ...params, resourceUnit: 'g' })).toContain('administrators')
    const { inventory } = await admin.call('CreateResourcePrice', { ...params, resourceUnit: 'GB', dateInLong: 0 })
    expect(inventory).toMatchObject({ resourceName: 'memory', resourceUnit: 'g', timeUnit: 'h', price: 2, dateInLong: 0 })
    const { uuid } = inventory as Row
    expect(await refused(admin, 'UpdateResourcePrice', { uuid })).toContain('endDateInLong')
    await admin.call('UpdateResourcePrice', { uuid, setEndDateInLongBaseOnCurrentTime: true })
    const [ended] = (await admin.call('QueryResourcePrice', { q: [`uuid=${uuid}`] }))['inventories'] as Row[]
    expect(ended!['endDateInLong']).toBeGreaterThan(0)
    await admin.call('DeleteResourcePrice', { uuid, deleteMode: 'Permissive' })
    expect((await admin.call('QueryResourcePrice', {}))['inventories']).toEqual([])
  })

  it('stand in tables, of which an account has one', async () => {
    const prices = [{ resourceName: 'cpu', timeUnit: 'h', price: 100 }]
    const [first, second] = [
      await admin.uuid('CreatePriceTable', { name: 'gold', prices }),
      await admin.uuid('CreatePriceTable', { name: 'empty' }),
    ]
    expect((await admin.call('QueryResourcePrice', { q: [`tableUuid=${first}`] }))['inventories']).toHaveLength(1)
    const bind = (tableUuid: string) => ({ accountUuid: account, tableUuid })
    expect(await refused(admin, 'ChangeAccountPriceTableBinding', bind(first))).toContain('no price table')
    await admin.call('AttachPriceTableToAccount', bind(first))
    expect(await refused(admin, 'AttachPriceTableToAccount', bind(second))).toContain('already')
    await admin.call('ChangeAccountPriceTableBinding', bind(second))
    expect((await admin.call('QueryAccountPriceTableRef', {}))['inventories']).toMatchObject([bind(second)])
    expect(await refused(admin, 'DetachPriceTableFromAccount', bind(first))).toContain('does not have')
    await admin.call('DetachPriceTableFromAccount', bind(second))
    await admin.call('AttachPriceTableToAccount', bind(second))
    for (const uuid of [first, second]) await admin.call('DeletePriceTable', { uuid, deleteMode: 'Permissive' })
    expect((await admin.call('QueryAccountPriceTableRef', {}))['inventories']).toEqual([])
    expect((await admin.call('QueryResourcePrice', {}))['inventories']).toEqual([])
  })
})

describe('a bill', () => {
  it('is what was used since the log began, at its prices, and goes on while things are used', async () => {
    await admin.call('CreateResourcePrice', { resourceName: 'cpu', timeUnit: 'h', price: 3, dateInLong: 0 })
    await admin.call('CreateResourcePrice', {
      ...{ resourceName: 'rootVolume', resourceUnit: 'g', timeUnit: 'd', price: 24, dateInLong: 0 },
    })
    const row = site.controller.state.graph.get('vmInstance', vm)!
    const cpus = row['cpuNum'] as number
    const before = (await of(ann))['total'] as number
    await pass(10)
    const size = site.controller.state.graph.get('volume', row['rootVolumeUuid'] as string)!['size'] as number
    const grown = ((await of(ann))['total'] as number) - before
    // What the test itself takes is a matter of seconds.
    expect(grown).toBeGreaterThan(10 * (cpus * 3 + size / GIB) - 1e-6)
    expect(grown).toBeLessThan(10.2 * (cpus * 3 + size / GIB))
    await ann.call('StopVmInstance', { uuid: vm, type: 'cold' })
    const stopped = kind(await of(ann), 'VM')!['spending'] as number
    await pass(10)
    const later = await of(ann)
    expect(kind(later, 'VM')!['spending']).toBe(stopped)
    expect(kind(later, 'VM')!['details']).toMatchObject([{ resourceUuid: vm, resourceName: 'web', type: 'VM' }])
    expect(kind(later, 'rootVolume')!['spending']).toBeGreaterThan(20 * (size / GIB) - 1e-6)
    expect(kind(await of(ann, { simple: true }), 'VM')).not.toHaveProperty('details')
    expect(await of(ann, { hypervisorType: 'ESX' })).toMatchObject({ total: 0, spending: [] })
  })

  it('is of a time as well, by lines and as CSV; a time that makes no sense is refused', async () => {
    const client = createClient({ baseUrl: site.url, session: ann.session! })
    const all = await client.bill('ann')
    const lines = all['lines'] as Row[]
    expect(new Set(lines.map(({ item }) => item))).toEqual(new Set(['cpu', 'memory', 'rootVolume']))
    expect(lines.find(({ item }) => item === 'memory')).toMatchObject({ amount: 0 })
    expect(all['total']).toBeCloseTo((await of(ann))['total'] as number, 3)
    const csv = await client.billAsCsv(account)
    expect(csv.split('\r\n')[0]).toBe('item,resourceUuid,resourceName,from,to,quantity,price,resourceUnit,timeUnit,amount')
    expect(csv.trim().split('\r\n')).toHaveLength(lines.length + 1)
    const cpu = lines.find(({ item }) => item === 'cpu')!
    const middle = new Date((Date.parse(cpu['from'] as string) + Date.parse(cpu['to'] as string)) / 2).toISOString()
    const halves = [await client.bill('ann', { to: middle }), await client.bill('ann', { from: middle })]
    expect((halves[0]!['total'] as number) + (halves[1]!['total'] as number)).toBeCloseTo(all['total'] as number, 3)
    for (const wrong of [{ from: 'yesterday' }, { from: '2999-01-01' }, { from: middle, to: '2020-01-01' }])
      await expect(client.bill('ann', wrong)).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  it('is nobody else’s', async () => {
    const [foreign, none] = [await refused(bob, 'CalculateAccountSpending', { accountUuid: account }), '0'.repeat(32)]
    const nobody = await refused(bob, 'CalculateAccountSpending', { accountUuid: none })
    expect(foreign.replaceAll(account, '…')).toBe(nobody.replaceAll(none, '…'))
    expect((await of(admin))['total']).toBeCloseTo((await of(ann))['total'] as number, 3)
  })

  it('is of what was deleted, too, and is in the log alone', async () => {
    const before = (await of(ann))['total'] as number
    await admin.call('DestroyVmInstance', { uuid: vm })
    await admin.call('ExpungeVmInstance', { uuid: vm })
    await site.settled()
    const after = (await of(ann))['total'] as number
    expect(after).toBeGreaterThanOrEqual(before)
    await pass(100)
    expect((await of(ann))['total']).toBe(after)
    expect(site.contradictions()).toEqual([])
  })
})
