/** `skerry sim`: latency, failures and capacity of simulated machines, through the simulator's own door. */
import {
  ALL_MACHINES,
  type BehaviourChange,
  type ErrorBody,
  fromErrorBody,
  machinesReply,
  operationsReply,
  SIMULATED_FOLDER,
  SIMULATOR_FILE,
  type SimulatedMachine,
  type SimulatorFile,
  SkerryError,
  simulatedAddress,
  simulatorFile,
  simulatorPaths,
} from '@skerry/contract'
import { flagValue } from '../flags.ts'
import type { Io } from '../io.ts'
import { type Format, formatList, humanBytes } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

export interface SimOptions extends Globals {
  output: Format
  stateDir?: string
}

export interface SimSetOptions extends SimOptions {
  host?: string
  all?: boolean
  latency?: string
  fail?: string[]
  cpus?: string
  memory?: string
  disk?: string
}

const COLUMNS = ['address', 'state', 'guests', 'cpus', 'memory', 'disk', 'used', 'latency', 'fail']
const ASK_MS = 60_000

function stateDirOf({ env }: Io, { stateDir }: SimOptions): string {
  const home = env['XDG_STATE_HOME'] ?? `${env['HOME'] ?? ''}/.local/state`
  return stateDir ?? env['SKERRY_STATE_DIR'] ?? `${home}/${SIMULATED_FOLDER}`
}

async function simulatorOf(io: Io, o: SimOptions): Promise<SimulatorFile> {
  const path = `${stateDirOf(io, o)}/${SIMULATOR_FILE}`
  const text = await io.readFile(path).catch((cause) => {
    throw new SkerryError(
      'not-found',
      `no simulator runs here (there is no ${path}): ./scripts/up --simulate 3`,
      { path },
      { cause },
    )
  })
  return simulatorFile.parse(JSON.parse(text))
}

async function ask(
  io: Io,
  { url, token }: SimulatorFile,
  to: { method: string; path: string; body?: unknown },
): Promise<unknown> {
  const answer = await (io.fetch ?? fetch)(url + to.path, {
    method: to.method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(to.body === undefined ? {} : { body: JSON.stringify(to.body) }),
    signal: AbortSignal.timeout(ASK_MS),
  }).catch((cause) => {
    throw new SkerryError('not-ready', `the simulator at ${url} does not answer`, { url }, { cause })
  })
  const body = await answer.json()
  if (!answer.ok) throw fromErrorBody(body as ErrorBody)
  return body
}

const shown = ({ cpuCount, memoryBytes, diskBytes, usedBytes, latencyMs, fail, ...machine }: SimulatedMachine) => ({
  ...machine,
  cpus: cpuCount,
  memory: humanBytes(memoryBytes),
  disk: humanBytes(diskBytes),
  used: humanBytes(usedBytes),
  latency: `${latencyMs} ms`,
  fail: Object.entries(fail)
    .map(([operation, chance]) => `${operation}=${chance}`)
    .join(' '),
})

async function print(io: Io, reply: unknown, format: Format): Promise<void> {
  const { machines } = machinesReply.parse(reply)
  if (format === 'name') io.out(machines.map(({ address }) => address).join('\n'))
  else io.out(await formatList(format === 'table' ? machines.map(shown) : machines, COLUMNS, format))
}

export async function simList(io: Io, o: SimOptions): Promise<void> {
  await print(io, await ask(io, await simulatorOf(io, o), { method: 'GET', path: simulatorPaths.machines }), o.output)
}

export async function simOperations(io: Io, o: SimOptions): Promise<void> {
  const reply = await ask(io, await simulatorOf(io, o), { method: 'GET', path: simulatorPaths.operations })
  io.out(operationsReply.parse(reply).operations.join('\n'))
}

export async function simSet(io: Io, o: SimSetOptions): Promise<void> {
  const change = changeOf(o)
  if (Object.keys(change).length === 0) throw invalid('set', 'give what to set: --latency, --fail, --cpus, --memory or --disk')
  const address = await addressOf(io, o)
  const path = simulatorPaths.machine.replace(':address', address)
  await print(io, await ask(io, await simulatorOf(io, o), { method: 'PUT', path, body: change }), o.output)
}

const invalid = (field: string, message: string) => new SkerryError('invalid-argument', message, { field })

/** A host by address as it is, by name or uuid as the controller knows it. */
async function addressOf(io: Io, o: SimSetOptions): Promise<string> {
  if ((o.host === undefined) === (o.all !== true)) throw invalid('host', 'say which: --host <name|uuid|address>, or --all')
  if (o.host === undefined) return ALL_MACHINES
  if (simulatedAddress.safeParse(o.host).success) return o.host
  const host = await (await clientOf(io, o)).get('host', o.host)
  return String(host['managementIp'])
}

function changeOf({ latency, fail, cpus, memory, disk }: SimSetOptions): BehaviourChange {
  return {
    ...(latency === undefined ? {} : { latencyMs: milliseconds(latency) }),
    ...(fail === undefined ? {} : { fail: Object.fromEntries(fail.map(failure)) }),
    ...(cpus === undefined ? {} : { cpuCount: amount('cpus', cpus) }),
    ...(memory === undefined ? {} : { memoryBytes: amount('memory', memory) }),
    ...(disk === undefined ? {} : { diskBytes: amount('disk', disk) }),
  }
}

const amount = (name: string, text: string) =>
  flagValue({ name, param: name, kind: 'number', required: false, choices: [] }, [text]) as number

function milliseconds(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text) ?? []
  if (digits === undefined) throw invalid('latency', `--latency: ${text} is no time such as 200ms or 1.5s`)
  return Math.round(Number(digits) * (unit === 's' ? 1000 : 1))
}

/** `libvirt.domainCreate=0.1`; without a chance it always fails. */
function failure(text: string): [string, number] {
  const [operation = '', chance = '1', ...more] = text.split('=')
  if (operation === '' || more.length > 0 || !/^(0|1|0?\.\d+|1\.0*|0\.\d*)$/.test(chance))
    throw invalid('fail', `--fail: ${text} is no operation with a chance from 0 to 1, such as libvirt.domainCreate=0.1`)
  return [operation, Number(chance)]
}
