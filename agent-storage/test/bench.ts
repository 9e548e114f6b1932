/** An agent-storage with a ledger and reconciler over a host, real or fake, without a bus. */
import { createHash } from 'node:crypto'
import { type AgentCommand, type Ledger, type Log, openLedger, specHash } from '@skerry/agent'
import { type Bus, realTimers } from '@skerry/bus'
import { cachePath, type Document, type storageDesired, storePath, type Tombstone, volumePath } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { createReconciler } from '@skerry/reconcile'
import { buildStorage, FakeSftp } from '../src/build.ts'

export const id = (n: number) => n.toString(16).padStart(32, '0')
export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
export const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent }
const clock = { now: () => Date.now() }

let seq = 0
export function doc(noun: 'pool' | 'volume', uuid: string, spec: storageDesired.PoolSpec | storageDesired.VolumeSpec): Document {
  return { noun, uuid, schema: 1, generation: { incarnation: 1, seq: ++seq }, hash: specHash(spec), job: null, spec: { ...spec } }
}
export const tomb = (noun: string, uuid: string): Tombstone => ({
  noun,
  uuid,
  generation: { incarnation: 1, seq: ++seq },
  job: null,
  tombstone: true,
})

export const POOL = id(1)
export const STORE = id(2)

export function volumeSpec(pool: string, uuid: string, over: Partial<storageDesired.VolumeSpec> = {}): storageDesired.VolumeSpec {
  return {
    poolUuid: POOL,
    path: volumePath(pool, uuid, 'qcow2'),
    format: 'qcow2',
    sizeBytes: 64 * 1024 ** 2,
    backing: null,
    birth: 'create',
    ...over,
  }
}
export function backing(pool: string, store: string, image: { uuid: string; sha256: string; format: 'qcow2' | 'raw' }) {
  const { uuid: imageUuid, sha256: sum, format } = image
  return { imageUuid, sha256: sum, format, sourcePath: storePath(store, sum, format), cachePath: cachePath(pool, sum, format) }
}

interface BenchOptions {
  fetcher?: typeof fetch
  /** default: on no bus */
  on?: { bus: Bus; agentUuid: string }
}

export async function bench(host: Host, root: string, { fetcher = fetch, on }: BenchOptions = {}) {
  let ledger: Ledger = await openLedger({ dir: `${root}/ledger`, files: host.files, clock })
  const faults: unknown[] = []
  const open = () => {
    // Nothing here lies on a storage server.
    const nobody = {
      identity: { kind: 'storage' as const, uuid: on?.agentUuid ?? '', machineId: '', bootId: 'b' },
      bus: () => on?.bus,
      unseal: () => Buffer.alloc(0),
    }
    const parts = buildStorage(host, { ledger, timers: realTimers, ...nobody }, { fetch: fetcher, sftp: new FakeSftp() })
    const reconciler = createReconciler({
      modules: parts.modules,
      ledger,
      clock,
      timers: realTimers,
      bootId: 'b',
      onStatus: () => undefined,
      onFault: (error) => faults.push(error),
      intervalMs: 60_000,
    })
    reconciler.start()
    return { parts, reconciler }
  }
  let running = open()
  const pool = `${root}/pool`
  const store = `${root}/store`

  /** Accepts documents and runs a pass; the conditions (and error codes) of all, by uuid. */
  async function want(...documents: (Document | Tombstone)[]) {
    await ledger.accept(documents, 0)
    return pass()
  }
  async function pass() {
    await running.reconciler.pass()
    const all = running.reconciler.statuses()
    return Object.fromEntries(all.map((s) => [s.uuid, s.error ? `${s.condition} ${String(s.error['code'])}` : s.condition]))
  }
  async function run(
    noun: string,
    verb: string,
    uuid: string,
    input: Record<string, unknown>,
    signal = new AbortController().signal,
  ) {
    const command = running.parts.commands.find((c) => c.noun === noun && c.verb === verb) as AgentCommand
    const progress: Record<string, unknown>[] = []
    const context = {
      id: 'c',
      uuid,
      input: command.input.parse(input),
      signal,
      log: silent,
      progress: (p: object) => void progress.push({ ...p }),
    }
    const output = await command.run(context)
    command.output.parse(output)
    return { output: output as Record<string, string | number>, progress }
  }
  return {
    pool,
    store,
    faults,
    nouns: () => running.parts.modules.map((m) => m.noun),
    want,
    pass,
    run,
    status: (uuid: string) => running.reconciler.statuses().find((s) => s.uuid === uuid),
    pools: () =>
      want(doc('pool', POOL, { path: pool, kind: 'primary' }), doc('pool', STORE, { path: store, kind: 'image-store' })),
    plan: () => running.reconciler.dryRun([]),
    inventory: () => running.parts.inventory(),
    kinds: async () => (await running.parts.inventory()).map((i) => i.kind).sort(),
    async restart() {
      await running.reconciler.stop()
      await running.parts.stop?.()
      ledger = await openLedger({ dir: `${root}/ledger`, files: host.files, clock })
      running = open()
    },
    async stop() {
      await running.reconciler.stop()
      await running.parts.stop?.()
    },
  }
}
