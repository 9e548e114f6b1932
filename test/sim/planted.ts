// biome-ignore-all lint/suspicious/noTemplateCurlyInString: source text that is changed
/**
 * Bugs that the simulation must find, each as a change of the source that is made on the way into the bundle (`bundle.ts`). The tree
 * has none of them, and no switch for one.
 */
import type { Patch } from './bundle.ts'

export interface Planted {
  name: string
  /** what goes wrong for a user */
  means: string
  patches: readonly Patch[]
}

const planted = (name: string, means: string, ...patches: Patch[]): Planted => ({ name, means, patches })
const sync = 'controller/src/agents/sync.ts'
const log = 'controller/src/store/log.ts'
const engine = 'controller/src/engine/engine.ts'
const create = 'controller/src/workflows/vm.create.ts'
const rows = 'controller/src/workflows/vm.rows.ts'
const guards = 'packages/graph/src/check.ts'
const ledger = 'packages/agent/src/ledger/entry.ts'
const vms = 'agent-kvm/src/vms'
const pass = 'packages/reconcile/src/pass.ts'

export const plantedBugs: readonly Planted[] = [
  planted('ack-before-fsync', 'what was answered is gone after a power cut', {
    file: log,
    from: 'await this.file.sync()\n      this.current()',
    to: 'this.file.sync().catch(() => undefined)\n      this.current()',
  }),
  planted('full-disk-acknowledged', 'what a full disk did not take is answered as done', {
    file: log,
    from: 'if (await space.release()) continue',
    to: 'return',
  }),
  planted('undo-skipped', 'what a failed step had made stays', {
    file: 'packages/workflow/src/backward.ts',
    from: '    .reverse()\n}',
    to: '    .reverse()\n    .slice(1)\n}',
  }),
  planted('undo-twice', 'room that a failed creation had taken is given back twice', {
    file: create,
    from: "...releaseHost(ctx.world.graph, vm['hostUuid'], vm),\n",
    to: "...releaseHost(ctx.world.graph, vm['hostUuid'], vm),\n...releaseHost(ctx.world.graph, vm['hostUuid'], vm),\n",
  }),
  planted('undo-not-resumed', 'a job that was going back when the controller died never ends', {
    file: engine,
    from: "for (const state of ['processing', 'undoing'])",
    to: "for (const state of ['processing'])",
  }),
  planted(
    'stale-epoch-accepted',
    'a controller that is no longer the owner is obeyed',
    { file: ledger, from: 'if (before && epoch < before.epoch)', to: 'if (before && epoch < before.epoch - 1_000)' },
    { file: 'packages/agent/src/ledger/ledger.ts', from: 'if (epoch < fence) throw', to: 'if (epoch < fence - 1_000) throw' },
  ),
  planted('stale-document-accepted', 'a document that was overtaken brings back what was deleted', {
    file: ledger,
    from: 'if (order < 0) {',
    to: 'if (order < -1) {',
  }),
  planted(
    'dedupe-off',
    'a call that is repeated because its answer was lost is carried out twice',
    { file: engine, from: 'if (repeated) {', to: 'if (repeated && !call.jobUuid) {' },
    { file: engine, from: "{ g: 'absent' as const, t: 'job', k: jobUuid },", to: '' },
    { file: engine, from: '...(keyGuard ?', to: '...(keyGuard && !call.jobUuid ?' },
  ),
  planted(
    'counter-guard-off',
    'a host is given more guests than it has room for',
    { file: guards, from: 'return fits ? undefined', to: 'return fits || sum !== undefined ? undefined' },
    { file: 'controller/src/place/filters.ts', from: 'return free < request.memoryBytes', to: 'return free < -1e15' },
    {
      file: 'controller/src/place/host-index.ts',
      from: "memory: open ? (host['availableMemoryCapacity'] as number) - settings.memoryFloor(host) : none",
      to: 'memory: open ? 1e15 : none',
    },
  ),
  planted(
    'address-guard-off',
    'two guests have one address',
    { file: rows, from: "{ g: 'absent', t: 'usedIp', k: key },", to: '' },
    {
      file: 'controller/src/place/address.ts',
      from: "if (!graph.get('usedIp', usedIpKey(range['l3NetworkUuid'] as string, ip))) yield ip",
      to: 'yield ip',
    },
  ),
  planted(
    'mac-guard-off',
    'two guests have one MAC',
    { file: rows, from: "{ g: 'absent', t: 'usedMac', k: mac },", to: '' },
    {
      file: 'controller/src/place/address.ts',
      from: "byte(Math.floor(random() * 256))), byte(deviceId)].join(':')\n    if (!graph.get('usedMac', mac))",
      // So few that one comes twice.
      to: "byte(Math.floor(random() * 2))), byte(deviceId)].join(':')\n",
    },
  ),
  planted('address-leaked', 'addresses of deleted guests are never free again', {
    file: rows,
    from: "  ...[...graph.by('usedIp', 'vmNicUuid', nic)].map((k): Op => ({ o: 'del', t: 'usedIp', k })),\n",
    to: '',
  }),
  planted('tombstone-dropped', 'what was deleted while its host was away lives on', {
    file: sync,
    from: "filter((key) => graph.get('desired', key)?.['tombstone'])",
    to: 'filter(() => false)',
  }),
  planted('event-lost', 'events of a controller that died are never told', {
    file: 'controller/src/tasks/facts.ts',
    from: 'this.#taken = from > 0 ? from - 1 : this.#newest',
    to: 'this.#taken = this.#newest',
  }),
  planted('digest-without-hash', 'an agent that missed a change is never brought in line', {
    file: 'packages/contract/src/desired/document.ts',
    from: '${incarnation}.${seq} ${hash}\\n',
    to: '${incarnation}.${seq < 0} ${hash.length}\\n',
  }),
  planted('boot-forgotten', 'guests that ran stay off after their host was booted', {
    file: `${vms}/power.ts`,
    from: "if (ordered || askedBefore || (ranThen && spec.autonomy === 'local'))",
    to: 'if (ordered || askedBefore)',
  }),
  planted('quota-unchecked', 'an account has more than it may', {
    file: 'controller/src/identity/quota.ts',
    from: 'if (used[name] + asked <= limit) continue',
    to: 'if (used[name] <= limit) continue',
  }),
  planted('receipt-forgotten', 'a command whose answer was lost is carried out twice', {
    file: 'packages/agent/src/commands.ts',
    from: 'asked.command.reads ? undefined : this.#p.ledger.receipts.get(id)',
    to: 'asked.command.reads ? undefined : this.#p.ledger.receipts.get(`${id} of old`)',
  }),
  planted('room-kept', 'a guest that was stopped still takes up its host', {
    file: 'controller/src/workflows/vm.stop.ts',
    from: 'ops: [...moved.ops, ...left.ops, ...dropFormer(',
    to: 'ops: [...moved.ops, ...dropFormer(',
  }),
  planted(
    'unknown-deleted',
    'an agent that has lost its ledger ends the guests that it knows nothing of',
    {
      file: `${vms}/plan.ts`,
      from: 'have.filter((seen) => context.buried.has(seen.uuid))',
      to: 'have.filter((seen) => !want.some((w) => w.uuid === seen.uuid))',
    },
    { file: pass, from: 'return changes.filter((c) => known.has(c.uuid))', to: 'return changes' },
    {
      file: pass,
      from: '(uuid) => this.#of(module).buried.has(uuid))',
      to: '(uuid) => !this.#of(module).want.some((w) => w.uuid === uuid))',
    },
  ),
  planted('volume-twice', 'a volume is given to a guest while another one has it', {
    file: 'controller/src/workflows/volume.attach.ts',
    from: 'if (holder !== null)\n',
    to: 'if (holder === vmUuid)\n',
  }),
  planted('repeat-refused', 'a call that came twice at once is answered as refused, and is carried out', {
    file: 'controller/src/engine/conditional.ts',
    from: 'if (jobUuid !== undefined && refused ===',
    to: 'if (jobUuid === refused && refused ===',
  }),
  planted('undone-step-unreadable', 'a job that was going back when the controller died is stuck at the step that had failed', {
    file: 'controller/src/engine/journal.ts',
    from: "if (!wasUndone || step['output'] !== null) done",
    to: 'done',
  }),
]
