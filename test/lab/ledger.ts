/** An agent's ledger on the lab's disk: what its writer said is durable, and whether it is there after the next start. */
import { join } from 'node:path'
import { type Lab, type LabProcess, SHARE } from '@skerry/testkit'
import { until } from '../harness/site.ts'
import { bundleProgram } from './bundle.ts'
import { SLOW_MS, STATE } from './lab-site.ts'

const DIR = join(STATE, 'ledger')
const PROGRAM = 'ledger-program.mjs'

/** Bundles the lab's program into a folder. */
export async function buildLedgerProgram(dir: string): Promise<void> {
  await bundleProgram(dir, join(import.meta.dirname, 'ledger-program.ts'))
}

type Step = 'vm' | 'fact' | 'together' | 'epoch' | 'receipt'
type Held = [uuid: string, seq: number, size: number, facts: { n?: number }]
interface Found {
  vms: Held[]
  together: Held[]
  receipts: number[]
  fenced: boolean
  damaged: unknown[]
}

export class LedgerPromises {
  /** Highest round whose step was said to be durable. */
  readonly #said = new Map<Step, number>()
  readonly #receipts = new Set<number>()
  #writer: LabProcess | undefined
  /** Steps that were promised, all in all. */
  count = 0

  async start(lab: Lab, env: Record<string, string> = {}): Promise<void> {
    this.#writer = await lab.start([process.execPath, join(SHARE, PROGRAM), 'write', DIR], { env })
    await until('a ledger that is written', SLOW_MS, async () => (await this.#writer!.stdout()).includes('receipt'))
  }

  /** After the cut: takes in what the writer had said. Its words went straight into a file out here. */
  async heard(): Promise<void> {
    const lines = (await this.#writer!.stdout()).split('\n').slice(0, -1)
    for (const line of lines) {
      const [step, n] = JSON.parse(line) as [Step, number]
      this.#said.set(step, n)
      if (step === 'receipt') this.#receipts.add(n)
    }
    this.count += lines.length
  }

  /** One line for each broken promise. */
  async broken(lab: Lab): Promise<string[]> {
    const epoch = String(this.#said.get('epoch') ?? 0)
    const text = await lab.must([process.execPath, join(SHARE, PROGRAM), 'read', DIR, epoch], { timeoutMs: SLOW_MS })
    const found = JSON.parse(text) as Found
    return [
      ...found.damaged.map((damage) => `ledger: torn ${JSON.stringify(damage)}`),
      ...this.#documents(found),
      ...[...this.#receipts].filter((n) => !found.receipts.includes(n)).map((n) => `ledger: receipt ${n} is lost`),
      ...(found.fenced ? [] : [`ledger: epoch ${epoch} is forgotten`]),
    ]
  }

  #documents({ vms, together }: Found): string[] {
    const newest = (of: Held[]) => Math.max(0, ...of.map(([, seq]) => seq))
    const at = (step: Step) => this.#said.get(step) ?? 0
    const half = new Set(together.map(([, seq]) => seq)).size > 1 || ![0, 3].includes(together.length)
    const facts = Math.max(0, ...vms.map(([, , , { n = 0 }]) => n))
    return [
      ...(newest(vms) < at('vm') ? [`ledger: document ${at('vm')} is lost, the newest is ${newest(vms)}`] : []),
      ...(facts < at('fact') ? [`ledger: fact ${at('fact')} is lost, the newest is ${facts}`] : []),
      ...(newest(together) < at('together') ? [`ledger: sync ${at('together')} is lost`] : []),
      ...(half ? [`ledger: a sync is half there: ${JSON.stringify(together)}`] : []),
      ...[...vms, ...together].filter(([, seq, size]) => seq !== size).map(([uuid]) => `ledger: ${uuid} holds another's content`),
    ]
  }
}
