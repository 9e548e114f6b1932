/**
 * The state of a running controller as one stream: rows as of one commit, and the secrets that they refer to as they lie on disk,
 * still under the site key. Commits go on meanwhile. The site's own keys are not ours to give: whoever keeps them adds them.
 */
import { type BackupHeader, backupText } from '@skerry/backup'
import { CONTRACT_VERSION, type Row, SkerryError } from '@skerry/contract'
import type { GraphView } from '@skerry/graph'
import { type Disk, readWhole } from '../store/disk.ts'
import type { Store } from '../store/index.ts'
import { ROWS_PER_LINE } from '../store/snapshot.ts'

export interface BackupPorts {
  store: Store
  disk: Disk
  /** folder of the secret store */
  secretsDir: string
  nodeUuid: string
  now(): number
  /** Lets other work run. */
  pause(): Promise<void>
  monotonic(): number
}

/** No slice of work keeps the event loop longer than about this. */
const SLICE_MS = 4

type Files = Map<string, Buffer>

async function readSecrets({ disk, secretsDir }: BackupPorts, known: Files): Promise<Files> {
  for (const file of await disk.list(secretsDir)) {
    if (known.has(file) || file.endsWith('.tmp')) continue
    const bytes = await readWhole(disk, `${secretsDir}/${file}`)
    if (bytes) known.set(file, bytes)
  }
  return known
}

/** Resolves when commit `seq` is on the disk; a backup must not know more than the log does. */
function durable(store: Store, seq: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const off = store.onCommit((_, at) => at >= seq && end())
    const end = () => {
      off()
      const { reason, durableSeq } = store.status()
      if (durableSeq >= seq) resolve()
      else reject(reason ?? new SkerryError('store-stopped', 'the log was closed during a backup', { seq, durableSeq }))
    }
    const { durableSeq, reason } = store.status()
    if (durableSeq >= seq || (reason && reason.code !== 'disk-full')) end()
  })
}

/** A backup without keys, as `@skerry/backup` reads it, in chunks. Ends with an error rather than without its end. */
export async function* backupStream(ports: BackupPorts): AsyncGenerator<Uint8Array> {
  const { store, now } = ports
  // A secret is stored before the commit that refers to it and shredded after the one that lets it go: read before the view is
  // taken and once more after it, none that the view refers to is missing.
  const secrets = await readSecrets(ports, new Map())
  const view = store.graph.view()
  try {
    const { incarnation, epoch } = store.graph
    await readSecrets(ports, secrets)
    await durable(store, view.seq)
    const header: BackupHeader = {
      ...{ skerry: 'backup', v: 1, contract: CONTRACT_VERSION },
      ...{ incarnation, seq: view.seq, epoch, at: now(), node: ports.nodeUuid },
    }
    const files = [...secrets].map(([file, bytes]) => ({ file, data: bytes.toString('base64') }))
    yield* backupText(header, [
      { part: 'graph', lines: rowsOf(view, ports) },
      { part: 'secrets', lines: files },
    ])
  } finally {
    view.close()
  }
}

async function* rowsOf(view: GraphView, { pause, monotonic }: BackupPorts): AsyncGenerator<{ t: string; rows: unknown[] }> {
  let group: { t: string; rows: [string, number, Readonly<Row>][] } | undefined
  let began = monotonic()
  for (const [t, key, entry] of view.entries()) {
    if (group && (group.t !== t || group.rows.length === ROWS_PER_LINE)) {
      yield group
      group = undefined
      if (monotonic() - began >= SLICE_MS) {
        await pause()
        began = monotonic()
      }
    }
    group ??= { t, rows: [] }
    group.rows.push([key, entry.version, entry.row])
  }
  if (group) yield group
}
