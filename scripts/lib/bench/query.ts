/**
 * `query`: what a question costs on a graph of a million resources, from its text to its rows: read, planned, run. No HTTP. The last ones
 * look at every VM, in slices: there the longest stretch in which nothing else could run is what counts.
 */
import { tables } from '../../../controller/src/engine/tables.ts'
import { Graph } from '../../../packages/graph/src/index.ts'
import {
  entities,
  parseQuery,
  parseZql,
  runQuery,
  runQuerySliced,
  runZql,
  runZqlSliced,
  type SliceOptions,
  targets,
} from '../../../packages/query/src/index.ts'
import { dataset, idOf, ipOf, vmCount, vmName } from './dataset.ts'
import { type Result, spread } from './result.ts'

interface Options {
  rows: number
  rounds: number
  say: (text: string) => void
}

const CALLS = 1000
/** Of the whole answer. */
const GOAL_MS = 1
const STALL_MS = 10
const SLICE_MS = 5

const byConditions = (graph: Graph, q: string[], more: object = {}) =>
  runQuery(graph, parseQuery({ q, ...more }, targets['vmInstance']!, targets)).keys.length
const byZql = (graph: Graph, text: string) => runZql(graph, parseZql(text, { targets, entities }))[0]!.rows!.keys.length

/** Each finds `rows` VMs, whichever `n` it is asked with. */
const questions: readonly { what: string; rows: number; ask: (graph: Graph, n: number) => number }[] = [
  { what: 'uuid=', rows: 1, ask: (graph, n) => byConditions(graph, [`uuid=${idOf('a1', n)}`]) },
  { what: 'name=', rows: 1, ask: (graph, n) => byConditions(graph, [`name=${vmName(n)}`]) },
  { what: 'vmNics.ip=', rows: 1, ask: (graph, n) => byConditions(graph, [`vmNics.ip=${ipOf(n)}`]) },
  {
    what: 'uuid=, cpuNum> and vmNics.ip~=',
    rows: 1,
    ask: (graph, n) => byConditions(graph, [`uuid=${idOf('a1', n)}`, 'cpuNum>0', 'vmNics.ip~=10.%']),
  },
  { what: 'a page of state=', rows: 20, ask: (graph) => byConditions(graph, ['state=Stopped'], { limit: 20 }) },
  { what: 'a page of the table', rows: 20, ask: (graph) => byConditions(graph, [], { limit: 20 }) },
  {
    what: 'name= behind 4 relations',
    rows: 1,
    ask: (graph, n) => byConditions(graph, [`rootVolume.vmInstance.vmNics.vmInstance.name=${vmName(n)}`]),
  },
  {
    what: 'ZQL: name= or ip=, and a comparison',
    rows: 2,
    ask: (graph, n) => {
      const other = ipOf((n + 1) % vmCount(graph.count('vmInstance') * 4))
      return byZql(graph, `query vminstance where (name = '${vmName(n)}' or vmNics.ip = '${other}') and cpuNum > 0`)
    },
  },
  {
    what: 'ZQL: nested query',
    rows: 1,
    ask: (graph, n) => byZql(graph, `query vminstance where uuid in (query vmnic.vmInstanceUuid where ip = '${ipOf(n)}')`),
  },
]

export async function benchQuery({ rows, rounds, say }: Options): Promise<{ results: Result[]; voided: string[] }> {
  const graph = new Graph(tables)
  for (const [t, k, row] of dataset(rows)) graph.load(t, k, { row, version: 1 })
  const vms = graph.count('vmInstance')
  const all = graph.tableNames().reduce((sum, name) => sum + graph.count(name), 0)
  say(`${all} resources, ${vms} of them VMs`)
  const results = questions.map(({ what, rows: expected, ask }): Result => {
    const medians: number[] = []
    const worst: number[] = []
    for (let round = 0; round < rounds; round++) {
      const took = Array.from({ length: CALLS }, (_, i) => {
        const n = (round * CALLS + i * 7919) % (vms - 1)
        const began = performance.now()
        const found = ask(graph, n)
        const ms = performance.now() - began
        if (found !== expected) throw new Error(`'${what}' found ${found} VMs, not ${expected}`)
        return ms
      }).sort((a, b) => a - b)
      medians.push(took[CALLS >> 1]!)
      worst.push(took[Math.floor(CALLS * 0.99)]!)
    }
    say(`${what}: p99 ${Math.max(...worst).toFixed(3)} ms in the worst round`)
    const skerry = spread(medians)
    return { bench: 'query', what, unit: 'ms (p50)', skerry, goal: `≤ ${GOAL_MS} ms`, met: skerry.median <= GOAL_MS }
  })
  results.push(...(await stalls(graph, vms, rounds, say)))
  return { results, voided: [] }
}

/** Each looks at every VM. */
const wide: readonly { what: string; ask: (graph: Graph, slices: SliceOptions) => Promise<number> }[] = [
  {
    what: 'a scan',
    ask: async (graph, slices) => {
      const query = parseQuery({ q: ['architecture~=%x86%'], count: true }, targets['vmInstance']!, targets)
      return (await runQuerySliced(graph, query, slices)).total!
    },
  },
  {
    what: 'a page by a field without an index',
    ask: async (graph, slices) => {
      const query = parseQuery({ q: [], sort: '-lastOpDate', limit: 20, replyWithCount: true }, targets['vmInstance']!, targets)
      return (await runQuerySliced(graph, query, slices)).total!
    },
  },
  {
    what: 'ZQL: all of them in order',
    ask: async (graph, slices) => {
      const zql = parseZql('query vminstance order by lastHostUuid desc', { targets, entities })
      return (await runZqlSliced(graph, zql, slices))[0]!.rows!.keys.length
    },
  },
  {
    what: 'ZQL: counted by host',
    ask: async (graph, slices) => {
      const zql = parseZql('count vminstance group by lastHostUuid', { targets, entities })
      return (await runZqlSliced(graph, zql, slices))[0]!.total!
    },
  },
]

/** The longest stretch in which nothing else could run. */
async function stalls(graph: Graph, vms: number, rounds: number, say: Options['say']): Promise<Result[]> {
  const results: Result[] = []
  for (const { what, ask } of wide) {
    const longests: number[] = []
    for (let round = 0; round < rounds; round++) {
      const began = performance.now()
      let sliceBegan = began
      let longest = 0
      const pause = async () => {
        longest = Math.max(longest, performance.now() - sliceBegan)
        await new Promise((resolve) => setImmediate(resolve))
        sliceBegan = performance.now()
      }
      const found = await ask(graph, { sliceMs: SLICE_MS, now: () => performance.now(), pause })
      if (found !== vms) throw new Error(`${what} found ${found} of ${vms} VMs`)
      longests.push(Math.max(longest, performance.now() - sliceBegan))
      if (round === 0) say(`${what}: ${(performance.now() - began).toFixed(0)} ms`)
    }
    const skerry = spread(longests)
    const met = skerry.max <= STALL_MS
    results.push({ bench: 'query', what: `longest stall of ${what}`, unit: 'ms', skerry, goal: `≤ ${STALL_MS} ms`, met })
  }
  return results
}
