/** Every synchronous call that is no query, wired: those that only look, those that write and can be planned, and the rest. */
import { setImmediate } from 'node:timers/promises'
import type { Agents } from '../agents/agents-port.ts'
import type { ControllerPorts } from '../controller.ts'
import type { ControllerEngine } from '../engine/engine.ts'
import type { State } from '../engine/state.ts'
import { withRefs } from '../identity/resource-refs.ts'
import { withServiceRefs } from '../inventory/index.ts'
import type { StartedKeys } from '../keys/index.ts'
import { agentCalls } from './agents.ts'
import { attachableCalls } from './attachable.ts'
import { batchCalls } from './batch.ts'
import { billCalls } from './bills.ts'
import { candidateCalls } from './candidates.ts'
import { configCalls } from './configs.ts'
import { consoleCalls, type consoleSecretOf } from './consoles.ts'
import { identityCalls } from './identity.ts'
import { ipsecCalls, ipsecReads } from './ipsec.ts'
import { keyCalls } from './keys.ts'
import { l3Calls } from './l3-reads.ts'
import { loadBalancerCalls } from './load-balancers.ts'
import { lookCalls } from './look.ts'
import { nodeCalls } from './node.ts'
import { schedulerCalls } from './scheduler.ts'
import { securityGroupCalls } from './security-groups.ts'
import { sessionCalls } from './sessions.ts'
import { sshKeyPairCalls } from './ssh-key-pairs.ts'
import { taskCalls } from './tasks.ts'
import { uploadCalls } from './uploads.ts'
import { vipCalls } from './vips.ts'
import { vmReads } from './vm-reads.ts'
import { vpcCalls } from './vpcs.ts'
import { zqlCalls } from './zql.ts'

export interface WiredPorts {
  p: ControllerPorts
  state: State
  agents: Agents
  keys: StartedKeys | undefined
  isReady(): boolean
  consoleSecret: ReturnType<typeof consoleSecretOf>
  /** asked when a call comes: it is made with these calls */
  engine(): ControllerEngine
}

export function wiredCalls(s: WiredPorts) {
  const { p, state, agents, consoleSecret } = s
  const { graph } = state
  // Read for a caller that is no administrator, these see only what is there for it.
  const reads = (of: State['graph']) => ({
    ...configCalls(of),
    ...schedulerCalls(of, p.now),
    ...taskCalls(of, () => s.engine().queues()),
    ...nodeCalls(p.now),
    ...vmReads({ graph, seen: of, address: p.address }),
    ...l3Calls({ graph, seen: of }),
    ...candidateCalls({ graph, seen: of }),
    ...attachableCalls(of),
    ...vipCalls(of),
    ...loadBalancerCalls(of),
    ...ipsecReads(of),
    ...vpcCalls(of),
    ...securityGroupCalls(of),
    ...lookCalls({
      graph: of,
      nodeUuid: p.nodeUuid,
      ready: s.isReady,
      job: (u) => s.engine().job(u),
      retry: (u) => s.engine().retry(u),
      now: p.now,
    }),
  })
  const writes = (into: State) => ({
    ...agentCalls({ state: into, now: p.now, newId: p.newId, ...p.enrol, authority: p.keys?.authority }),
    ...keyCalls({ state: into, now: p.now, newId: p.newId, keys: s.keys }),
    ...sshKeyPairCalls({ state: into, now: p.now, newId: p.newId }),
  })
  const whole = (of: State['graph']) => withServiceRefs(withRefs(of))
  const frozen = () => {
    const { graph: then, close } = graph.freeze()
    return { graph: whole(then), close }
  }
  const slices = { graph: whole(graph), freeze: frozen, monotonic: p.monotonic, pause: () => setImmediate() }
  const calls = {
    ...reads(graph),
    ...identityCalls(graph),
    ...sessionCalls({ state, now: p.now, newId: p.newId }),
    ...writes(state),
    ...consoleCalls({ graph, agents, newId: p.newId }),
    ...ipsecCalls({ graph, agents, newId: p.newId }),
    ...uploadCalls({ ...p, graph, agents, consoleSecret }),
    ...billCalls({ graph, store: p.store, now: p.now }),
    ...zqlCalls(slices),
    ...batchCalls({ ...slices, call: (call) => s.engine().call(call) }),
  }
  return { reads, writes, calls }
}
