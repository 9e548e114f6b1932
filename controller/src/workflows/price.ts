/** Prices, tables of them, and which accounts pay which. Rows only. */
import { byteUnitOf, type Op, type PricedItem, type Row, SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { rowsStep } from './rows.step.ts'
import { type Action, baseRow, type CheckInput, type Ctx, derivedId, type Input, need, touch, type World } from './world.ts'

const COUNTED_IN_PIECES: ReadonlySet<PricedItem> = new Set(['cpu', 'publicIp'])

/** What counts in bytes needs a unit, what counts in pieces has none (ZStack's clients send one all the same). */
function needUnit({ resourceName, resourceUnit }: Row): void {
  if (COUNTED_IN_PIECES.has(resourceName as PricedItem) || typeof resourceUnit === 'string') return
  const message = `invalid field[resourceUnit]: the price of ${resourceName} needs a unit, such as g`
  throw new SkerryError('invalid-argument', message, { field: 'resourceUnit' })
}

function priceRow(ctx: Ctx, given: Row, at: { uuid: string; tableUuid: string | null }): Row {
  const now = ctx.world.now()
  const item = given['resourceName'] as PricedItem
  return {
    ...{ ...at, name: item, description: null, createDate: now, lastOpDate: now, resourceName: item },
    resourceUnit: COUNTED_IN_PIECES.has(item) ? null : byteUnitOf(given['resourceUnit'] as string),
    timeUnit: given['timeUnit'],
    price: given['price'],
    dateInLong: given['dateInLong'] ?? now,
    endDateInLong: null,
  }
}

const rows = (name: string, step: ReturnType<typeof rowsStep>) =>
  defineWorkflow<Input, World>({ name, version: 1, input, steps: [step] })

function tableOps(ctx: Ctx): Op[] {
  const { uuid, params } = ctx.input
  const prices = (params['prices'] as Row[] | undefined) ?? []
  const priced = prices.map((given, i): Op => {
    const k = derivedId(ctx, `price ${i}`)
    return { o: 'put', t: 'price', k, v: priceRow(ctx, given, { uuid: k, tableUuid: uuid }) }
  })
  return [{ o: 'put', t: 'priceTable', k: uuid, v: baseRow(ctx) }, ...priced]
}

const absent = (t: string, k: string) => ({ g: 'absent' as const, t, k })
const exists = (t: string, k: string) => ({ g: 'exists' as const, t, k })

function needNew({ graph, uuid }: CheckInput, table: string): void {
  if (graph.get(table, uuid)) throw new SkerryError('duplicate-uuid', `a ${table} with uuid ${uuid} exists`, { uuid })
}

const priceTableCreate: Action = {
  workflow: rows(
    'priceTable.create',
    rowsStep('create', (ctx) =>
      ctx.world.graph.get('priceTable', ctx.input.uuid)
        ? { ops: [] }
        : { ops: tableOps(ctx), guards: [absent('priceTable', ctx.input.uuid)] },
    ),
  ),
  check(i) {
    needNew(i, 'priceTable')
    for (const given of (i.params['prices'] as Row[] | undefined) ?? []) needUnit(given)
  },
}

const priceCreate: Action = {
  workflow: rows(
    'price.create',
    rowsStep('create', (ctx) => {
      const { uuid, params } = ctx.input
      if (ctx.world.graph.get('price', uuid)) return { ops: [] }
      const tableUuid = (params['tableUuid'] as string | undefined) ?? null
      const guards = [absent('price', uuid), ...(tableUuid === null ? [] : [exists('priceTable', tableUuid)])]
      return { ops: [{ o: 'put', t: 'price', k: uuid, v: priceRow(ctx, params, { uuid, tableUuid }) }], guards }
    }),
  ),
  check(i) {
    needNew(i, 'price')
    needUnit(i.params)
    if (i.params['tableUuid'] !== undefined) need(i.graph, 'priceTable', i.params['tableUuid'])
  },
}

/** Its end, from the time when the job first said it: repeated later it is the same. */
function endOf(ctx: Ctx): Op[] {
  const row = ctx.world.graph.get('price', ctx.input.uuid)
  const { endDateInLong, setEndDateInLongBaseOnCurrentTime } = ctx.input.params
  if (!row) return []
  const given = setEndDateInLongBaseOnCurrentTime === true ? ctx.world.now() : endDateInLong
  return given === undefined ? [] : [touch(ctx, 'price', ctx.input.uuid, { endDateInLong: given as number })]
}

const priceUpdate: Action = {
  workflow: rows(
    'price.update',
    rowsStep('update', (ctx) => ({ ops: endOf(ctx), guards: [exists('price', ctx.input.uuid)] })),
  ),
  check({ graph, uuid, params }) {
    const from = need(graph, 'price', uuid)['dateInLong'] as number
    const end = params['endDateInLong'] as number | undefined
    if (end === undefined && params['setEndDateInLongBaseOnCurrentTime'] !== true)
      throw new SkerryError('invalid-argument', 'give endDateInLong, or setEndDateInLongBaseOnCurrentTime', {
        field: 'endDateInLong',
      })
    if (end !== undefined && end < from)
      throw new SkerryError('invalid-argument', 'invalid field[endDateInLong]: the price would end before it begins', {
        field: 'endDateInLong',
        dateInLong: from,
      })
  },
}

const priceDelete: Action = {
  workflow: rows(
    'price.delete',
    rowsStep('delete', (ctx) => {
      const { uuid, params } = ctx.input
      if (!ctx.world.graph.get('price', uuid)) return { ops: [] }
      if (params['cutoffPrice'] !== true) return { ops: [{ o: 'del', t: 'price', k: uuid }] }
      return { ops: [touch(ctx, 'price', uuid, { endDateInLong: ctx.world.now() })] }
    }),
  ),
  check: ({ graph, uuid }) => void need(graph, 'price', uuid),
}

const refOf = (params: Row) => ({
  accountUuid: params['accountUuid'] as string,
  tableUuid: params['tableUuid'] as string,
})

function bind(ctx: Ctx, guard: 'absent' | 'exists'): ReturnType<Parameters<typeof rowsStep>[1]> {
  const { accountUuid, tableUuid } = refOf(ctx.input.params)
  const before = ctx.world.graph.get('accountPriceTableRef', accountUuid)
  if (before?.['tableUuid'] === tableUuid) return { ops: [] }
  const now = ctx.world.now()
  const v = {
    ...{ uuid: accountUuid, name: 'price table', description: null, accountUuid, tableUuid },
    ...{ createDate: (before?.['createDate'] as number | undefined) ?? now, lastOpDate: now },
  }
  return {
    ops: [{ o: 'put', t: 'accountPriceTableRef', k: accountUuid, v }],
    guards: [
      { g: guard, t: 'accountPriceTableRef', k: accountUuid },
      exists('account', accountUuid),
      exists('priceTable', tableUuid),
    ],
  }
}

function unbind(ctx: Ctx): { ops: Op[] } {
  const { accountUuid, tableUuid } = refOf(ctx.input.params)
  const bound = ctx.world.graph.get('accountPriceTableRef', accountUuid)?.['tableUuid'] === tableUuid
  return { ops: bound ? [{ o: 'del', t: 'accountPriceTableRef', k: accountUuid }] : [] }
}

/** Refuses what is not so: `has`: the account has a table already, and which. */
function binding(
  name: string,
  step: ReturnType<typeof rowsStep>,
  has: (bound: unknown, table: unknown) => string | undefined,
): Action {
  return {
    workflow: rows(name, step),
    queueKey: ({ params }) => params['accountUuid'] as string,
    check({ graph, params }) {
      const { accountUuid, tableUuid } = refOf(params)
      const account = need(graph, 'account', accountUuid)
      need(graph, 'priceTable', tableUuid)
      const wrong = has(graph.get('accountPriceTableRef', accountUuid)?.['tableUuid'], tableUuid)
      if (wrong) throw new SkerryError('illegal-state', `account ${account['name']} ${wrong}`, { accountUuid, tableUuid })
    },
  }
}

export const prices: readonly Action[] = [
  priceTableCreate,
  priceCreate,
  priceUpdate,
  priceDelete,
  binding(
    'priceTable.attach',
    rowsStep('attach', (ctx) => bind(ctx, 'absent')),
    (bound) => (bound === undefined ? undefined : 'has a price table already; change it, or detach it first'),
  ),
  binding(
    'priceTable.change',
    rowsStep('change', (ctx) => bind(ctx, 'exists')),
    (bound) => (bound === undefined ? 'has no price table; attach one' : undefined),
  ),
  binding('priceTable.detach', rowsStep('detach', unbind), (bound, table) =>
    bound === table ? undefined : 'does not have this price table',
  ),
]
