/** Bills: made from the log and the prices whenever they are asked for, and kept nowhere. */
import { type PricedItem, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { type Line, linesOf, type Price, totalOf } from '../billing/bill.ts'
import { spendingOf } from '../billing/spending.ts'
import { Meterage } from '../billing/usage.ts'
import type { Call } from '../engine/port.ts'
import { timeFrom } from '../http/index.ts'
import type { Store } from '../store/index.ts'

export interface BillPorts {
  graph: Graph
  store: Pick<Store, 'seqAt' | 'replay' | 'status' | 'read' | 'durableSeq'>
  now(): number
}

interface Period {
  from: number
  to: number
}

/** When the log that is kept begins. */
async function beginning({ store, now }: BillPorts): Promise<number> {
  for await (const { commit } of store.read(store.status().oldestSeq)) return commit.at
  return now()
}

/** Without a beginning: from where the log begins. */
async function linesIn(p: BillPorts, account: string, period: Period): Promise<Line[]> {
  const oldest = p.store.status().oldestSeq
  const first = oldest <= 1 ? 0 : oldest
  const from = period.from <= (await beginning(p)) ? first : await p.store.seqAt(period.from)
  const to = period.to < p.now() ? await p.store.seqAt(period.to) : p.store.durableSeq
  let meterage: Meterage | undefined
  await p.store.replay(
    { from, to },
    {
      begin: (graph) => void (meterage = new Meterage(graph, { ...period, account })),
      after: (commit, graph) => meterage!.see(commit, graph),
    },
  )
  const { usages, bindings } = meterage!.end()
  const prices = [...p.graph.rows('price')].map(([, row]) => row as unknown as Price)
  return linesOf(usages, prices, bindings)
}

async function checked(p: BillPorts, { from, to }: Period, field: { from: string; to: string }): Promise<Period> {
  const now = p.now()
  if (to < from)
    throw new SkerryError('invalid-argument', `invalid field[${field.to}]: it is before ${field.from}`, { field: field.to })
  // What is kept no more can't be billed; the beginning of all is where the log begins.
  const since = from <= 0 ? await beginning(p) : from
  return { from: Math.min(since, now), to: Math.min(to, now) }
}

const lineRow = ({ item, resourceUuid, resourceName, from, to, quantity, price, amount }: Line): Row => ({
  ...{ item: item satisfies PricedItem, resourceUuid, resourceName, from, to, quantity },
  ...{ price: price?.price ?? null, resourceUnit: price?.resourceUnit ?? null, timeUnit: price?.timeUnit ?? null, amount },
})

export function billCalls(p: BillPorts): Record<string, (call: Call) => Promise<Row>> {
  return {
    async CalculateAccountSpending({ params }) {
      const given = {
        from: (params['dateStart'] as number | undefined) ?? 0,
        to: (params['dateEnd'] as number | undefined) ?? p.now(),
      }
      const period = await checked(p, given, { from: 'dateStart', to: 'dateEnd' })
      const lines = await linesIn(p, params['accountUuid'] as string, period)
      // Every guest here is KVM's.
      const counted = (params['hypervisorType'] ?? 'KVM') === 'KVM' ? lines : []
      return { total: totalOf(counted), spending: spendingOf(counted, { ...period, simple: params['simple'] === true }) }
    },
    async GetAccountBill({ params }) {
      const accountUuid = params['accountUuid'] as string
      const now = p.now()
      const at = (field: 'from' | 'to', otherwise: number) =>
        params[field] === undefined ? otherwise : timeFrom(params[field] as string, { field, now })
      const period = await checked(p, { from: at('from', 0), to: at('to', now) }, { from: 'from', to: 'to' })
      const lines = await linesIn(p, accountUuid, period)
      const accountName = p.graph.get('account', accountUuid)?.['name'] ?? ''
      return { accountUuid, accountName, ...period, total: totalOf(lines), lines: lines.map(lineRow) }
    },
  }
}
