/** `skerry bill <account>`: what it used in a time and what that costs; with `--csv` as a table for a spreadsheet. */
import type { Row } from '@skerry/contract'
import type { Io } from '../io.ts'
import { type Format, formatOne, table } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface BillOptions extends Globals {
  output: Format
  from?: string
  to?: string
  csv?: boolean
}

const COLUMNS = ['item', 'resource', 'from', 'to', 'quantity', 'price', 'amount']
const PER: Readonly<Record<string, string>> = { s: 'second', m: 'minute', h: 'hour', d: 'day', w: 'week', mon: 'month' }
/** Of amounts; a bill for a minute of a small guest is not 0. */
const DIGITS = 6

const priceOf = ({ price, resourceUnit, timeUnit }: Row) =>
  price === undefined || price === null
    ? 'none'
    : `${price}${resourceUnit ? ` / ${String(resourceUnit).toUpperCase()}` : ''} / ${PER[String(timeUnit)] ?? timeUnit}`

const shown = (line: Row): Row => ({
  ...line,
  resource: line['resourceName'] || line['resourceUuid'],
  price: priceOf(line),
  amount: (line['amount'] as number).toFixed(DIGITS),
})

export async function bill(io: Io, account: string, o: BillOptions): Promise<void> {
  const client = await clientOf(io, o)
  const period = { ...(o.from ? { from: o.from } : {}), ...(o.to ? { to: o.to } : {}) }
  if (o.csv) return io.out(await client.billAsCsv(account, period))
  const answer = await client.bill(account, period)
  if (o.output !== 'table') return io.out(await formatOne(answer, [], o.output))
  const lines = answer['lines'] as Row[]
  io.out(`${answer['accountName']}, ${answer['from']} to ${answer['to']}`)
  io.out(lines.length === 0 ? 'nothing was used' : table(COLUMNS, lines.map(shown)))
  io.out(`total ${(answer['total'] as number).toFixed(DIGITS)}`)
}
