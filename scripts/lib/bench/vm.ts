/** Starting a real VM through the API against raw define + create: the numbers of `vm-site.ts`, judged. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ask, end } from './process.ts'
import { type Result, spread, unsteady } from './result.ts'

export interface VmOptions {
  root: string
  pairs: number
  say(text: string): void
}

const GOAL = 1.03

const half = (list: number[], second: boolean) =>
  spread(list.slice(second ? list.length >> 1 : 0, second ? undefined : list.length >> 1)).median

export async function benchVm(o: VmOptions): Promise<{ results: Result[]; voided: string[] }> {
  o.say('starting a site of its own: nats-server, libvirtd, controller, agents')
  const argv = [
    '--net',
    '--mount',
    join(o.root, 'scripts/lib/isolated'),
    process.execPath,
    '--import',
    'tsx',
    join(o.root, 'scripts/lib/bench/vm-site.ts'),
  ]
  const child = spawn('unshare', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const { raw, api } = await ask<{ raw: number[]; api: number[] }>(child, { pairs: o.pairs })
    const ratio = spread(api.map((ms, i) => ms / raw[i]!)).median
    // Single starts scatter; the limit is steady when both halves of the run agree.
    const why = unsteady('define + create', spread([half(raw, false), half(raw, true)]), 'ms')
    return {
      voided: why === undefined ? [] : [why],
      results: [
        {
          bench: 'vm',
          what: `start, ${o.pairs} pairs (ratio: median of the pairs)`,
          unit: 'ms',
          limit: spread(raw),
          skerry: spread(api),
          ratio,
          goal: `≤ ${GOAL}×`,
          met: ratio <= GOAL,
        },
        {
          bench: 'vm',
          what: 'start, time beyond define + create',
          unit: 'ms',
          skerry: spread(api.map((ms, i) => ms - raw[i]!)),
          goal: '',
          met: null,
        },
      ],
    }
  } finally {
    await end(child)
  }
}
