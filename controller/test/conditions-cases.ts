/** What makes each kind of condition appear, what it says, and what makes it go. */
import { type ConditionCode, type Heartbeat, SFTP, SkerryError, toErrorBody } from '@skerry/contract'
import { type ConditionsWorld, desired, failure, T0 } from './conditions-world.ts'
import { base, id, u } from './world.ts'

const tunnel = {
  ...{ state: 'Enabled', status: 'Disconnected', statusCause: 'the peer does not answer', peerAddress: '192.0.2.77' },
  ...{ vipUuid: id('vip'), l3NetworkUuids: [], l3NetworkRefs: [], peerCidrs: [] },
}

export interface Case {
  raise(w: ConditionsWorld): unknown
  clear(w: ConditionsWorld): unknown
  /** `noun name` of the condition */
  about: string
  /** what the message must name */
  says: RegExp
  /** further conditions that belong to it */
  with?: string[]
}

const set = (t: string, k: string, v: Record<string, unknown>) => ({ o: 'set' as const, t, k, v })
const corrupt = (file: string) => new SkerryError('log-corrupt', 'a record does not fit its checksum', { file, offset: 4096 })
const broken = (w: ConditionsWorld, reason: SkerryError) => void (w.facts.store = { ...w.facts.store, writable: false, reason })
const whole = (w: ConditionsWorld) => void (w.facts.store = w.state.store.status())
const recovered = (w: ConditionsWorld, more: object) =>
  void (w.facts.recovery = { replayed: 0, ms: 0, tornBytes: 0, badSnapshots: [], ...more })
const beat = (w: ConditionsWorld, aheadMs: number, more: Partial<Heartbeat> = {}) =>
  w.book.heartbeat(
    {
      ...{
        agentUuid: u.kvm,
        kind: 'kvm',
        version: '1',
        bootId: 'boot1',
        machineId: id('m'),
        uptimeMs: 1,
        digest: '',
        statusDigest: '',
      },
      at: T0 + aheadMs,
      ...more,
    },
    T0,
  )
export const vm = (v: Record<string, unknown>) => (w: ConditionsWorld) => w.commit({ ops: [set('vmInstance', u.vm, v)] })
const agent = (v: Record<string, unknown>) => (w: ConditionsWorld) => w.commit({ ops: [set('agent', u.kvm, v)] })
const job = (v: Record<string, unknown>) => (w: ConditionsWorld) =>
  w.commit({
    ops: [
      {
        o: 'put',
        t: 'job',
        k: id('job'),
        v: { ...base(id('job'), 'j'), api: 'StartVmInstance', step: 'power-on', resourceUuid: u.vm, ...v },
      },
    ],
  })
export const pool = (availableBytes: number) => (w: ConditionsWorld) =>
  w.status(u.storage, 'pool', u.ps, { observed: { totalBytes: 1000, availableBytes, usedBytes: 1000 - availableBytes } })
export const volume =
  (condition: 'Ready' | 'Failed', code: 'volume-lost' | 'host-command-failed') => async (w: ConditionsWorld) => {
    await w.commit({ ops: [desired(u.storage, 'volume', id('root'))] })
    w.status(u.storage, 'volume', id('root'), {
      condition,
      error: condition === 'Failed' ? failure(code, 'the file is not there') : null,
    })
  }
const orphan = (name: string, partOfUuid: string | null) => ({
  ...{ o: 'put' as const, t: 'orphan', k: id(name) },
  v: { ...base(id(name), name), noun: 'vm', ownUuid: id(`own ${name}`), hostUuid: u.host, agentUuid: u.kvm, partOfUuid },
})
const rotation = (pending: string[]) => ({
  ...{ o: 'put' as const, t: 'keyRotation', k: id('rotation') },
  v: { ...base(id('rotation'), 'rotation'), what: 'agents', state: 'Running', pending, total: 3, doneDate: null },
})
const plugin = (fields: Record<string, unknown>) => (w: ConditionsWorld) =>
  w.commit({
    ops: [{ o: 'put', t: 'plugin', k: id('plugin'), v: { ...base(id('plugin'), 'p'), state: 'Enabled', ...fields } }],
  })
const document = `${u.kvm}/vm/${u.vm}`

/** The site's image store as a storage server. */
const server = { type: SFTP, sshPort: 22, disconnectCause: { code: 'storage-unreachable', message: 'nobody answers' } }

export const cases: Record<ConditionCode, Case> = {
  'disk-full': {
    raise: (w) => broken(w, new SkerryError('disk-full', 'there is no room for the log', { path: '/var/lib/skerry' })),
    ...{ clear: whole, about: 'site -', says: /no room/ },
  },
  'store-stopped': {
    raise: (w) =>
      broken(w, new SkerryError('store-stopped', 'writing the log failed', { file: 'a.log' }, { cause: new Error('EIO') })),
    ...{ clear: whole, about: 'site -', says: /EIO/ },
  },
  'log-corrupt': { raise: (w) => broken(w, corrupt('7.log')), clear: whole, about: 'site -', says: /checksum/ },
  'log-tail-cut': {
    raise: (w) => recovered(w, { tornBytes: 17, file: '3.log', offset: 900 }),
    clear: (w) => void (w.facts.upMs = 86_400_001),
    ...{ about: 'site -', says: /17 bytes.*3\.log at 900/ },
  },
  'snapshot-damaged': {
    raise: (w) => recovered(w, { badSnapshots: [corrupt('9.snap')] }),
    clear: (w) => recovered(w, {}),
    ...{ about: 'site -', says: /9\.snap/ },
  },
  'manifest-damaged': {
    raise: (w) => recovered(w, { previousManifest: true }),
    clear: (w) => recovered(w, {}),
    ...{ about: 'site -', says: /manifest\.json/ },
  },
  'history-damaged': {
    raise: (w) => void (w.facts.store = { ...w.facts.store, damagedHistory: [corrupt('1.log')] }),
    clear: whole,
    ...{ about: 'site -', says: /1\.log/ },
  },
  'clock-jumped': {
    raise: (w) => void (w.facts.clockJump = { byMs: -31_536_000_000, agoMs: 0 }),
    clear: (w) => void (w.facts.clockJump = { byMs: -31_536_000_000, agoMs: 86_400_001 }),
    ...{ about: 'site -', says: /31536000 s back/ },
  },
  'background-failure': {
    raise: (w) => void (w.facts.background = { count: 3, at: T0, error: new Error('no route'), doing: 'calling a webhook' }),
    clear: (w) => void (w.facts.now = T0 + 600_001),
    ...{ about: 'site -', says: /calling a webhook: no route/ },
  },
  'secret-unreadable': {
    raise: (w) =>
      void (w.facts.lostSecrets = [
        { noun: 'host', uuid: u.host, name: 'host', field: 'password', error: 'there is no such secret' },
      ]),
    clear: (w) => void (w.facts.lostSecrets = []),
    ...{ about: 'host host', says: /password of host host.*no such secret/ },
  },
  'certificate-near-end': {
    raise: (w) => void (w.facts.now = T0 + 61 * 86_400_000),
    clear: (w) => void (w.facts.certificates = [{ name: 'HTTP', validTo: T0 + 400 * 86_400_000 }]),
    ...{ about: 'site -', says: /certificate of HTTP ends at 2024-02-/ },
  },
  'certificate-ended': {
    raise: (w) => void (w.facts.now = T0 + 91 * 86_400_000),
    clear: (w) => void (w.facts.now = T0),
    ...{ about: 'site -', says: /HTTP ended/ },
  },
  'nats-away': {
    raise: (w) => void (w.facts.bus = 'disconnected'),
    clear: (w) => void (w.facts.bus = 'connected'),
    ...{ about: 'site -', says: /NATS/ },
  },
  'agent-disconnected': {
    raise: agent({ status: 'Disconnected' }),
    clear: agent({ status: 'Connected' }),
    ...{ about: 'agent kvm', says: /agent-kvm on host host is silent/ },
  },
  'agent-version-differs': {
    raise: agent({ version: '0.0.9' }),
    clear: (w) => w.commit({ ops: [{ o: 'del', t: 'agent', k: u.kvm }] }),
    ...{ about: 'agent kvm', says: /0\.0\.9/ },
  },
  'rotation-waiting': {
    raise: (w) => w.commit({ ops: [rotation([u.kvm]), set('agent', u.kvm, { status: 'Disconnected' })] }),
    clear: (w) => w.commit({ ops: [set('agent', u.kvm, { status: 'Connected' })] }),
    ...{ about: 'agent kvm', says: /waits for agent-kvm on host host/, with: ['agent-disconnected: agent kvm'] },
  },
  'agent-unmet': {
    raise: (w) => w.commit({ ops: [{ o: 'put', t: 'reunion', k: u.kvm, v: { agentUuid: u.kvm, backupAt: T0, since: T0 } }] }),
    clear: (w) => w.commit({ ops: [{ o: 'del', t: 'reunion', k: u.kvm }] }),
    ...{ about: 'agent kvm', says: /backup of 2023-11-14T.* was restored, and agent-kvm on host host has not been heard/ },
  },
  'agent-blind': {
    raise: (w) => beat(w, 0, { blind: [{ noun: 'vm', error: failure('hypervisor-failed', 'libvirtd does not answer') }] }),
    clear: (w) => beat(w, 0),
    ...{ about: 'agent kvm', says: /agent-kvm on host host cannot see .*vm: libvirtd does not answer/ },
  },
  'agent-clock-differs': {
    raise: (w) => beat(w, -31_536_000_000),
    clear: (w) => beat(w, 5_000),
    ...{ about: 'agent kvm', says: /31536000 s behind/ },
  },
  'document-refused': {
    raise: async (w) => {
      await w.commit({ ops: [desired(u.kvm, 'vm', u.vm)] })
      const error = toErrorBody(new SkerryError('invalid-document', 'a vm document is of another schema version than this agent'))
      w.refusals.set(document, error)
      w.board.answered(document, error)
    },
    clear: (w) => {
      w.refusals.delete(document)
      w.board.answered(document, undefined)
    },
    ...{ about: 'vm web', says: /vm web on host host was refused: .*another schema/ },
  },
  'removal-waiting': {
    raise: (w) =>
      w.commit({ ops: [set('agent', u.storage, { status: 'Disconnected' }), desired(u.storage, 'volume', id('root'), true)] }),
    clear: (w) =>
      w.commit({
        ops: [
          { o: 'del', t: 'desired', k: `${u.storage}/volume/${id('root')}` },
          set('agent', u.storage, { status: 'Connected' }),
        ],
      }),
    ...{
      about: 'agent storage',
      says: /1 deleted resources wait for agent-storage on host host/,
      with: ['agent-disconnected: agent storage'],
    },
  },
  'host-disconnected': {
    raise: (w) =>
      w.commit({ ops: [set('host', u.host, { status: 'Disconnected', disconnectCause: 'its agent-kvm has been silent' })] }),
    clear: (w) => w.commit({ ops: [set('host', u.host, { status: 'Connected' })] }),
    ...{ about: 'host host', says: /host host \(127\.0\.0\.1\).*silent/ },
  },
  'storage-server-away': {
    raise: (w) => w.commit({ ops: [set('backupStorage', u.bs, { ...server, status: 'Disconnected' })] }),
    clear: (w) => w.commit({ ops: [set('backupStorage', u.bs, { status: 'Connected', disconnectCause: null })] }),
    ...{ about: 'backup-storage bs', says: /backup-storage bs \(127\.0\.0\.1:22\).*nobody answers/ },
  },
  'tunnel-down': {
    raise: (w) =>
      w.commit({ ops: [{ o: 'put', t: 'ipsecConnection', k: id('tunnel'), v: { ...base(id('tunnel'), 'branch'), ...tunnel } }] }),
    clear: (w) => w.commit({ ops: [set('ipsecConnection', id('tunnel'), { status: 'Connected', statusCause: null })] }),
    ...{ about: 'ipsec branch', says: /ipsec branch to 192\.0\.2\.77 is down: the peer does not answer/ },
  },
  'vm-unknown': {
    raise: vm({ state: 'Unknown' }),
    clear: vm({ state: 'Running' }),
    about: 'vm web',
    says: /vm web on host host/,
  },
  'vm-crashed': {
    raise: vm({ state: 'Stopped', stateCause: 'crash' }),
    clear: vm({ state: 'Starting', stateCause: null }),
    ...{ about: 'vm web', says: /vm web on host host crashed/ },
  },
  'vm-paused': {
    raise: vm({ state: 'Paused', stateCause: 'ioerror' }),
    clear: vm({ state: 'Running', stateCause: null }),
    ...{ about: 'vm web', says: /vm web on host host is paused.*ioerror/ },
  },
  'vm-ended': {
    raise: vm({ state: 'Stopped', stateCause: 'destroyed' }),
    clear: vm({ stateCause: null }),
    ...{ about: 'vm web', says: /destroyed by hand/ },
  },
  'resource-failed': {
    raise: volume('Failed', 'host-command-failed'),
    clear: volume('Ready', 'host-command-failed'),
    ...{ about: 'volume root', says: /volume root on host host: the file is not there/ },
  },
  'volume-lost': {
    raise: volume('Failed', 'volume-lost'),
    clear: (w) => w.commit({ ops: [{ o: 'del', t: 'desired', k: `${u.storage}/volume/${id('root')}` }] }),
    ...{ about: 'volume root', says: /volume root on host host/ },
  },
  'storage-missing': {
    raise: (w) =>
      w.status(u.storage, 'pool', u.ps, {
        condition: 'Failed',
        error: failure('volume-lost', 'the storage that was at /ps is gone'),
      }),
    clear: (w) => w.status(u.storage, 'pool', u.ps),
    ...{ about: 'primary-storage ps', says: /primary-storage ps on host host: .*\/ps is gone/ },
  },
  'storage-nearly-full': { raise: pool(99), clear: pool(100), about: 'primary-storage ps', says: /\/ps\) has 9 %/ },
  'storage-full': { raise: pool(19), clear: pool(500), about: 'primary-storage ps', says: /has 1 %/ },
  'orphan-found': {
    raise: (w) => w.commit({ ops: [orphan('stray', null), orphan('stray-disk', id('stray'))] }),
    clear: (w) => w.commit({ ops: [{ o: 'del', t: 'orphan', k: id('stray') }] }),
    ...{ about: 'orphan stray', says: /vm stray .* on host host carries our mark/ },
  },
  'job-stuck': {
    raise: job({ state: 'stuck', error: failure('job-stuck', 'undo of power-on failed') }),
    clear: job({ state: 'failed' }),
    ...{ about: 'job -', says: /StartVmInstance.*step power-on: undo of power-on failed/ },
  },
  'plugin-degraded': {
    raise: plugin({ status: 'Degraded', cause: 'it gave no answer within 500 ms' }),
    clear: plugin({ status: 'Degraded', cause: 'it gave no answer within 500 ms', state: 'Disabled' }),
    ...{ about: 'plugin p', says: /plugin p fails: it gave no answer/ },
  },
  'job-stuck-upgrade': {
    raise: job({ state: 'stuck', error: failure('upgrade-stuck', 'step x is not there any more') }),
    clear: job({ state: 'done' }),
    ...{ about: 'job -', says: /step x is not there/ },
  },
}
