/** A list as a table for a spreadsheet (RFC 4180), where `Accept: text/csv` asks for it. */
import type { Api, Row } from '@skerry/contract'
import { elementOf, kindOf, shapeOf } from '../inventory/index.ts'

/** A cell that a spreadsheet would take for a formula is made text: names are chosen by tenants. */
function cell(value: string | number | null): string {
  if (typeof value === 'number') return String(value)
  const text = /^[=+\-@\t\r]/.test(value ?? '') ? `'${value}` : (value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export const csvOf = (columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string =>
  [columns, ...rows.map((row) => columns.map((column) => (row[column] ?? null) as string | number | null))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('')

/** The only list of the answer as CSV, where the client asks for that. Its columns are those of the contract, whatever its rows lack. */
export function csvAnswer(request: Request, api: Api, body: Readonly<Row>): Response | undefined {
  if (!/\btext\/csv\b/i.test(request.headers.get('accept') ?? '') || api.result.kind !== 'fields') return undefined
  const lists = Object.entries(shapeOf(api.result.schema)).filter(([field]) => Array.isArray(body[field]))
  if (lists.length !== 1) return undefined
  const [field, list] = lists[0]!
  // What a query finds has no columns of its own.
  if (kindOf(elementOf(list)) !== 'object') return undefined
  const columns = Object.keys(shapeOf(elementOf(list)))
  return new Response(csvOf(columns, body[field] as Row[]), {
    headers: { 'content-type': 'text/csv; charset=utf-8; header=present' },
  })
}
