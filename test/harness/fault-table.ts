/**
 * What happens when: each fault, what shows it, what heals by itself, what to do, and the suite that proves the row. The README's
 * table is made of this (`scripts/lib/fault-table.ts`), and a test holds both together.
 */
import { type ConditionCode, conditionKinds } from '@skerry/contract'

export interface FaultRow {
  /** name of its test in `test/test/faults.test.ts`, where that is its proof */
  key: string
  fault: string
  /** guests, DHCP, DNS, NAT meanwhile */
  guests: string
  /** what shows it beside its conditions */
  sees?: string
  conditions: readonly ConditionCode[]
  /** default: what its first condition says */
  heals?: string
  todo?: string
  /** files of the suites that prove it, from the root */
  proof: readonly string[]
}

const HERE = 'test/test/faults.test.ts'
const STORE = 'controller/test/conditions-store.test.ts'
const KINDS = 'controller/test/conditions.test.ts'
const RUN_ON = 'run on'

export const faultTable: readonly FaultRow[] = [
  {
    key: 'controller-killed',
    fault: 'the controller is killed',
    guests: RUN_ON,
    sees: 'the API is away (`skerry status` ends with 5)',
    conditions: [],
    heals: 'Its supervisor starts it; the log is read, jobs go on where they were or are undone.',
    todo: 'Nothing. If it dies again and again: its log.',
    proof: ['test/test/log-kill.system.test.ts', 'controller/test/prove.test.ts'],
  },
  {
    key: 'power-cut',
    fault: 'power fails',
    guests: "start from the agents' ledgers after the boot",
    conditions: ['log-tail-cut'],
    sees: 'acknowledged writes are there; nothing is half applied',
    proof: [STORE, 'test/lab/power-cuts.lab.test.ts', 'test/test/alone-boot.test.ts'],
  },
  {
    key: 'bit-flip',
    fault: 'the disk of the controller changes bits',
    guests: RUN_ON,
    conditions: ['log-corrupt', 'snapshot-damaged', 'manifest-damaged', 'history-damaged', 'secret-unreadable'],
    proof: [STORE, KINDS, 'controller/test/store-flips.test.ts'],
  },
  {
    key: 'sync-error',
    fault: 'fsync of the log fails, or its file system turns read-only',
    guests: RUN_ON,
    sees: 'writes answer 503 `store-stopped`, reads go on',
    conditions: ['store-stopped'],
    proof: [STORE, 'test/test/log-refused.test.ts'],
  },
  {
    key: 'disk-full',
    fault: 'the disk of the controller is full',
    guests: RUN_ON,
    sees: 'writes answer 507 `disk-full`, reads go on',
    conditions: ['disk-full'],
    proof: [HERE, STORE],
  },
  {
    key: 'nats-gone',
    fault: 'NATS is gone',
    guests: RUN_ON,
    conditions: ['nats-away', 'agent-disconnected'],
    proof: [HERE, 'test/test/alone.system.test.ts'],
  },
  {
    key: 'agent-dead',
    fault: 'an agent dies, or its host is out of reach',
    guests: RUN_ON,
    conditions: ['agent-disconnected', 'host-disconnected', 'vm-unknown'],
    proof: [HERE, 'test/test/guest-faults.system.test.ts'],
  },
  {
    key: 'storage-server-away',
    fault: 'a storage server is out of reach, lets nobody in, or is another one',
    guests: RUN_ON,
    conditions: ['storage-server-away'],
    proof: ['controller/test/sftp-watch.test.ts', 'test/test/sftp.test.ts', 'test/test/images.system.test.ts'],
  },
  {
    key: 'tunnel-down',
    fault: 'the peer of an IPsec tunnel is out of reach, or has another key or other networks',
    guests: RUN_ON,
    conditions: ['tunnel-down'],
    proof: [KINDS, 'agent-vrouter/test/ipsec.system.test.ts'],
  },
  {
    key: 'deleted-while-away',
    fault: 'something is deleted while its agent is away',
    guests: RUN_ON,
    conditions: ['removal-waiting'],
    proof: [HERE],
  },
  {
    key: 'host-boots',
    fault: 'controller and NATS are gone and a host boots; then a guest does not start',
    guests: 'come back from the ledgers, in order, without anybody',
    sees: 'Running again, or',
    conditions: ['resource-failed'],
    proof: [HERE, 'test/test/alone-boot.test.ts', 'test/test/alone.system.test.ts'],
  },
  {
    key: 'agent-wiped',
    fault: "an agent's disk is wiped",
    guests: RUN_ON,
    sees: 'a new agent after its enrolment; `skerry audit --hosts` without differences',
    conditions: ['agent-disconnected'],
    heals: 'Enrolled again, it gets its documents by sync and finds its guests as they are.',
    todo: 'Enrol it again: skerry agent token.',
    proof: ['test/test/alone.system.test.ts'],
  },
  {
    key: 'clock-jump',
    fault: 'the clock of a host or of the controller jumps by a year',
    guests: RUN_ON,
    conditions: ['agent-clock-differs', 'clock-jumped'],
    proof: [HERE, KINDS, 'test/test/alone-clocks.test.ts'],
  },
  {
    key: 'libvirt-away',
    fault: 'libvirtd hangs or dies',
    guests: RUN_ON,
    sees: 'jobs fail at their deadlines',
    conditions: ['agent-blind'],
    proof: [HERE, 'test/test/guest-faults.system.test.ts'],
  },
  {
    key: 'guest-powers-off',
    fault: 'a guest powers itself off',
    guests: 'it is off',
    sees: '`Stopped` with `stateCause: guest`, event `state-changed`, within 32 s; no condition: it is the guest’s own will',
    conditions: [],
    heals: 'Nothing: it stays off.',
    todo: 'Start it when it is to run.',
    proof: [HERE, 'test/test/guest-will.system.test.ts'],
  },
  {
    key: 'guest-crashes',
    fault: 'a guest crashes or panics, or its qemu is killed',
    guests: 'it is off, or stands still where it panicked',
    conditions: ['vm-crashed'],
    proof: [HERE, 'test/test/guest-will.system.test.ts'],
  },
  {
    key: 'guest-destroyed-by-hand',
    fault: 'a guest is destroyed or paused by hand (virsh)',
    guests: 'as the hand wanted',
    conditions: ['vm-ended', 'vm-paused'],
    proof: [HERE, KINDS, 'test/test/guest-will.system.test.ts'],
  },
  {
    key: 'start-fails',
    fault: 'the disk image of a guest is broken, or the hypervisor refuses it',
    guests: 'it does not start',
    sees: "the job fails at once with the hypervisor's own words",
    conditions: [],
    heals: 'Nothing: it is as it was before the call.',
    todo: 'Mend what the error names, start again.',
    proof: [HERE],
  },
  {
    key: 'volume-deleted',
    fault: 'the file of a volume is deleted',
    guests: 'its VM runs on until it is stopped',
    conditions: ['volume-lost'],
    proof: [HERE],
  },
  {
    key: 'storage-missing',
    fault: 'the folder of a primary storage or image store is missing (its disk is not mounted)',
    guests: 'run on as long as their open files do',
    conditions: ['storage-missing'],
    proof: [HERE],
  },
  {
    key: 'storage-full',
    fault: 'a storage runs full',
    guests: 'halt when they write',
    sees: 'creations fail with `no-primary-storage`',
    conditions: ['storage-nearly-full', 'storage-full'],
    proof: [HERE],
  },
  {
    key: 'network-by-hand',
    fault: 'a bridge is deleted, nft is flushed or dnsmasq is killed by hand',
    guests: 'without network for at most 30 s',
    sees: '`skerry audit --hosts` while it lasts; a bridge also as',
    conditions: ['resource-failed'],
    heals: 'The agent makes it again at its next look.',
    todo: 'Nothing.',
    proof: [HERE],
  },
  {
    key: 'undo-fails',
    fault: 'an undo fails',
    guests: RUN_ON,
    conditions: ['job-stuck'],
    proof: [HERE, 'controller/test/prove.test.ts'],
  },
  {
    key: 'upgrade-stuck',
    fault: 'a job was under way in an upgrade and its steps are gone',
    guests: RUN_ON,
    conditions: ['job-stuck-upgrade'],
    proof: [KINDS, 'packages/workflow/test/resume.test.ts'],
  },
  {
    key: 'plugin-fails',
    fault: 'a plugin throws, hangs, floods, leaks or lies',
    guests: RUN_ON,
    conditions: ['plugin-degraded'],
    proof: [KINDS, 'test/test/plugins-hostile.test.ts', 'packages/plugin/test/host.test.ts'],
  },
  {
    key: 'other-version',
    fault: 'an agent is of another version',
    guests: RUN_ON,
    conditions: ['agent-version-differs', 'document-refused'],
    proof: [HERE, KINDS, 'test/test/upgrade-documents.test.ts'],
  },
  {
    key: 'old-backup',
    fault: 'an old backup is restored',
    guests: 'run on, also those that are newer than the backup',
    conditions: ['orphan-found', 'agent-unmet'],
    proof: [KINDS, 'test/test/backup-restore.test.ts'],
  },
  {
    key: 'stranger',
    fault: 'a plain-text, foreign-CA or revoked connection to NATS, an agent that speaks for another',
    guests: RUN_ON,
    sees: 'refused by nats-server, named in its log at once; a revoked agent also as',
    conditions: ['agent-disconnected'],
    heals: 'Nothing, on purpose.',
    todo: 'Enrol again what should be there; look for who else it is.',
    proof: ['packages/bus/test/isolation.test.ts', 'test/test/revocation.test.ts'],
  },
  {
    key: 'rotation',
    fault: 'keys are rotated while an agent is away',
    guests: RUN_ON,
    conditions: ['rotation-waiting'],
    proof: [KINDS, 'test/test/rotation-crash.test.ts'],
  },
  {
    key: 'certificate',
    fault: 'a certificate nears its end',
    guests: RUN_ON,
    conditions: ['certificate-near-end', 'certificate-ended'],
    proof: [KINDS],
  },
  {
    key: 'background',
    fault: 'something fails that nobody waits for, such as a webhook',
    guests: RUN_ON,
    conditions: ['background-failure'],
    proof: [KINDS, 'controller/test/conditions-board.test.ts'],
  },
]

export const FAULT_MARKS = { begin: '<!-- faults -->', end: '<!-- /faults -->' } as const

const seconds = (ms: number) => (ms >= 600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.ceil(ms / 1_000)} s`)
const shown = (code: ConditionCode) => `\`${code}\` (${seconds(conditionKinds[code].visibleMs)})`

function cells(row: FaultRow): string[] {
  const first = row.conditions[0] ? conditionKinds[row.conditions[0]] : undefined
  const sees = [row.sees, row.conditions.map(shown).join(', ')]
    .filter(Boolean)
    .join(row.sees?.endsWith(' as') || row.sees?.endsWith(' or') || row.sees?.endsWith(', or') ? ' ' : '; ')
  return [row.fault, row.guests, sees, row.heals ?? first?.heals ?? '', row.todo ?? first?.hint ?? '']
}

/** The table as Markdown, with its marks. */
export function faultMarkdown(): string {
  const line = (texts: readonly string[]) => `| ${texts.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
  const head = ['when', 'guests, DHCP, DNS, NAT', 'you see (condition, and within which time)', 'heals by itself', 'what to do']
  return [
    FAULT_MARKS.begin,
    line(head),
    line(head.map(() => '---')),
    ...faultTable.map((row) => line(cells(row))),
    FAULT_MARKS.end,
  ].join('\n')
}
