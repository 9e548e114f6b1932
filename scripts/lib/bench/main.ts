/** `scripts/bench [api|vm|recover|snapshot|libvirt|cli|simulate|mixed|agents|idle|events|allocate|query …]`: runs the named benchmarks, prints a table, ends with 1 where a run says nothing. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchAgents } from './agents.ts'
import { benchAllocate } from './allocate.ts'
import { benchApi } from './api.ts'
import { benchCli } from './cli.ts'
import { benchEvents } from './events.ts'
import { benchFfi } from './ffi.ts'
import { benchIdle } from './idle.ts'
import { benchMixed } from './mixed.ts'
import { benchPeers } from './peers.ts'
import { benchQuery } from './query.ts'
import { benchRecover } from './recover.ts'
import { type Result, table } from './result.ts'
import { benchSimulate } from './simulate.ts'
import { benchSnapshot } from './snapshot.ts'
import { benchSoak } from './soak.ts'
import { benchVm } from './vm.ts'

const root = join(import.meta.dirname, '../../..')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rows: { type: 'string', default: '1000000' },
    records: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '5' },
    /** default: 2, of agents 60, of idle 30 */
    seconds: { type: 'string' },
    pairs: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '30' },
    calls: { type: 'string' },
    rate: { type: 'string', default: '4' },
    /** default: 100, of allocate 10,000 */
    hosts: { type: 'string' },
    /** default: 1,000, of agents 100,000 */
    vms: { type: 'string' },
    agents: { type: 'string', default: '10000' },
    keep: { type: 'boolean', default: false },
  },
})

type Amount = 'rows' | 'records' | 'rounds' | 'seconds' | 'pairs' | 'minutes' | 'calls' | 'rate' | 'hosts' | 'vms' | 'agents'
function positive(name: Amount, otherwise?: number): number {
  const n = Number(values[name] ?? otherwise)
  if (!(n > 0)) throw new Error(`--${name} must be a positive number`)
  return n
}

const o = {
  root,
  rows: positive('rows'),
  records: positive('records'),
  rounds: positive('rounds'),
  seconds: positive('seconds', 2),
  pairs: positive('pairs'),
  minutes: positive('minutes'),
  rate: positive('rate'),
  hosts: positive('hosts', 100),
  vms: positive('vms', 1_000),
  say: (text: string) => console.error(`  ${text}`),
}
const benches: Record<string, (dir: string) => Promise<{ results: Result[]; voided: string[] }>> = {
  api: (dir) => benchApi({ ...o, dir }),
  recover: (dir) => benchRecover({ ...o, dir }),
  snapshot: (dir) => benchSnapshot({ ...o, dir }),
  vm: () => benchVm(o),
  simulate: (dir) => benchSimulate({ ...o, dir, env: process.env }),
  mixed: (dir) => benchMixed({ ...o, dir, env: process.env }),
  agents: (dir) => {
    const amounts = { agents: positive('agents'), vms: positive('vms', 100_000), seconds: positive('seconds', 60) }
    return benchAgents({ ...o, ...amounts, dir, env: process.env })
  },
  idle: (dir) => benchIdle({ ...o, dir, seconds: positive('seconds', 30), env: process.env }),
  events: (dir) => benchEvents({ ...o, dir, env: process.env }),
  allocate: () => benchAllocate({ ...o, hosts: positive('hosts', 10_000), calls: positive('calls', 10_000) }),
  query: () => benchQuery(o),
  peers: (dir) => benchPeers({ ...o, dir, env: process.env }),
  cli: (dir) => benchCli({ ...o, dir }),
  soak: (dir) => benchSoak({ ...o, dir, calls: positive('calls', 1_000_000) }),
  libvirt: () => benchFfi({ ...o, calls: positive('calls', 100_000) }),
}

const names =
  positionals.length > 0
    ? positionals
    : process.getuid?.() === 0
      ? ['api', 'recover', 'snapshot', 'vm']
      : ['api', 'recover', 'snapshot']
for (const name of names)
  if (!(name in benches)) throw new Error(`no such benchmark: ${name}; there are ${Object.keys(benches).join(', ')}`)
if (o.rounds < 5 && names.some((name) => name !== 'soak')) console.error('  fewer than 5 rounds: a trial, not a measurement')
execFileSync('scripts/build', [], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

// What is running ends with the process, last begun first; what it keeps goes after it.
for (const [signal, code] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(code))

const results: Result[] = []
const voided: string[] = []
for (const name of names) {
  console.error(`== ${name}`)
  const dir = await mkdtemp(join(tmpdir(), 'skerry-bench-'))
  const remove = () => values.keep || rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  process.once('exit', remove)
  try {
    const found = await benches[name]!(dir)
    results.push(...found.results)
    voided.push(...found.voided)
  } finally {
    process.off('exit', remove)
    remove()
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
