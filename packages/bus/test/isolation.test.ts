/**
 * Who may say and hear what, cell by cell, on a real nats-server with the configuration of a site. The rows are made from the
 * contract's subjects: a new subject without a row here fails. Each cell is what the server itself does: it lets it pass, or it
 * answers with a permissions violation.
 */
import { randomUUID } from 'node:crypto'
import { type AgentKind, agentKind, type SkerryError, subjects } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agentServiceName, type GatheringBus, serviceSubjects } from '../src/index.ts'
import { eventually } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')
const KINDS = agentKind.options
const RES = newUuid()

/** Whom a row is about: an agent's kind and uuid. */
interface About {
  kind: AgentKind
  uuid: string
}
/** What the agent that a row is about may do there itself. Another agent may do nothing. */
type Own = readonly ('publish' | 'subscribe')[]

interface Row {
  at(about: About): string
  own: Own
}

const PUBLISH: Own = ['publish']
const SUBSCRIBE: Own = ['subscribe']
const NEVER: Own = []

/** One row a subject of the contract, or several where the last token matters. */
const CONTRACT: Record<keyof typeof subjects, readonly Row[]> = {
  do: [{ at: ({ kind, uuid }) => subjects.do(kind, uuid, 'vm', RES, 'stop'), own: SUBSCRIBE }],
  doAll: [{ at: ({ kind, uuid }) => subjects.doAll(kind, uuid), own: SUBSCRIBE }],
  status: [{ at: ({ kind, uuid }) => subjects.status(kind, uuid, 'vm', RES), own: PUBLISH }],
  statusOfAll: [{ at: () => subjects.statusOfAll, own: NEVER }],
  progress: [{ at: ({ kind, uuid }) => subjects.progress(kind, uuid, 'c1'), own: PUBLISH }],
  progressOfAll: [{ at: () => subjects.progressOfAll, own: NEVER }],
  ask: [{ at: ({ kind, uuid }) => subjects.ask(kind, uuid, 'sync'), own: PUBLISH }],
  askOfAll: [{ at: () => subjects.askOfAll, own: NEVER }],
  heartbeat: [{ at: ({ kind, uuid }) => subjects.heartbeat(kind, uuid), own: PUBLISH }],
  heartbeatOfAll: [{ at: () => subjects.heartbeatOfAll, own: NEVER }],
  io: [
    { at: ({ kind, uuid }) => subjects.io(kind, uuid, 's1', 'in'), own: ['publish', 'subscribe'] },
    { at: ({ kind, uuid }) => subjects.io(kind, uuid, 's1', 'out'), own: PUBLISH },
  ],
  api: [
    { at: () => subjects.api('vm', undefined, 'create'), own: NEVER },
    { at: () => subjects.api('vm', RES, 'stop'), own: NEVER },
  ],
  apiOfAll: [{ at: () => subjects.apiOfAll, own: NEVER }],
  event: [{ at: () => subjects.event('vm', RES, 'started'), own: NEVER }],
  eventOfAll: [{ at: () => subjects.eventOfAll, own: NEVER }],
  alarm: [{ at: () => subjects.alarm('disk-full', undefined, 'raised'), own: NEVER }],
  alarmOfAll: [{ at: () => subjects.alarmOfAll, own: NEVER }],
  job: [{ at: () => subjects.job(RES, 'done'), own: NEVER }],
}

const self = ({ kind, uuid }: About) => `skerry.v1.agent.${kind}.${uuid}`
/** What is not of the contract: inboxes, NATS's own subjects, wildcards that would span. */
const OTHERS: readonly Row[] = [
  { at: ({ uuid }) => `_INBOX_${uuid}.x.1`, own: SUBSCRIBE },
  { at: ({ uuid }) => `_INBOX_${uuid}.>`, own: SUBSCRIBE },
  ...['_INBOX_ctl.>', '_INBOX_ctl.x.1', '_INBOX.>', '_INBOX.x', '_INBOX_sys.>', '_INBOX_cli_x.1'].map((s) => ({
    at: () => s,
    own: NEVER,
  })),
  ...['>', '*', '*.>', 'skerry.>', 'skerry.v1.>', 'skerry.v1.agent.>'].map((s) => ({ at: () => s, own: NEVER })),
  { at: ({ kind }) => `skerry.v1.agent.${kind}.>`, own: NEVER },
  { at: ({ kind }) => `skerry.v1.agent.${kind}.*.do.>`, own: NEVER },
  { at: ({ uuid }) => `skerry.v1.agent.*.${uuid}.do.>`, own: NEVER },
  { at: (a) => `${self(a)}.>`, own: NEVER },
  { at: (a) => `${self(a)}.*.>`, own: NEVER },
  { at: (a) => `${self(a)}.io.*.in`, own: SUBSCRIBE },
  { at: (a) => `${self(a)}.io.>`, own: NEVER },
  { at: (a) => `${self(a)}.hb.more`, own: NEVER },
  ...['skerry.v1.api.>', 'skerry.v1.ctl.>', 'skerry.v1.ctl.x.drain', 'skerry.v1.job.>', 'skerry.v2.agent.>'].map((s) => ({
    at: () => s,
    own: NEVER,
  })),
  ...['$JS.>', '$JS.API.INFO', '$JS.API.STREAM.CREATE.x', '$JS.API.>', '$JS.ACK.x', '$KV.x', '$O.x'].map((s) => ({
    at: () => s,
    own: NEVER,
  })),
  ...['$SYS.>', '$SYS.REQ.SERVER.PING', '$SYS.REQ.CLAIMS.UPDATE', '$SYS.ACCOUNT.>'].map((s) => ({ at: () => s, own: NEVER })),
  ...['$SRV.>', '$SRV.PING.*', '$SRV.PING.other'].map((s) => ({ at: () => s, own: NEVER })),
]
/** Its own service subjects, and those of everybody's `PING`: to hear, never to ask. */
const services = (kind: AgentKind): Row[] =>
  (['PING', 'INFO', 'STATS'] as const).map((verb) => ({
    at: ({ uuid }: About) => serviceSubjects(verb, agentServiceName(kind), uuid)[2] as string,
    own: SUBSCRIBE,
  }))

const isWild = (subject: string) => /(^|\.)[*>](\.|$)/.test(subject)

if (requireOrSkip('isolation on nats-server', { programs: ['nats-server'] })) {
  describe.each(KINDS)('agent A of kind %s, with its own credentials', (kind) => {
    let server: TestNats
    let controller: GatheringBus
    let agent: GatheringBus
    const denied = new Set<string>()
    const A: About = { kind, uuid: newUuid() }
    const foreign: About[] = [
      { kind, uuid: newUuid() },
      ...KINDS.filter((k) => k !== kind).flatMap((k) => [
        { kind: k, uuid: newUuid() },
        { kind: k, uuid: A.uuid },
      ]),
    ]
    /** Every cell once: where, and whether A may. Rows that name nobody come out the same for each. */
    const cells = new Map<string, Set<string>>()

    beforeAll(async () => {
      const rows = [...Object.values(CONTRACT).flat(), ...OTHERS, ...services(kind)]
      for (const { at } of rows) for (const about of foreign) cells.set(at(about), new Set())
      for (const { at, own } of rows) cells.set(at(A), new Set([...own, ...(cells.get(at(A)) ?? [])]))
      server = await startNats({ tls: true, auth: true })
      controller = await server.connect('controller')
      const onError = (e: SkerryError): void => void denied.add(`${e.code} ${e.details['operation']} ${e.details['subject']}`)
      agent = await server.connect('agent', { agent: A, onError })
    })
    afterAll(() => server.stop())
    const may = (what: string) => [...cells].filter(([, allowed]) => allowed.has(what)).map(([subject]) => subject)
    const mayNot = (what: string) => [...cells].filter(([, allowed]) => !allowed.has(what)).map(([subject]) => subject)

    it('has a row for every subject of the contract', () => {
      expect(Object.keys(CONTRACT).sort()).toEqual(Object.keys(subjects).sort())
      expect(may('publish').length).toBeGreaterThanOrEqual(6)
      expect(may('subscribe').length).toBeGreaterThanOrEqual(7)
      expect(mayNot('subscribe').length).toBeGreaterThan(80)
    })

    it.each(['alone', 'in a queue group'])('subscribes %s to its own, and is refused everything else', async (how) => {
      denied.clear()
      const queue = how === 'alone' ? {} : { queue: 'workers' }
      const heard = new Set<string>()
      const open = [...cells.keys()].map((s) => agent.subscribe(s, (m) => void heard.add(m.subject), queue))
      await agent.flush()
      const refused = mayNot('subscribe').map((s) => `permission-denied subscription ${s}`)
      await eventually(() => denied.size >= refused.length)
      expect([...denied].sort()).toEqual(refused.sort())
      // the controller itself may speak into an inbox only in answer, and to services only to ask
      const said = [...cells.keys()].filter((s) => !isWild(s) && s.startsWith('skerry.'))
      for (const subject of said) controller.publish(subject, null)
      await controller.flush()
      await agent.flush()
      const own = said.filter((s) => cells.get(s)?.has('subscribe'))
      expect([...heard].sort()).toEqual(own.sort())
      await Promise.all(open.map((s) => s.stop()))
    })

    it('publishes its own, and is refused everything else; nobody hears what is refused', async () => {
      denied.clear()
      const heard = new Set<string>()
      const spies = ['skerry.>', '$SRV.>'].map((s) => controller.subscribe(s, (m) => void heard.add(m.subject)))
      await controller.flush()
      const said = [...cells.keys()].filter((s) => !isWild(s))
      for (const subject of said) agent.publish(subject, null)
      await agent.flush()
      const refused = mayNot('publish').filter((s) => !isWild(s))
      await eventually(() => denied.size >= refused.length)
      await controller.flush()
      expect([...denied].sort()).toEqual(refused.map((s) => `permission-denied publish ${s}`).sort())
      expect([...heard].sort()).toEqual(may('publish').sort())
      await Promise.all(spies.map((s) => s.stop()))
    })

    it('asks where it may publish, and gets an answer; every other request fails by the violation', async () => {
      denied.clear()
      const serving = controller.serve('skerry.>', async () => 'answered')
      await controller.flush()
      const said = [...cells.keys()].filter((s) => !isWild(s))
      const outcomes = await Promise.all(
        said.map(async (subject) => {
          const answer = agent.request(subject, null, { timeoutMs: 10_000 })
          return [
            subject,
            await answer.then(
              (m) => m.data,
              (e: SkerryError) => e.code,
            ),
          ] as const
        }),
      )
      const expected = said.map((s) => [s, cells.get(s)?.has('publish') ? 'answered' : 'permission-denied'])
      expect(outcomes).toEqual(expected)
      await serving.stop()
    })

    it('forges headers in vain: they give no right to a subject', async () => {
      denied.clear()
      const forged = {
        'Skerry-Actor': 'system',
        'Skerry-Epoch': '999',
        'Skerry-Job': RES,
        'Nats-Msg-Id': 'x',
        'Skerry-Error': 'internal',
      }
      const subject = subjects.do(kind, foreign[0]!.uuid, 'vm', RES, 'stop')
      agent.publish(subject, { epoch: 999 }, forged)
      await agent.flush()
      await eventually(() => denied.size === 1)
      expect([...denied]).toEqual([`permission-denied publish ${subject}`])
    })
  })
}
