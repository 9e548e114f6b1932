/** A site whose conditions can be made one by one: the graph and book are real, what else is known of the site is given. */
import {
  type Alarm,
  type ErrorBody,
  type SiteCondition,
  SKERRY_VERSION,
  SkerryError,
  type Status,
  toErrorBody,
} from '@skerry/contract'
import { AgentBook } from '../src/agents/book.ts'
import { Board } from '../src/conditions/board.ts'
import { conditionsOf } from '../src/conditions/scopes.ts'
import type { SiteFacts } from '../src/conditions/site.ts'
import { base, GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

export const T0 = 1_700_000_000_000
const DAY_MS = 86_400_000

export interface ConditionsWorld extends TestWorld {
  book: AgentBook
  board: Board
  facts: SiteFacts
  refusals: Map<string, ErrorBody>
  alarms: Alarm[]
  /** lets the board work until nothing waits, as after a second */
  settle(): void
  /** codes and what they are about, as the board has them; equal to what a look at everything gives */
  now(): string[]
  conditions(): SiteCondition[]
  status(agent: string, noun: string, uuid: string, more?: Partial<Status>): void
}

export const named = ({ code, noun, name }: SiteCondition) => `${code}: ${noun} ${name ?? '-'}`

export async function conditionsWorld(): Promise<ConditionsWorld> {
  const w = await makeWorld()
  await site(w)
  const { graph } = w.state
  await w.commit({
    ops: [
      ...[u.kvm, u.storage, u.vrouter].map((k) => ({ o: 'set' as const, t: 'agent', k, v: { version: SKERRY_VERSION } })),
      { o: 'put', t: 'vmInstance', k: u.vm, v: { ...base(u.vm, 'web'), state: 'Running', stateCause: null, hostUuid: u.host } },
      {
        o: 'put',
        t: 'volume',
        k: id('root'),
        v: { ...base(id('root'), 'root'), vmInstanceUuid: u.vm, primaryStorageUuid: u.ps, size: GIB },
      },
    ],
  })
  const clock = { ms: 0 }
  const book = new AgentBook(() => clock.ms)
  const facts: SiteFacts = {
    ...{ store: w.state.store.status(), recovery: { replayed: 0, ms: 0, tornBytes: 0, badSnapshots: [] } },
    ...{ bus: 'connected', now: T0, upMs: 0, lostSecrets: [], background: undefined, clockJump: undefined },
    certificates: [{ name: 'HTTP', validTo: T0 + 90 * DAY_MS }],
  }
  const queue: (() => void)[] = []
  const board = new Board({
    ...{ graph, book, site: () => facts, now: () => facts.now, monotonic: () => clock.ms++ },
    later: (fn) => void queue.push(fn),
    report: (error) => {
      throw error
    },
  })
  const alarms: Alarm[] = []
  board.onAlarm((alarm) => void alarms.push(alarm))
  w.state.store.onCommit((commit) => board.committed(commit))
  book.onStatus((agentUuid, status) => board.reported(agentUuid, status.noun, status.uuid))
  const refusals = new Map<string, ErrorBody>()
  const removals = (agentUuid: string) =>
    [...graph.rows('desired')].filter(([, row]) => row['tombstone'] && row['agentUuid'] === agentUuid).length
  const settle = () => {
    // Twice: the round over what holds may have been at its end.
    for (let round = 0; round < 2; round++) {
      board.tick()
      for (let run = queue.shift(); run; run = queue.shift()) run()
    }
    expectEqual([...board.all()], conditionsOf({ graph, book, refusals, removals, site: () => facts }, facts.now))
  }
  return {
    ...w,
    ...{ book, board, facts, refusals, alarms, settle },
    now() {
      settle()
      return [...board.all()].map(named).sort()
    },
    conditions() {
      settle()
      return [...board.all()]
    },
    status(agent, noun, uuid, more = {}) {
      const seq = graph.version('desired', `${agent}/${noun}/${uuid}`) ?? 1
      book.status(agent, {
        ...{ noun, uuid, generation: { incarnation: 1, seq }, condition: 'Ready', error: null, observed: {} },
        ...{ at: T0, bootId: 'boot1', ...more },
      })
    },
  }
}

/** The board must never differ from the whole truth, whatever has happened. */
function expectEqual(board: SiteCondition[], truth: SiteCondition[]): void {
  const lines = (list: SiteCondition[]) => new Set(list.map(({ since: _, ...c }) => JSON.stringify(c)))
  const [have, want] = [lines(board), lines(truth)]
  const differing = [...have, ...want].filter((line) => !have.has(line) || !want.has(line))
  if (differing.length > 0) throw new Error(`the board differs from a look at everything:\n${differing.join('\n')}`)
}

/** The desired row of a document, as an agent would have it. */
export const desired = (agentUuid: string, noun: string, uuid: string, tombstone = false) => ({
  o: 'put' as const,
  t: 'desired',
  k: `${agentUuid}/${noun}/${uuid}`,
  v: { agentUuid, noun, uuid, of: `${noun}/${uuid}`, hash: 'h', tombstone, job: null },
})

export const failure = (code: ConstructorParameters<typeof SkerryError>[0], message: string) =>
  toErrorBody(new SkerryError(code, message)) as unknown as Record<string, unknown>
