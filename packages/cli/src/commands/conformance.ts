/** `skerry conformance`: an agent of any make against the protocol, on a bus without a controller. */
import { randomUUID } from 'node:crypto'
import type { Result, Sample } from '@skerry/agent/conformance'
import { SkerryError } from '@skerry/contract/errors'
import type { Io } from '../io.ts'
import { type NatsOptions, withBus } from './nats.ts'

export interface ConformanceOptions extends NatsOptions {
  sample?: string
  output: 'table' | 'json'
}

const DEFAULT_TIMEOUT_S = 5
/** A heartbeat comes every 5 s, with some jitter. */
const LISTEN_MS = 6_000
const signs: Record<Result['outcome'], string> = { passed: '✓', failed: '✗', skipped: '-' }
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const newId = () => randomUUID().replaceAll('-', '')

const line = ({ name, outcome, because }: Result) =>
  [`${signs[outcome]} ${name}`, ...(because ? because.split('\n').map((one) => `    ${one}`) : [])].join('\n')

async function sampleFrom(io: Io, path: string | undefined): Promise<Sample> {
  if (path === undefined) return {}
  try {
    return JSON.parse(await io.readFile(path)) as Sample
  } catch (cause) {
    throw new SkerryError('invalid-argument', `--sample: ${path} holds no JSON`, { field: 'sample' }, { cause })
  }
}

/** Gives the exit code: 1 where a check failed. */
export async function conformance(io: Io, asked: string | undefined, o: ConformanceOptions): Promise<number> {
  const sample = await sampleFrom(io, o.sample)
  const { agentsOn, tryAgent } = await import('@skerry/agent/conformance')
  return withBus(io, o, async (bus) => {
    const found = await agentsOn(bus, { ms: LISTEN_MS, sleep, wanted: asked })
    const [agent, more] = found.filter(({ uuid }) => asked === undefined || uuid === asked)
    if (agent === undefined || more !== undefined) {
      const names = found.map(({ kind, uuid }) => `${kind} ${uuid}`).join(', ')
      throw new SkerryError(
        'invalid-argument',
        agent ? `which one? ${names}` : `no such agent beats here: ${names || 'none does'}`,
        {
          field: 'agent',
        },
      )
    }
    const timeoutMs = Number(o.timeout ?? DEFAULT_TIMEOUT_S) * 1000
    const told = (result: Result) => (o.output === 'json' ? undefined : io.out(line(result)))
    const results = await tryAgent({ bus, agent, sample, newId, sleep, timeoutMs }, told)
    const count = (outcome: Result['outcome']) => results.filter((one) => one.outcome === outcome).length
    const failed = count('failed')
    if (o.output === 'json') io.out(JSON.stringify({ agent, results }, null, 2))
    else io.out(`${agent.kind} ${agent.uuid}: ${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped`)
    return failed > 0 ? 1 : 0
  })
}
