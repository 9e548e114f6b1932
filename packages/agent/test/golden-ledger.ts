/**
 * What an agent of each kind keeps on its disk, written by the code itself: documents as controllers send them, a second
 * version of one, tombstones, facts, receipts, fences, a batch that a crash left, and who it is.
 */
import { readFileSync } from 'node:fs'
import { type AgentKind, type Document, nouns, type Row, SkerryError, type Tombstone, toErrorBody } from '@skerry/contract'
import { type FakeHost, fakeHost } from '@skerry/host'
import { enrol } from '../src/enrol.ts'
import { Batches } from '../src/ledger/batches.ts'
import { type Ledger, openLedger } from '../src/ledger/ledger.ts'
import { specHash } from '../src/sync.ts'

export const STATE = '/state'
export const LEDGER = `${STATE}/ledger`
export const NOW = 1_700_000_000_000
const EPOCH = 3
export const clock = { now: () => NOW }
export const kinds: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']
/** By which the uuids of what is not in the controller's golden documents are told apart. */
export const uuidAt = (n: number) => `${n}`.padStart(12, '0').concat('4000', '8000', '000000000000')

/** As version 1 of the controller wrote them (its own golden file), for the nouns of one kind. */
function documentsOf(kind: AgentKind): Document[] {
  const file = new URL('../../../controller/test/golden/documents-v1.json', import.meta.url)
  const all = Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Document>)
  const mine = nouns[kind].map(({ noun }) => noun)
  return all.filter(({ noun }) => mine.includes(noun)).map((d, i) => ({ ...d, generation: { incarnation: 1, seq: 10 + i } }))
}

/** What modules note, by noun. */
export const factsOf: Readonly<Record<string, Row>> = {
  vm: { acted: { power: 'Running', placementEpoch: 1 }, bootId: 'b'.repeat(32), epoch: { incarnation: 1, placementEpoch: 1 } },
  volume: { madeAt: '/ps/volumes/x.qcow2' },
  pool: { madeAt: '/ps' },
}

async function fill(ledger: Ledger, kind: AgentKind): Promise<void> {
  const documents = documentsOf(kind)
  await ledger.accept(documents, EPOCH - 1)
  for (const { noun, uuid } of documents) if (factsOf[noun]) await ledger.setFacts(noun, uuid, factsOf[noun])
  const newer = { ...documents[0]!, generation: { incarnation: 1, seq: 30 }, job: null }
  await ledger.accept([newer], EPOCH)
  const { noun } = newer
  const buried = (n: number, seq: number): Tombstone => ({
    noun,
    uuid: uuidAt(n),
    generation: { incarnation: 1, seq },
    job: uuidAt(9),
    tombstone: true,
  })
  await ledger.accept([{ ...newer, uuid: uuidAt(1), generation: { incarnation: 1, seq: 31 } }], EPOCH)
  await ledger.accept([buried(1, 32)], EPOCH)
  await ledger.accept([buried(2, 33)], EPOCH)
  await ledger.gone(noun, uuidAt(2))
  await ledger.fence('image', uuidAt(3), 7)
  const receipt = { v: 1 as const, about: 'a'.repeat(64), expiresAt: NOW + 86_400_000, output: null, error: null }
  await ledger.receipts.put({ ...receipt, id: 'begun', state: 'begun' }, 1)
  await ledger.receipts.put({ ...receipt, id: 'done', state: 'done', output: { how: 'acpi' } }, 1)
  const error = toErrorBody(new SkerryError('guest-timeout', 'the guest did not react', { uuid: uuidAt(4) }))
  await ledger.receipts.put({ ...receipt, id: 'refused', state: 'done', error }, 1)
  await ledger.idle()
}

/** Two documents of one sync that a power cut caught before they stood in files of their own. */
async function leaveBatch(host: FakeHost, kind: AgentKind): Promise<void> {
  const [document] = documentsOf(kind)
  const batches = new Batches(host.files, `${LEDGER}/batches`)
  await batches.load()
  const entry = (n: number) => {
    const spec = document!.spec
    const made = { ...document!, uuid: uuidAt(n), generation: { incarnation: 1, seq: 40 + n }, spec, hash: specHash(spec) }
    return { v: 1 as const, noun: made.noun, uuid: made.uuid, epoch: EPOCH, document: made, tombstone: null, facts: {} }
  }
  await batches.add([entry(5), entry(6)])
}

const answer = { uuid: uuidAt(7), jwt: 'eyJ0.eyJh.c2ln', servers: ['tls://192.0.2.1:4222'], ca: '-----BEGIN CERTIFICATE-----\n' }

/** What the ledger must be found to hold: its digest, and `noun uuid generation` of its documents. */
export const EXPECTED = 'expected.json'
export function contentOf(ledger: Ledger): { digest: string; held: string[] } {
  const held = ledger.digestEntries().map(({ noun, uuid, generation: g }) => `${noun} ${uuid} ${g.incarnation}.${g.seq}`)
  return { digest: ledger.digest(), held: held.sort() }
}

/** Files below the state folder. Only `identity.json` differs each time: its keys are random. */
export async function recordLedger(kind: AgentKind): Promise<Map<string, Uint8Array>> {
  const host = fakeHost({ nowMs: clock.now })
  host.disk.makeDir(STATE, 0o700)
  await enrol({
    ...{ controllerUrl: 'http://192.0.2.1:8080', token: 'token-that-was-used', kind, machineId: 'c'.repeat(32) },
    ...{ managementIp: '192.0.2.7', stateDir: STATE, files: host.files, version: '0.1.0' },
    fetch: async () => ({ status: 200, text: async () => JSON.stringify(answer) }),
  })
  await fill(await openLedger({ dir: LEDGER, files: host.files, clock }), kind)
  await leaveBatch(host, kind)
  const asLeft = new Map([...host.disk.files].map(([path, file]) => [path, { ...file }]))
  host.disk.put(
    `${STATE}/${EXPECTED}`,
    Buffer.from(`${JSON.stringify(contentOf(await openLedger({ dir: LEDGER, files: host.files, clock })), null, 2)}\n`),
  )
  // Opening it has put the batch into files of their own.
  for (const path of host.disk.files.keys()) if (!asLeft.has(path) && !path.endsWith(EXPECTED)) host.disk.remove(path)
  for (const [path, file] of asLeft) host.disk.put(path, file.data)
  return new Map([...host.disk.files].map(([path, { data }]) => [path.slice(STATE.length + 1), data]))
}

/** A machine with these files below the state folder. */
export function hostWith(files: ReadonlyMap<string, Uint8Array>): FakeHost {
  const host = fakeHost({ nowMs: clock.now })
  for (const [name, data] of files) {
    const path = `${STATE}/${name}`
    host.disk.makeDir(path.slice(0, path.lastIndexOf('/')), 0o700)
    host.disk.put(path, data)
  }
  return host
}
