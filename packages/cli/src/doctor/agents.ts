/** The agents of this machine as its disk and process table show them: works without controller and NATS. Reads only. */
import { type LedgerFiles, openLedger } from '@skerry/agent'
import { agentKind } from '@skerry/contract'
import type { Files, Processes, ProcessInfo } from '@skerry/host'
import type { AgentFacts } from './facts.ts'

/** A ledger is read while its agent may be at work on it: nothing is tidied up, nothing is made. */
function readOnly(files: Pick<Files, 'read' | 'list'>): LedgerFiles {
  const nothing = async () => undefined
  return {
    read: (path) => files.read(path),
    list: (path) => files.list(path),
    write: nothing,
    rename: nothing,
    remove: nothing,
    makeDir: nothing,
  }
}

/** The program of an agent: its bundle in a clone or package, or in a site's own copy, which has its content in its name. */
const programOf = (kind: string, { cmdline }: ProcessInfo) =>
  cmdline.find((arg) => new RegExp(`/agent-${kind}(-[0-9a-f]+)?/main\\.js$`).test(arg))

const stateOf = ({ cmdline }: ProcessInfo) => {
  const at = cmdline.indexOf('--state-dir')
  return at < 0 ? undefined : cmdline[at + 1]
}

/** FFI library → its addon. */
const addons = { 'ffi-napi': /\/ffi_bindings\.node$/, koffi: /\/koffi\.node$/ }

/** What the backend of libvirt, a process of its own beside the agent, has loaded. */
async function backendOf(
  processes: Pick<Processes, 'mapped'>,
  running: readonly ProcessInfo[],
  agent: ProcessInfo,
): Promise<AgentFacts['backend']> {
  const program = programOf('kvm', agent)?.replace(/main\.js$/, 'child.js')
  const pid = running.find(({ cmdline }) => program !== undefined && cmdline.includes(program))?.pid
  if (pid === undefined) return { pid, ffi: undefined }
  const mapped = (await processes.mapped(pid)) ?? []
  return { pid, ffi: Object.entries(addons).find(([, addon]) => mapped.some((file) => addon.test(file)))?.[0] }
}

/** Those of which this machine has a state folder or a process. */
export async function agentsOf(
  files: Pick<Files, 'read' | 'list' | 'stat'>,
  processes: Pick<Processes, 'list' | 'mapped'>,
  stateDir: string,
): Promise<AgentFacts[]> {
  const running = await processes.list()
  const found: AgentFacts[] = []
  for (const kind of agentKind.options) {
    const agent = running.find((one) => programOf(kind, one) !== undefined)
    const folder = (agent && stateOf(agent)) ?? `${stateDir}/agent-${kind}`
    const present = (await files.stat(folder)) !== undefined
    if (!present && agent === undefined) continue
    const ledger = present
      ? await openLedger({ dir: `${folder}/ledger`, files: readOnly(files), clock: { now: () => 0 } })
      : undefined
    found.push({
      ...{ kind, pid: agent?.pid, folder },
      ...(kind === 'kvm' && agent ? { backend: await backendOf(processes, running, agent) } : {}),
      documents: ledger?.digestEntries().length ?? 0,
      damaged: ledger?.damaged.map(({ path, what }) => ({ path, lost: what === 'both' })) ?? [],
    })
  }
  return found
}
