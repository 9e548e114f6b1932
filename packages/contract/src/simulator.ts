/**
 * The simulator's own door: HTTP on loopback, opened with a token that lies in a file of its owner's. The controller asks there
 * for hosts (deploy strategy `simulated`), people for latency, failures and capacity (`skerry sim`).
 */
import { z } from 'zod'
import { agentKind } from './resources/agent.ts'
import { bytes, ipv4 } from './scalars.ts'

/** `<state folder>/simulator.json`, 0600: where a running simulator listens, and what opens its door. Secret. */
export const simulatorFile = z.object({ url: z.url(), token: z.string().min(16) })
export type SimulatorFile = z.infer<typeof simulatorFile>
export const SIMULATOR_FILE = 'simulator.json'
/** Name of the state folder, where none is chosen; scripts/lib/launch.sh knows it too. */
export const SIMULATED_FOLDER = 'skerry-simulated'

export const simulatorPaths = {
  health: '/health',
  machines: '/machines',
  /** one machine, or ALL_MACHINES */
  machine: '/machines/:address',
  operations: '/operations',
  stop: '/stop',
} as const
/** In place of an address: every machine, and those that are still to come. */
export const ALL_MACHINES = 'all'

/** 127.x.y.z: where hosts may be simulated. */
export const simulatedAddress = ipv4.refine((text) => text.startsWith('127.'), 'must be an address 127.x.y.z')

const GIB = 1024 ** 3
/** Longer than any deadline of a call: what is slower never ends. */
const MAX_LATENCY_MS = 600_000

/** An operation of a port, such as `libvirt.domainCreate` or `qemuImg.create`; `libvirt.*` is all of a port, `*` all. */
export const portOperation = z
  .string()
  .regex(/^(\*|[a-zA-Z]+(\.[a-zA-Z]+)*(\.\*|\.[a-zA-Z]+))$/, 'must be an operation such as libvirt.domainCreate, libvirt.* or *')

/** How a simulated machine behaves and what it has. */
export const machineBehaviour = z.strictObject({
  /** before each operation on the machine */
  latencyMs: z.number().int().min(0).max(MAX_LATENCY_MS),
  /** chance of failure by operation, 0 to 1 */
  fail: z.record(portOperation, z.number().min(0).max(1)),
  cpuCount: z.number().int().min(1).max(4096),
  memoryBytes: bytes.min(GIB),
  diskBytes: bytes.min(GIB),
})
export type MachineBehaviour = z.infer<typeof machineBehaviour>

/** What is given is set; failures of operations that are not named stay, 0 ends one. */
export const behaviourChange = machineBehaviour.partial()
export type BehaviourChange = z.infer<typeof behaviourChange>

/** A machine that is to be there: an enrolment token for each of its agents. */
export const machineWanted = z.strictObject({ address: simulatedAddress, tokens: z.record(agentKind, z.string().min(1)) })
export type MachineWanted = z.infer<typeof machineWanted>

export const simulatedMachine = machineBehaviour.extend({
  address: simulatedAddress,
  state: z.enum(['starting', 'running']),
  /** that run */
  guests: z.number().int(),
  usedBytes: bytes,
})
export type SimulatedMachine = z.infer<typeof simulatedMachine>
export const machinesReply = z.object({ machines: z.array(simulatedMachine) })
export const operationsReply = z.object({ operations: z.array(z.string()) })
export const healthReply = z.object({ ready: z.boolean(), pid: z.number().int(), machines: z.number().int() })
