/**
 * Runs in the lab. `write DIR` changes an agent's ledger for ever and says on stdout what is durable, a line each; `read DIR EPOCH`
 * says what a ledger holds, and whether it still refuses an owner older than EPOCH.
 */
import { writeSync } from 'node:fs'
import { type Ledger, openLedger, specHash } from '@skerry/agent'
import type { Document } from '@skerry/contract'
import { realHost } from '@skerry/host'

const id = (n: number) => n.toString(16).padStart(32, '0')
/** One sync holds these three: all of them or none. */
const TOGETHER = [id(0x101), id(0x102), id(0x103)]
const IMAGE = id(0x201)
const VMS = 8
const HOUR_MS = 3_600_000

const say = (words: unknown) => void writeSync(1, `${JSON.stringify(words)}\n`)

function doc(noun: string, uuid: string, n: number): Document {
  const spec = { size: n, filling: 'x'.repeat(2_000) }
  return { noun, uuid, schema: 1, generation: { incarnation: 1, seq: n }, hash: specHash(spec), job: null, spec }
}

/** Each step is said when it has been promised, and not before. */
async function round(ledger: Ledger, n: number): Promise<void> {
  const vm = id(n % VMS)
  const steps: Record<string, () => Promise<unknown>> = {
    vm: () => ledger.accept([doc('vm', vm, n)], 1),
    fact: () => ledger.setFacts('vm', vm, { n }),
    together: () =>
      ledger.accept(
        TOGETHER.map((uuid) => doc('pool', uuid, n)),
        1,
      ),
    epoch: () => ledger.fence('image', IMAGE, n),
    receipt: () =>
      ledger.receipts.put(
        { v: 1, id: id(n), about: 'a'.repeat(64), state: 'done', output: { n }, error: null, expiresAt: Date.now() + HOUR_MS },
        performance.now() + HOUR_MS,
      ),
  }
  for (const [step, act] of Object.entries(steps)) {
    await act()
    say([step, n])
  }
}

const seqs = (ledger: Ledger, noun: string) =>
  [...ledger.entries(noun)].map((e) => [e.uuid, e.generation.seq, e.spec?.['size'], e.facts])

async function refusesOlderThan(ledger: Ledger, epoch: number): Promise<boolean> {
  return ledger.fence('image', IMAGE, epoch - 1).then(
    () => false,
    (error: { code?: string }) => error.code === 'stale-epoch',
  )
}

const [verb, dir = '', epoch] = process.argv.slice(2)
const ledger = await openLedger({ dir, files: realHost().files, clock: { now: Date.now } })
const vms = seqs(ledger, 'vm')
const newest = Math.max(0, ...[...vms, ...seqs(ledger, 'pool')].map(([, seq]) => seq as number))
if (verb === 'read') {
  const receipts = Array.from({ length: newest + 1 }, (_, n) => n).filter((n) => ledger.receipts.get(id(n)))
  const fenced = Number(epoch) === 0 || (await refusesOlderThan(ledger, Number(epoch)))
  say({ vms, together: seqs(ledger, 'pool'), receipts, fenced, damaged: ledger.damaged })
} else for (let n = newest + 1; ; n += 1) await round(ledger, n)
