/** The closed list of what can be wrong at a site: how bad it is, what heals by itself, what to do, and when it is visible. */
import { HEARTBEAT_LOST_MS, HEARTBEAT_MS } from './subjects/agent.ts'

export const severities = ['critical', 'warning', 'info'] as const
export type Severity = (typeof severities)[number]

export interface ConditionKind {
  /** `critical`: something doesn't work or data is at risk. `warning`: it will, or it is in the way. `info`: good to know. */
  readonly severity: Severity
  /** noun of the resource that it is about; `site`: of the whole site; `resource`: of any kind */
  readonly about: string
  readonly title: string
  /** what happens without anybody */
  readonly heals: string
  /** what a person should do */
  readonly hint: string
  /** longest time from the cause to its being visible, while the controller runs */
  readonly visibleMs: number
}

/** What has changed is looked at this often. */
export const CONDITIONS_MS = 1_000
/** An agent looks at everything on its host at least this often, and tells what it finds. */
const PASS_MS = 30_000
/** A call to libvirt that doesn't come back counts as failed after so long. */
const LIBVIRT_MS = 10_000
/** Silence, and the sweep that finds it. */
const SILENT_MS = HEARTBEAT_LOST_MS + 2_000
/** The store measures its disk this often, also when nobody writes. */
const DISK_MEASURED_MS = 2_000
/** Every stored secret is opened this often, and at the start. */
export const SECRETS_LOOK_MS = 3_600_000

/** Each storage server is looked at this often, and given so long to answer. */
export const SFTP_LOOK_MS = 15_000
export const SFTP_ANSWER_MS = 45_000
/** One that did not answer well is asked once more after this pause, within the same time: a link may have hiccuped. */
export const SFTP_AGAIN_MS = 2_000
const SFTP_SILENT_MS = SFTP_LOOK_MS + SFTP_ANSWER_MS

/** A peer that has gone is asked for so long (dead peer detection of agent-vrouter's charon). */
const TUNNEL_MS = 45_000

const SOON = CONDITIONS_MS + 1_000
const ON_HOST = PASS_MS + SOON

/** [severity, what it is about, time until visible], title, what heals by itself, what to do. */
const k = (
  [severity, about, visibleMs]: readonly [Severity, string, number],
  ...[title, heals, hint]: readonly [string, string, string]
): ConditionKind => ({ severity, about, visibleMs, title, heals, hint })

export const conditionKinds = {
  // the controller's own store
  'disk-full': k(
    ['critical', 'site', DISK_MEASURED_MS + SOON],
    'The disk of the log is full: nothing new is accepted',
    'Reads and undo go on, on a reserve; writes are accepted again when there is room.',
    'Free space on the named path.',
  ),
  'store-stopped': k(
    ['critical', 'site', SOON],
    'The log cannot be written: nothing is accepted',
    'Nothing, on purpose: after a failed write nobody knows what the disk holds. Reads go on.',
    'Look at the disk (dmesg, smartctl), then restart the controller.',
  ),
  'log-corrupt': k(
    ['critical', 'site', SOON],
    'The log is damaged: the controller is read-only',
    'Nothing, on purpose. Reads give the state before the damage; guests run on.',
    'Restore a backup, or run the recover verb of skerry-controller on a copy of the named file.',
  ),
  'log-tail-cut': k(
    ['info', 'site', SOON],
    'An unfinished record was cut from the end of the log at the last start',
    'Done: only a write that nobody was told of was lost. It is shown for a day.',
    'Nothing. After a power cut this is normal; without one, look at the disk.',
  ),
  'snapshot-damaged': k(
    ['warning', 'site', SOON],
    'A snapshot of the log could not be read at the last start',
    'The one before it and the log were used; newer snapshots replace it.',
    'Look at the disk: it changed a file that was whole. Shown until a start finds only good ones.',
  ),
  'manifest-damaged': k(
    ['warning', 'site', SOON],
    'The manifest of the log could not be read at the last start',
    'Its previous copy was used, and is written anew.',
    'Look at the disk: it changed a file that was whole. Shown until the next start.',
  ),
  'history-damaged': k(
    ['warning', 'site', SOON],
    'A part of the history of the log is damaged',
    'Nothing depends on it but looking back: the state is whole, and writes go on.',
    'Look at the disk, and make a backup.',
  ),
  'clock-jumped': k(
    ['warning', 'site', 60_000 + SOON],
    'The clock of the controller was moved',
    'Deadlines run on evenly. Nothing is expunged by its age until the clock has run evenly for a day; so long it is shown.',
    'Set the clock right and start a time service: apt-get install chrony.',
  ),
  'background-failure': k(
    ['warning', 'site', SOON],
    'Something failed that no caller waited for',
    'It is tried again where that can help. Shown for ten minutes after the last time.',
    'Look at the error, and into the log of the controller.',
  ),
  'secret-unreadable': k(
    ['warning', 'resource', SECRETS_LOOK_MS + SOON],
    'A stored secret cannot be opened',
    'Nothing.',
    'Set it again (update the named resource), or restore the folder of secrets from a backup.',
  ),
  'certificate-near-end': k(
    ['warning', 'site', SOON],
    'A certificate ends soon',
    'Nothing.',
    'Make a new one, and restart what uses it, before the named day.',
  ),
  'certificate-ended': k(
    ['critical', 'site', SOON],
    'A certificate has ended',
    'Nothing.',
    'Make a new one and restart what uses it. If the clock is wrong, set the clock.',
  ),
  // the bus and the agents
  'nats-away': k(
    ['critical', 'site', SOON],
    'The controller has no connection to NATS',
    'The controller and the agents come back by themselves when NATS does; only differences travel. Guests run on.',
    'Start nats-server again, or look at the network between.',
  ),
  'agent-disconnected': k(
    ['warning', 'agent', SILENT_MS + SOON],
    'An agent is silent',
    'Its supervisor starts a dead one again; it finds its guests and daemons as they are.',
    'On its host: skerry doctor; look into the log of the agent.',
  ),
  'rotation-waiting': k(
    ['info', 'agent', SILENT_MS + SOON],
    'The old keys of the site are still good, because an agent that has them is away',
    'The agent follows when it is back; then the old keys end.',
    'Bring the agent back, or shut it out: skerry agent revoke <uuid>.',
  ),
  'agent-unmet': k(
    ['warning', 'agent', SOON],
    'After a restore, an agent has not yet said what it holds',
    'As soon as it is heard, what it holds is taken into the books. Until then nothing is sent to it, and nothing it may hold is given away.',
    'Bring the agent back; if its host is gone for good: skerry lose host <uuid>.',
  ),
  'agent-blind': k(
    ['critical', 'agent', PASS_MS + LIBVIRT_MS + HEARTBEAT_MS * 1.1 + SOON],
    'An agent cannot see what is on its host',
    'It looks again at each pass, and carries on when it can. What runs goes on running; nothing is started, stopped or mended meanwhile.',
    'Mend what the error names: for VMs libvirtd (is it running? does virsh list answer?).',
  ),
  'agent-version-differs': k(
    ['info', 'agent', HEARTBEAT_MS + SOON],
    'An agent is of another version than the controller',
    'Nothing. What both know goes on working.',
    'Upgrade the agent to the version of the controller.',
  ),
  'agent-clock-differs': k(
    ['warning', 'agent', 2 * HEARTBEAT_MS + SOON],
    'The clocks of an agent and of the controller differ',
    'A time service sets it right. Leases, deadlines and the order of documents do not depend on it.',
    'Start a time service on the named host: apt-get install chrony.',
  ),
  'document-refused': k(
    ['warning', 'resource', SOON],
    'An agent refuses what it should do',
    'It is sent again when it changes, or when the agent has been restarted or upgraded.',
    'Upgrade the agent when it says that it knows another schema; else this is a defect: report the message.',
  ),
  'removal-waiting': k(
    ['info', 'agent', SILENT_MS + SOON],
    'Deleted resources wait on a host whose agent is away',
    'They are removed as soon as the agent is back.',
    'Bring the agent back; if its host is gone for good: skerry lose host <uuid>.',
  ),
  // hosts and what is on them
  'host-disconnected': k(
    ['critical', 'host', SILENT_MS + SOON],
    'A host is out of sight',
    'Its guests run on if it has power; after a boot it starts them from its ledgers. It is seen again when its agent speaks.',
    'Look at the host: power, network, agent-kvm. If it is gone for good: skerry lose host <uuid>.',
  ),
  'storage-server-away': k(
    ['critical', 'backup-storage', SFTP_SILENT_MS + SOON],
    'A storage server cannot be used',
    'It is tried again every quarter of a minute. Guests run on; new ones of its images wait for it where their host has no copy.',
    'Look at the named error: the server, the way to it, its password or its host key.',
  ),
  'tunnel-down': k(
    ['warning', 'ipsec', TUNNEL_MS + SOON],
    'An IPsec tunnel is down',
    'It is begun again, at least every half minute. Between its networks nothing goes in the open meanwhile.',
    'Look at the named reason: the peer, the way to it, the keys, the algorithms or the networks on both sides.',
  ),
  'vm-unknown': k(
    ['warning', 'vm', SILENT_MS + SOON],
    'The state of a VM is not known',
    'It is seen again when its host is; a start that failed is tried again.',
    'Bring its host back; start it nowhere else before that host is surely off. If its start failed: mend what the error names.',
  ),
  'vm-crashed': k(
    ['warning', 'vm', ON_HOST],
    'A VM crashed',
    'Nothing: one whose qemu died stays off, one that panicked is kept as it is, for somebody to look at.',
    'Look at its console and disk; then start it again, or stop it to say that it is to stay off.',
  ),
  'vm-paused': k(
    ['warning', 'vm', ON_HOST],
    'A VM is paused',
    'Nothing: it stays as it is. The cause says whether a hand or an error of its disk halted it.',
    'Mend the cause (ioerror: the disk or storage below it), then: virsh resume, or stop and start it.',
  ),
  'vm-ended': k(
    ['warning', 'vm', ON_HOST],
    'A VM was ended on its host, and not by Skerry',
    'Nothing: it stays off, as somebody wanted.',
    'Start it, or stop it to say that it is to stay off.',
  ),
  'resource-failed': k(
    ['warning', 'resource', ON_HOST],
    'A resource is not on its host as it should be',
    'The agent tries again, in longer and longer pauses of at most some minutes.',
    'Mend what the error names.',
  ),
  'volume-lost': k(
    ['critical', 'volume', ON_HOST],
    'The data of a volume is gone from its storage',
    'If the file comes back, all is well again. It is never made anew: that would hide the loss.',
    'Restore the file from a backup, or delete the VM.',
  ),
  'storage-missing': k(
    ['critical', 'resource', ON_HOST],
    'The folder of a storage is missing or cannot be used',
    'If it comes back (its disk is mounted), all is well again. It is never made anew over an unmounted disk.',
    'Mount its disk on the named host, or mend what the error names.',
  ),
  'storage-nearly-full': k(
    ['warning', 'resource', ON_HOST],
    'A storage is nearly full',
    'Nothing. New volumes are refused when there is no room.',
    'Free or add space on the named path.',
  ),
  'storage-full': k(
    ['critical', 'resource', ON_HOST],
    'A storage is full: guests that write will stop or fail',
    'Nothing.',
    'Free or add space on the named path.',
  ),
  'orphan-found': k(
    ['warning', 'orphan', ON_HOST],
    'A host holds something of ours that nobody wants',
    'Nothing, on purpose: it runs on. After restoring an old backup this is what is newer than the backup.',
    'skerry get orphan; then skerry adopt orphan <uuid>, or skerry remove orphan <uuid>.',
  ),
  // plugins
  'plugin-degraded': k(
    ['warning', 'plugin', SOON],
    'A plugin fails',
    'It is asked again after a while, and shows as Ready when it answers. What does not need it goes on.',
    'The message says why. To go on without it: skerry change-state plugin <name> --state-event disable',
  ),
  // jobs
  'job-stuck': k(
    ['warning', 'job', SOON],
    'The undo of a job failed, and the job waits',
    'Nothing: it is not known what is left.',
    'Mend the cause, then: skerry job retry <uuid>',
  ),
  'job-stuck-upgrade': k(
    ['warning', 'job', SOON],
    'A job was begun by another version and cannot go on',
    'Nothing.',
    'Run the version that began it to end it, or undo it: skerry job retry <uuid>',
  ),
} as const satisfies Record<string, ConditionKind>
