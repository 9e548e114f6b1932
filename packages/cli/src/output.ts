/** Results as a table for people, or JSON, YAML and names for programs. Pure. */
import type { Row } from '@skerry/contract'

export const formats = ['table', 'json', 'yaml', 'name'] as const
export type Format = (typeof formats)[number]

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `1.5 GiB`; exact below 1 KiB. */
export function humanBytes(bytes: number): string {
  const exponent = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** exponent
  return `${exponent === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${units[exponent]}`
}

const isBytes = (column: string) => /(^size|Size|Capacity)$/.test(column) && !/Cpu/.test(column)

/** What lies at a path, through lists: `vmNics.ip` is the list of all their addresses. */
function at(value: unknown, [first, ...rest]: string[]): unknown {
  if (first === undefined) return value
  if (Array.isArray(value))
    return value.map((one) => at(one, [first, ...rest])).filter((one) => one !== undefined && one !== null)
  return typeof value === 'object' && value !== null ? at((value as Row)[first], rest) : undefined
}

/** One cell. A VM's `ip` is that of its cards. `a.b`: what lies in `a`. */
export function cell(row: Row, column: string): string {
  if (column === 'ip' && row['ip'] === undefined)
    return ((row['vmNics'] as Row[] | undefined) ?? [])
      .map((nic) => nic['ip'])
      .filter(Boolean)
      .join(',')
  const value = at(row, column.split('.'))
  if (value === undefined || value === null) return ''
  if (typeof value === 'number' && isBytes(column)) return humanBytes(value)
  if (Array.isArray(value)) return value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one))).join(',')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Columns as wide as their widest cell, two spaces between, no trailing space. */
export function table(columns: readonly string[], rows: readonly Row[]): string {
  const lines = [columns.map((column) => column.toUpperCase()), ...rows.map((row) => columns.map((column) => cell(row, column)))]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

async function yaml(value: unknown): Promise<string> {
  // Only who asks for YAML loads it. As a bundled CommonJS module its names lie under `default`.
  const module = await import('yaml')
  const { stringify } = 'stringify' in module ? module : (module as { default: typeof import('yaml') }).default
  return stringify(value).trimEnd()
}

const nameOf = (row: Row) => String(row['name'] ?? row['uuid'] ?? '')

/** A list of resources. */
export async function formatList(rows: readonly Row[], columns: readonly string[], format: Format): Promise<string> {
  if (format === 'json') return JSON.stringify(rows, null, 2)
  if (format === 'yaml') return yaml(rows)
  if (format === 'name') return rows.map(nameOf).join('\n')
  return rows.length === 0 ? 'nothing found' : table(columns, rows)
}

/** One reply: its `inventory` where there is one. */
export async function formatOne(reply: Row, columns: readonly string[], format: Format): Promise<string> {
  const inventory = reply['inventory'] as Row | undefined
  const subject = inventory ?? reply
  if (format === 'json') return JSON.stringify(subject, null, 2)
  if (format === 'yaml') return yaml(subject)
  if (format === 'name') return nameOf(subject)
  if (inventory && columns.length > 0) return table(columns, [inventory])
  const lists = Object.entries(reply).filter(([, value]) => Array.isArray(value) && value.every((one) => typeof one === 'object'))
  const [list] = lists
  if (list && Object.keys(reply).length === 1)
    return formatList(list[1] as Row[], Object.keys((list[1] as Row[])[0] ?? {}), 'table')
  const entries = Object.entries(subject)
  return entries.length === 0
    ? 'done'
    : entries.map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`).join('\n')
}
