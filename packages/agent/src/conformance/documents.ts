/** Whether the agent takes documents as the protocol wants it: together or not at all, never back, gone only by a tombstone. */
import { digestReply, documentsReply, MAX_DOCUMENT_BYTES, planReply, type Status } from '@skerry/contract'
import { specHash } from '../sync.ts'
import { Breach, type Check, type Trial } from './trial.ts'

const INVALID = ['invalid-document', 'invalid-argument', 'malformed-request'] as const
const UNKNOWN = 'conformanceUnknown'

const digestOf = async (trial: Trial) => (await trial.own('digest', null, digestReply)).digest

/** Nothing of it may stay. */
async function unchanged(trial: Trial, what: string, act: () => Promise<void>): Promise<void> {
  const before = await digestOf(trial)
  await act()
  if ((await digestOf(trial)) !== before) throw new Breach(`${what} was refused, and something of it was taken`)
}

const unknown = (trial: Trial) => ({
  ...{ noun: UNKNOWN, uuid: trial.p.newId(), schema: 1, generation: { incarnation: 1, seq: 1 }, job: null },
  ...{ hash: specHash({}), spec: {} },
})

/** A noun that the agent says it knows. */
async function knownNoun(trial: Trial): Promise<string> {
  const beat = await trial.until('a heartbeat', trial.beatMs, () => trial.heartbeats.at(-1))
  const [noun] = Object.keys(beat.schemas ?? {})
  if (noun === undefined) throw new Breach('the heartbeat names no noun')
  return noun
}

const statusOf = (trial: Trial, seq: number, wanted: (status: Status) => boolean) =>
  trial.until(`a status of generation 1.${seq}`, trial.p.timeoutMs, () =>
    trial.statuses.find(
      ({ uuid, generation, ...rest }) => uuid === trial.uuid && generation?.seq === seq && wanted({ uuid, generation, ...rest }),
    ),
  )

export const documents: Check[] = [
  {
    name: 'takes a sync of nothing, and stays as it is',
    run: (trial) => unchanged(trial, 'a sync of nothing', async () => void (await trial.sync([]))),
  },
  {
    name: 'refuses a sync that is none, whatever its form',
    run: (trial) =>
      unchanged(trial, 'a sync of another form', async () => {
        const forms = [
          'text',
          7,
          null,
          [],
          {},
          { documents: 'x', epoch: 1 },
          { documents: [{ noun: 1 }], epoch: 1 },
          { documents: [] },
        ]
        const { uuid } = trial.p.agent
        for (const data of forms)
          await trial.refused(`the sync ${JSON.stringify(data)}`, INVALID, () => trial.ask('agent', uuid, { verb: 'sync', data }))
      }),
  },
  {
    name: 'refuses documents of a noun that it does not know',
    run: (trial) =>
      unchanged(trial, 'an unknown noun', () => trial.refused('an unknown noun', INVALID, () => trial.sync([unknown(trial)]))),
  },
  {
    name: 'refuses documents of a newer schema than it announces',
    async run(trial) {
      const newer = { ...unknown(trial), noun: await knownNoun(trial), schema: 999 }
      await unchanged(trial, 'a newer schema', () => trial.refused('schema 999', ['agent-too-old'], () => trial.sync([newer])))
    },
  },
  {
    name: 'refuses documents over 256 KiB',
    async run(trial) {
      const spec = { text: 'x'.repeat(MAX_DOCUMENT_BYTES) }
      const large = { ...unknown(trial), noun: await knownNoun(trial), spec, hash: specHash(spec) }
      await unchanged(trial, 'a large document', () => trial.refused('a document of 256 KiB', INVALID, () => trial.sync([large])))
    },
  },
  {
    name: 'answers for documents that it does not hold with none',
    async run(trial) {
      const resources = [{ noun: UNKNOWN, uuid: trial.p.newId() }]
      const { documents } = await trial.own('documents', { resources }, documentsReply)
      if (documents.length > 0) throw new Breach('it answered with a document that nobody gave it')
    },
  },
  {
    name: 'refuses a document with another hash than it says, and all that came with it',
    run: (trial) =>
      unchanged(trial, 'a batch with one bad document', async () => {
        const wrong = { ...trial.document(1), hash: specHash({ other: true }) }
        await trial.refused('a wrong hash', INVALID, () => trial.sync([wrong]))
        await trial.refused('a batch with an unknown noun', INVALID, () => trial.sync([trial.document(1), unknown(trial)]))
      }),
  },
  {
    name: 'shows what a document would change, and changes nothing',
    run: (trial) =>
      unchanged(
        trial,
        'a plan',
        async () => void (await trial.own('plan', { documents: [trial.document(5)], epoch: 1 }, planReply)),
      ),
  },
  {
    name: 'holds a document that it took, and tells what came of it',
    async run(trial) {
      const document = trial.document(5)
      const { digest } = await trial.sync([document])
      const held = await trial.own('digest', null, digestReply)
      const entry = held.entries.find(({ uuid }) => uuid === trial.uuid)
      if (digest !== held.digest || entry?.hash !== document.hash)
        throw new Breach('its digest does not hold the document that it acknowledged')
      const resources = [{ noun: document.noun, uuid: document.uuid }]
      const [same] = (await trial.own('documents', { resources }, documentsReply)).documents
      if (same?.hash !== document.hash || specHash(same.spec) !== document.hash)
        throw new Breach('the document that it holds is another one')
      await statusOf(trial, 5, ({ condition }) => condition !== 'Gone' && condition !== 'Orphaned')
    },
  },
  {
    name: 'takes the same document again, and says again what came of it',
    async run(trial) {
      const before = await digestOf(trial)
      trial.statuses.length = 0
      if ((await trial.sync([trial.document(5)])).digest !== before) throw new Breach('the same document made another digest')
      await statusOf(trial, 5, () => true)
    },
  },
  {
    name: 'never goes back: older generations, older epochs, another document of the same generation',
    run: (trial) =>
      unchanged(trial, 'an older document', async () => {
        const { spec } = trial.document(5)
        await trial.refused('an older generation', ['stale-generation'], () => trial.sync([trial.document(4)]))
        const other = { ...trial.document(5), job: trial.p.newId(), ...reworded(spec) }
        await trial.refused('another document of the same generation', ['generation-conflict', ...INVALID], () =>
          trial.sync([other]),
        )
        await trial.sync([trial.document(5)], 7)
        await trial.refused('an older epoch', ['stale-epoch'], () => trial.sync([trial.document(6)], 6))
      }),
  },
  {
    name: 'removes by a tombstone alone, tells that it is gone, and takes nothing older afterwards',
    async run(trial) {
      trial.statuses.length = 0
      const { digest } = await trial.sync([trial.tombstone(8)], 7)
      const held = await trial.own('digest', null, digestReply)
      if (held.entries.some(({ uuid }) => uuid === trial.uuid)) throw new Breach('a document under a tombstone still counts')
      if (digest !== held.digest) throw new Breach('it acknowledged a tombstone with another digest than it has')
      await statusOf(trial, 8, ({ condition }) => condition === 'Gone')
      await trial.refused('a document older than its tombstone', ['stale-generation'], () => trial.sync([trial.document(7)], 7))
    },
  },
]

/** The same wish with one more field: another text, which a reader of the noun may refuse as well. */
const reworded = (spec: Record<string, unknown>) => {
  const changed = { ...spec, conformance: true }
  return { spec: changed, hash: specHash(changed) }
}
