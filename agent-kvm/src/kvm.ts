/** agent-kvm out of its ports: modules, commands, inventory. */
import type { AgentCommand, AgentParts } from '@skerry/agent'
import type { Bus } from '@skerry/bus'
import { kvmDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { Libvirt } from '@skerry/libvirt'
import type { AnyModule, DesiredSource, DocumentName, Module, Timers } from '@skerry/reconcile'
import { Alarm } from './alarm.ts'
import { applyBridge } from './bridges/apply.ts'
import { type BridgePorts, observeBridges, type SeenBridge } from './bridges/observe.ts'
import { type BridgeChange, keepers, planBridges, reportBridge } from './bridges/plan.ts'
import { hostFacts } from './commands/host.facts.ts'
import { adoptCommands } from './commands/vm.adopt.ts'
import { Consoles } from './commands/vm.console.ts'
import { vmConsoleLog } from './commands/vm.console-log.ts'
import { diskCommands } from './commands/vm.disks.ts'
import { vmReboot } from './commands/vm.reboot.ts'
import { inventory } from './inventory.ts'
import type { MemoryPort } from './memory.ts'
import { securityModules } from './security/modules.ts'
import { applyVm } from './vms/apply.ts'
import { nextAskMs } from './vms/hotplug.ts'
import { type SeenVm, VmObserver, type VmPorts } from './vms/observe.ts'
import { planVms, reportVm, type VmChange } from './vms/plan.ts'
import { nextLookMs } from './vms/power.ts'

export interface KvmPorts {
  host: Host
  libvirt: Libvirt
  ledger: MemoryPort & DesiredSource
  timers: Timers
  /** Milliseconds since the boot of the host: goes on over restarts of the agent. */
  monotonicMs(): number
  agentUuid: string
  bootId: string
  stateDir: string
  domainType: 'kvm' | 'qemu'
  /** Wakes the reconciler. `of`: these documents only. */
  signal(of?: readonly DocumentName[]): void
  bus(): Bus | undefined
}

/** VMs that may be started or stopped at once; libvirt answers as many calls at a time and has room for others. */
const VMS_AT_ONCE = 4
const PORT_WAIT_MS = 1_000
const PORT_WAIT_MAX_MS = 30_000

export function kvmAgent(ports: KvmPorts): AgentParts {
  const { host, libvirt, ledger, timers, signal } = ports
  const alarm = new Alarm(timers, () => signal())
  const vms = vmModule({ host, libvirt, memory: ledger, desired: ledger, monotonicMs: ports.monotonicMs, config: ports }, alarm)
  const consoles = new Consoles(ports)
  const subscriptions = [
    libvirt.onLifecycle((event) => {
      vms.observer.hear(event)
      // Of a domain that nobody wants, whom it concerns is not known.
      const [wanted] = ledger.entries(kvmDesired.vm.noun, new Set([event.domainUuid]))
      if (wanted?.uuid === event.domainUuid) signal([{ noun: kvmDesired.vm.noun, uuid: event.domainUuid }])
      else signal()
    }),
    // What happened while libvirt was away was told to nobody.
    libvirt.onState((state) => {
      if (state !== 'connected') return
      vms.observer.lookAnew()
      signal()
    }),
  ]
  const commands: AgentCommand[] = [
    hostFacts(ports),
    vmReboot({ ...ports, memory: ledger }),
    vmConsoleLog(ports),
    ...diskCommands(ports),
    ...adoptCommands(ports),
    ...consoles.commands(),
  ]
  return {
    modules: [bridgeModule({ host, memory: ledger }, alarm), ...securityModules({ host }), vms.module] as AnyModule[],
    commands,
    inventory: () => inventory(ports),
    async stop() {
      for (const off of subscriptions) off()
      alarm.clear()
      await consoles.close()
      await libvirt.close()
    },
  }
}

export function bridgeModule(ports: BridgePorts, alarm: Alarm): Module<kvmDesired.BridgeSpec, SeenBridge, BridgeChange> {
  const waited = new Map<string, number>()
  return {
    noun: kvmDesired.bridge.noun,
    schema: kvmDesired.bridge.schema,
    spec: kvmDesired.bridge.spec,
    async observe(context) {
      const seen = await observeBridges(ports, context)
      const waiting = seen.filter((s) => context.buried.has(s.uuid) && keepers(s).length > 0).map((s) => s.uuid)
      for (const uuid of waited.keys()) if (!waiting.includes(uuid)) waited.delete(uuid)
      for (const uuid of waiting) {
        // Nobody says when another's port goes: look again, less and less often.
        const ms = Math.min(PORT_WAIT_MAX_MS, (waited.get(uuid) ?? PORT_WAIT_MS / 2) * 2)
        waited.set(uuid, ms)
        alarm.in(`bridge/${uuid}`, ms)
      }
      return seen
    },
    plan: planBridges,
    apply: (change) => applyBridge(ports, change),
    report: reportBridge,
  }
}

export function vmModule(
  ports: VmPorts,
  alarm: Alarm,
): { module: Module<kvmDesired.VmSpec, SeenVm, VmChange>; observer: VmObserver } {
  const observer = new VmObserver(ports)
  const { config } = ports
  const module: Module<kvmDesired.VmSpec, SeenVm, VmChange> = {
    noun: kvmDesired.vm.noun,
    schema: kvmDesired.vm.schema,
    spec: kvmDesired.vm.spec,
    concurrency: VMS_AT_ONCE,
    single: true,
    async observe(context) {
      const seen = await observer.observe(context)
      for (const { uuid, domain, memory, atMs } of seen) {
        if (!domain?.active) continue
        const looks = [memory.asked && nextLookMs(memory.asked), memory.unplugging && nextAskMs(memory.unplugging)]
        const next = Math.min(...looks.filter((at) => at !== undefined))
        if (Number.isFinite(next)) alarm.in(`vm/${uuid}`, next - atMs)
      }
      return seen
    },
    plan: (want, have, context) => planVms(config, want, have, context),
    apply: (change) => applyVm(ports, change),
    report: (want, have) => reportVm(config, want, have),
  }
  return { module, observer }
}
