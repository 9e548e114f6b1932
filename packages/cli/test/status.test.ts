/** `skerry status`, and what `skerry get` says beside its table. */
import { type ConditionCode, conditionKinds, type SiteCondition } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { duration } from '../src/commands/status.ts'
import { world } from './cli-world.ts'

const condition = (code: ConditionCode, uuid: string | null, message: string): SiteCondition => ({
  ...{ id: `${code}/${uuid}`, code, severity: conditionKinds[code].severity, noun: conditionKinds[code].about, uuid, name: null },
  ...{ resourceUuids: uuid ? [uuid] : [], title: conditionKinds[code].title, message, since: Date.now() - 125_000 },
  ...{ heals: conditionKinds[code].heals, hint: conditionKinds[code].hint, details: {} },
})

function site(conditions: SiteCondition[]): NonNullable<Parameters<typeof world>[1]> {
  const count = (severity: string) => conditions.filter((c) => c.severity === severity).length
  const overview = () => ({
    controller: { uuid: 'c'.repeat(32), version: '0.1.0', upMs: 7_300_000 },
    store: { writable: true, reason: null, durableSeq: 41, bytes: 2048, oldestSeq: 1 },
    nats: { state: 'connected' },
    agents: { total: 3, connected: 2 },
    hosts: { total: 1, connected: 1 },
    vms: { total: 5, byState: { Running: 4, Stopped: 1 } },
    jobs: { processing: 1, undoing: 1, stuck: 1 },
    conditions: { critical: count('critical'), warning: count('warning'), info: count('info') },
  })
  return { http: { conditions: { list: () => conditions, overview, async *stream() {} } } }
}

function broken(codes: ConditionCode[]): NonNullable<Parameters<typeof world>[1]> {
  const { http } = site(codes.map((code) => condition(code, null, 'broken')))
  return { http: { ...http, ready: () => false } }
}

describe('skerry status', () => {
  it('of a healthy site shows it at a glance and ends with 0', () =>
    world(async ({ skerry }) => {
      const { code, out } = await skerry('status')
      expect(code).toBe(0)
      expect(out).toMatch(/controller +ready +version 0\.1\.0, up 2 h/)
      expect(out).toMatch(/agents +2 of 3 connected/)
      expect(out).toMatch(/vms +5 +4 Running, 1 Stopped/)
      expect(out).toMatch(/jobs +2 running, 1 stuck/)
      expect(out).toContain('nothing is wrong')
    }, site([])))

  it('names what is wrong, since when, what heals and what to do; one that is critical ends it with 1', () =>
    world(
      async ({ skerry }) => {
        const { code, out } = await skerry('status')
        expect(code).toBe(1)
        expect(out).toContain('critical: A host is out of sight (host-disconnected)\n  for 2 min: host h1 is out of sight')
        expect(out).toContain(`by itself: ${conditionKinds['host-disconnected'].heals}`)
        expect(out).toContain(`to do: ${conditionKinds['host-disconnected'].hint}`)
        expect(out.indexOf('host h1')).toBeLessThan(out.indexOf('vm v0'))
        expect(out).toMatch(/vm v4\n {2}and 2 more/)
        expect(out).toContain('1 critical, 7 warnings, 0 for information')
      },
      site([
        ...[0, 1, 2, 3, 4, 5, 6].map((n) => condition('vm-unknown', `${n}`.repeat(32), `vm v${n}`)),
        condition('host-disconnected', 'a'.repeat(32), 'host h1 is out of sight'),
      ]),
    ))

  it('with warnings alone ends with 0', () =>
    world(
      async ({ skerry }) => {
        expect((await skerry('status')).code).toBe(0)
      },
      site([condition('vm-unknown', 'a'.repeat(32), 'vm v')]),
    ))

  it('gives the same as JSON', () =>
    world(
      async ({ skerry }) => {
        const { code, out } = await skerry('status', '--json')
        expect(code).toBe(1)
        expect(JSON.parse(out)).toMatchObject({
          agents: { connected: 2 },
          counts: { critical: 1 },
          conditions: [{ code: 'nats-away', uuid: null }],
        })
      },
      site([condition('nats-away', null, 'NATS is away')]),
    ))

  it('without a session says what keeps everybody from getting one', () =>
    world(
      async ({ skerry }) => {
        const { code, out, err } = await skerry('status')
        expect(code).toBe(1)
        expect(out).toContain(`critical: ${conditionKinds['log-corrupt'].title} (log-corrupt)`)
        expect(out).toContain(conditionKinds['log-corrupt'].hint)
        expect(err).toContain('not all')
      },
      { ...broken(['log-corrupt']), loggedIn: false },
    ))

  it('without a session of a controller that is ready says to log in', () =>
    world(
      async ({ skerry }) => {
        expect(await skerry('status')).toMatchObject({ code: 6, out: '', err: expect.stringContaining('Log in again') })
      },
      { loggedIn: false },
    ))

  it('says which controller cannot be reached', () =>
    world(
      async ({ skerry }) => {
        const { code, err } = await skerry('status')
        expect(code).toBe(5)
        expect(err).toContain('cannot show the status')
      },
      { io: { fetch: async () => Promise.reject(new TypeError('fetch failed')) } },
    ))
})

describe('skerry get', () => {
  it('says beside the table what is wrong with what it shows, and with nothing else', () => {
    const conditions: SiteCondition[] = []
    return world(async ({ skerry, engine }) => {
      const vm = engine.add('vmInstance')
      const lost = {
        ...condition('volume-lost', 'd'.repeat(32), 'volume root is gone'),
        resourceUuids: ['d'.repeat(32), String(vm['uuid'])],
      }
      conditions.push(lost, condition('vm-unknown', 'e'.repeat(32), 'another vm'))
      for (const argv of [
        ['get', 'vm'],
        ['get', 'vm', String(vm['uuid'])],
      ]) {
        const { out, err } = await skerry(...argv)
        expect(out).not.toContain('root is gone')
        expect(err).toBe('critical: volume root is gone\n')
      }
      expect((await skerry('get', 'vm', '-o', 'json')).err).toBe('')
    }, site(conditions))
  })
  it('of a controller without conditions shows the resources', () =>
    world(async ({ skerry, engine }) => {
      engine.add('vmInstance')
      expect(await skerry('get', 'vm')).toMatchObject({ code: 0, err: '' })
    }))
})

it.each([
  [999, '0 s'],
  [59_999, '59 s'],
  [125_000, '2 min'],
  [7_300_000, '2 h'],
  [200_000_000, '2 d'],
])('%i ms is %s', (ms, text) => expect(duration(ms)).toBe(text))
