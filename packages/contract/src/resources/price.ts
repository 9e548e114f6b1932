import { z } from 'zod'
import { action, attach, call, create, createParams, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { name, text, time, uuid } from '../scalars.ts'

/** What costs something: ZStack's names, and `publicIp`, which is ours: an address of a guest on a public network. */
export const pricedItems = ['cpu', 'memory', 'rootVolume', 'dataVolume', 'snapShot', 'publicIp'] as const
export type PricedItem = (typeof pricedItems)[number]

/** Bytes of each unit of what is counted in bytes; cpu and publicIp are counted by the piece and have none. */
export const byteUnits = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 } as const
/** Milliseconds of each unit of time; a month is 30 days. */
export const priceTimeUnits = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  mon: 30 * 86_400_000,
} as const

const keysOf = <T extends object>(units: T) => Object.keys(units) as [keyof T & string, ...(keyof T & string)[]]
/** As callers may write it: ZStack's own take either case, and `GB` for `g`. */
const unitWords = keysOf(byteUnits).flatMap((unit) => [
  unit,
  unit.toUpperCase(),
  ...(unit === 'b' ? [] : [`${unit.toUpperCase()}B`]),
])
const resourceUnit = z.enum(unitWords as [string, ...string[]])
/** The unit that a word of a caller means. */
export const byteUnitOf = (word: string): keyof typeof byteUnits => word.charAt(0).toLowerCase() as keyof typeof byteUnits
const timeUnit = z.enum(keysOf(priceTimeUnits))
const item = z.enum(pricedItems)
const price = z.number().min(0).max(1e12)
/** Epoch ms; before the year 10000, as dates are written. */
const at = z.number().int().min(0).max(253_402_300_799_999)

/** Of the periods that a price holds for. */
const priceParams = { resourceName: item, resourceUnit: resourceUnit.optional(), timeUnit, price, dateInLong: at.optional() }
const { name: _name, ...unnamed } = createParams

/** Prices that hold for the accounts it is attached to. An account without one pays the prices that are in no table. */
export const priceTable = defineResource({
  name: 'priceTable',
  noun: 'price-table',
  path: '/billings/price-tables',
  inventory: { sdk: 'PriceTableInventory', java: 'org.zstack.billing.table.PriceTableInventory' },
  summary: 'Prices for certain accounts',
  scope: 'admin',
  fields: {},
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid', 'description'],
  apis: [
    create('CreatePriceTable', '/billings/price-tables', {
      of: 'priceTable',
      workflow: 'priceTable.create',
      params: { prices: z.array(z.object(priceParams)).max(200).optional() },
      summary: 'Make a table of prices',
    }),
    query('QueryPriceTable', '/billings/price-tables', 'priceTable'),
    update('UpdatePriceTable', '/billings/price-tables/{uuid}/actions', 'priceTable'),
    remove('DeletePriceTable', '/billings/price-tables/{uuid}', 'priceTable'),
  ],
})

const ends = '/billings/price-tables/{tableUuid}/accounts/{accountUuid}'

/** Which prices an account pays; key: the account, so it pays one. */
export const accountPriceTableRef = defineResource({
  name: 'accountPriceTableRef',
  noun: 'account-price-table',
  path: '/accounts/price-tables/refs',
  inventory: { sdk: 'AccountPriceTableRefInventory', java: 'org.zstack.billing.table.AccountPriceTableRefInventory' },
  summary: 'Which prices an account pays',
  scope: 'admin',
  fields: { accountUuid: uuid, tableUuid: uuid },
  hidden: ['uuid', 'name', 'description'],
  edges: {
    account: { to: 'account', via: 'accountUuid', kind: 'parent', onDelete: 'cascade', inverse: 'priceTableRefs' },
    table: { to: 'priceTable', via: 'tableUuid', kind: 'parent', onDelete: 'cascade', inverse: 'accountRefs' },
  },
  indexes: ['uuid', 'accountUuid', 'tableUuid'],
  columns: ['accountUuid', 'tableUuid', 'createDate'],
  apis: [
    query('QueryAccountPriceTableRef', '/accounts/price-tables/refs', 'accountPriceTableRef', { byUuid: false }),
    {
      ...attach('AttachPriceTableToAccount', 'POST', ends, {
        of: 'accountPriceTableRef',
        workflow: 'priceTable.attach',
        verb: 'attach',
        names: { tableUuid: 'priceTable' },
        summary: 'Let an account pay the prices of a table from now on',
      }),
      result: { kind: 'empty' },
    },
    {
      ...attach('DetachPriceTableFromAccount', 'DELETE', ends, {
        of: 'accountPriceTableRef',
        workflow: 'priceTable.detach',
        verb: 'detach',
        names: { tableUuid: 'priceTable' },
        summary: 'Let an account pay the prices that are in no table',
      }),
      result: { kind: 'empty' },
    },
    {
      ...action('ChangeAccountPriceTableBinding', ends, {
        of: 'accountPriceTableRef',
        workflow: 'priceTable.change',
        verb: 'change',
        names: { tableUuid: 'priceTable' },
        result: { kind: 'empty' },
        summary: 'Let an account that has a table pay the prices of another',
      }),
    },
  ],
})

/** What one unit costs for one unit of time. Of several that hold at a time the newest does. */
export const priceResource = defineResource({
  name: 'price',
  noun: 'price',
  path: '/billings/prices',
  inventory: { sdk: 'PriceInventory', java: 'org.zstack.billing.PriceInventory' },
  summary: 'What CPU, memory, volumes and addresses cost',
  scope: 'admin',
  fields: {
    resourceName: item,
    resourceUnit: z.enum(keysOf(byteUnits)).nullable(),
    timeUnit,
    price,
    /** it holds from then */
    dateInLong: at,
    /** and until then */
    endDateInLong: at.nullable(),
    tableUuid: uuid.nullable(),
  },
  hidden: ['name'],
  edges: { table: { to: 'priceTable', via: 'tableUuid', kind: 'parent', onDelete: 'cascade', inverse: 'prices' } },
  indexes: ['resourceName', 'tableUuid'],
  columns: ['resourceName', 'uuid', 'price', 'resourceUnit', 'timeUnit', 'dateInLong', 'endDateInLong', 'tableUuid'],
  apis: [
    {
      ...create('CreateResourcePrice', '/billings/prices', {
        of: 'price',
        workflow: 'price.create',
        params: {},
        names: { tableUuid: 'priceTable' },
        summary: 'Say what something costs, from now on or from another time',
      }),
      params: z.object({ ...unnamed, ...priceParams, tableUuid: uuid.optional() }),
    },
    query('QueryResourcePrice', '/billings/prices', 'price'),
    action('UpdateResourcePrice', '/billings/prices/{uuid}/actions', {
      of: 'price',
      workflow: 'price.update',
      verb: 'update',
      params: { endDateInLong: at.optional(), setEndDateInLongBaseOnCurrentTime: z.boolean().optional() },
      summary: 'Let a price end',
    }),
    remove('DeleteResourcePrice', '/billings/prices/{uuid}', 'price', {
      workflow: 'price.delete',
      params: { cutoffPrice: z.boolean().optional() },
      summary: 'Delete a price, for the past as well; with cutoffPrice it only ends now',
    }),
  ],
})

const part = z.object({ startTime: z.number(), endTime: z.number(), spending: z.number() })
const memoryPart = part.extend({ memorySize: z.number() })
const volumePart = part.extend({ volumeSize: z.number() })
const detail = z.object({
  resourceUuid: z.string(),
  resourceName: z.string(),
  type: z.string(),
  hypervisorType: z.string(),
  spending: z.number(),
  cpuInventory: z.array(part).optional(),
  memoryInventory: z.array(memoryPart).optional(),
  rootVolumeInventory: z.array(volumePart).optional(),
  sizeInventory: z.array(part.extend({ volumeSize: z.number().optional(), snapshotSize: z.number().optional() })).optional(),
  addressInventory: z.array(part).optional(),
})
/** ZStack's `Spending`: all of one kind. */
const spending = z.object({
  spendingType: z.string(),
  spending: z.number(),
  dateStart: z.number(),
  dateEnd: z.number(),
  details: z.array(detail).optional(),
})
/** One resource at one size and one price. */
const billLine = z.object({
  item,
  resourceUuid: uuid,
  resourceName: z.string(),
  from: time,
  to: time,
  /** CPUs, bytes or addresses */
  quantity: z.number(),
  /** null: nothing said what it costs then */
  price: z.number().nullable(),
  resourceUnit: z.string().nullable(),
  timeUnit: z.string().nullable(),
  amount: z.number(),
})

/** A bill is no row: it follows from the log and the prices whenever it is asked for. */
export const bill = defineResource({
  name: 'bill',
  noun: 'bill',
  path: '/billings/accounts',
  summary: 'What an account has used, and what that costs',
  scope: { owner: 'accountUuid' },
  fields: {},
  edges: {},
  indexes: [],
  columns: [],
  apis: [
    call('CalculateAccountSpending', 'PUT', '/billings/accounts/{accountUuid}/actions', {
      verb: 'calculate',
      names: { accountUuid: 'account' },
      params: {
        dateStart: at.optional(),
        dateEnd: at.optional(),
        simple: z.boolean().optional(),
        hypervisorType: z.enum(['KVM', 'Simulator', 'ESX', 'xdragon']).optional(),
      },
      summary: 'What an account spent in a time, by kind and resource',
      result: { kind: 'fields', schema: z.object({ total: z.number(), spending: z.array(spending) }) },
    }),
    call('GetAccountBill', 'GET', '/billings/accounts/{accountUuid}/bill', {
      verb: 'lines',
      own: true,
      names: { accountUuid: 'account' },
      params: { from: text.optional(), to: text.optional() },
      summary: 'What an account used in a time, each line with its price',
      result: {
        kind: 'fields',
        schema: z.object({
          accountUuid: uuid,
          accountName: name,
          from: time,
          to: time,
          total: z.number(),
          lines: z.array(billLine),
        }),
      },
    }),
  ],
})
