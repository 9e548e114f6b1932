/** `scripts/bench [api|vm|recover …]`: runs the named benchmarks, prints a table, ends with 1 where a run says nothing. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchApi } from './api.ts'
import { benchRecover } from './recover.ts'
import { type Result, table } from './result.ts'
import { benchVm } from './vm.ts'

const root = join(import.meta.dirname, '../../..')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rows: { type: 'string', default: '1000000' },
    records: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    pairs: { type: 'string', default: '30' },
    keep: { type: 'boolean', default: false },
  },
})

function positive(name: 'rows' | 'records' | 'rounds' | 'seconds' | 'pairs'): number {
  const n = Number(values[name])
  if (!(n > 0)) throw new Error(`--${name} must be a positive number`)
  return n
}

const o = {
  root,
  rows: positive('rows'),
  records: positive('records'),
  rounds: positive('rounds'),
  seconds: positive('seconds'),
  pairs: positive('pairs'),
  say: (text: string) => console.error(`  ${text}`),
}
const benches: Record<string, (dir: string) => Promise<{ results: Result[]; voided: string[] }>> = {
  api: (dir) => benchApi({ ...o, dir }),
  recover: (dir) => benchRecover({ ...o, dir }),
  vm: () => benchVm(o),
}

const names = positionals.length > 0 ? positionals : process.getuid?.() === 0 ? Object.keys(benches) : ['api', 'recover']
for (const name of names)
  if (!(name in benches)) throw new Error(`no such benchmark: ${name}; there are ${Object.keys(benches).join(', ')}`)
if (o.rounds < 5) console.error('  fewer than 5 rounds: a trial, not a measurement')
execFileSync('scripts/build', [], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

const results: Result[] = []
const voided: string[] = []
for (const name of names) {
  console.error(`== ${name}`)
  const dir = await mkdtemp(join(tmpdir(), 'skerry-bench-'))
  try {
    const found = await benches[name]!(dir)
    results.push(...found.results)
    voided.push(...found.voided)
  } finally {
    if (!values.keep) await rm(dir, { recursive: true, force: true })
  }
}
console.log(table(results))
for (const text of voided) console.log(text)
if (values.json)
  await writeFile(
    values.json,
    `${JSON.stringify({ at: new Date().toISOString(), node: process.version, options: { rows: o.rows, records: o.records, rounds: o.rounds, seconds: o.seconds, pairs: o.pairs }, results, voided }, null, 1)}\n`,
  )
process.exit(voided.length > 0 ? 1 : 0)
