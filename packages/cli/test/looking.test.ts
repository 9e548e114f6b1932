/** `why`, `logs`, `top`, `--columns`: what a person reads; and the JSON that programs rely on. */
import { readFileSync } from 'node:fs'
import type { HistoryEntry, HistoryQuery } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { type World, world } from './cli-world.ts'

const GIB = 2 ** 30
const JOB = 'a'.repeat(32)
const AT = Date.parse('2026-01-02T03:04:05.000Z')

const entry = (seq: number, o: Partial<HistoryEntry>): HistoryEntry => ({
  ...{ seq, at: AT + seq * 10, actor: 'system', changes: [], facts: [], documents: 0 },
  ...o,
})

/** A VM on a host, both with something to tell. */
function site({ engine }: World) {
  const zone = engine.add('zone', { name: 'z', state: 'Enabled' })
  const host = engine.add('host', {
    ...{ name: 'h1', state: 'Enabled', status: 'Disconnected', zoneUuid: zone['uuid'] },
    ...{ totalCpuCapacity: 8, availableCpuCapacity: 6, totalMemoryCapacity: 4 * GIB, availableMemoryCapacity: GIB },
  })
  engine.add('primaryStorage', { name: 'p1', status: 'Connected', totalCapacity: 10 * GIB, availableCapacity: 5 * GIB })
  const vm = engine.add('vmInstance', {
    ...{ name: 'web', state: 'Running', stateCause: 'guest', hostUuid: host['uuid'], zoneUuid: zone['uuid'] },
    ...{ cpuNum: 2, memorySize: 3 * GIB },
  })
  engine.add('vmNic', { vmInstanceUuid: vm['uuid'], ip: '10.0.0.7', mac: '02:00:00:00:00:01' })
  engine.add('vmNic', { vmInstanceUuid: vm['uuid'], ip: '10.0.1.7', mac: '02:00:00:00:00:02' })
  return { vm, host }
}

const asked: HistoryQuery[] = []
const http = {
  history: async (query: HistoryQuery) => {
    asked.push(query)
    return {
      entries: [
        entry(1, { job: JOB, changes: [{ table: 'job', key: JOB, op: 'put' as const }] }),
        entry(2, { job: JOB, step: { name: 'check', state: 'done' }, documents: 2 }),
        entry(3, {
          ...{ actor: 'agent:x', job: JOB, changes: [] },
          facts: [{ noun: 'vmInstance', uuid: query.resourceUuid ?? 'v', event: 'state-changed', data: { to: 'Running' } }],
        }),
      ],
      complete: false,
    }
  },
  audit: {
    hosts: async () => ({
      differences: [
        {
          host: 'h1',
          kind: 'power',
          id: String(asked.at(-1)?.resourceUuid),
          expected: 'Running',
          observed: 'Stopped',
          remedy: 'start it',
        },
        { host: 'h1', kind: 'disk', id: 'of somebody else', expected: 'there', observed: 'gone', remedy: 'none' },
      ],
      checked: 2,
    }),
  },
}

describe('why', () => {
  it('tells state, dependencies, differences, jobs and history of one resource', () =>
    world(
      async (w) => {
        const { vm } = site(w)
        const { code, out } = await w.skerry('why', 'vm', 'web')
        expect(code).toBe(0)
        expect(out).toContain(`vm web (${vm['uuid']}): state Running, stateCause guest\n`)
        expect(out).toMatch(/host +h1 +state Enabled, status Disconnected,/)
        expect(out).toContain('h1: power is Stopped, not Running; start it')
        expect(out).not.toContain('disk is gone')
        expect(out).toContain('2026-01-02 03:04:05.030  its agent says: vmInstance state-changed to=Running')
        expect(out).not.toContain('nothing is known to be wrong')
        for (const form of [['vm/web'], ['web'], [String(vm['uuid'])]]) expect((await w.skerry('why', ...form)).out).toBe(out)
      },
      { http },
    ))
  it('shows a job that failed with each host and its reason', () =>
    world(async (w) => {
      const refused = [{ host: 'h1', because: 'too little memory' }]
      const { uuid } = w.engine.add('job', {
        ...{ name: 'CreateVmInstance', api: 'CreateVmInstance', state: 'failed', step: 'place', steps: [], finishedAt: AT },
        error: { code: 'no-host', message: 'no host can take it', retry: 'never', details: { refused } },
      })
      const { out } = await w.skerry('why', 'job', String(uuid))
      expect(out).toContain('CreateVmInstance  failed at place\n    no-host: no host can take it\n      h1: too little memory\n')
      const { code, err } = await w.skerry('why', 'vm', 'never-made')
      expect({ code, err }).toMatchObject({
        code: exitCodes.notFound,
        err: expect.stringContaining(`run: skerry logs --job ${uuid}`),
      })
    }))
  it('asks which, where several are called so, and says what to run where nothing is', () =>
    world(async (w) => {
      w.engine.add('zone', { name: 'same' })
      w.engine.add('image', { name: 'same' })
      const twice = await w.skerry('why', 'same')
      expect(twice.code).toBe(exitCodes.conflict)
      expect(twice.err).toMatch(/candidate: zone .*\n.*candidate: image /)
      expect(await w.skerry('why', 'nobody')).toMatchObject({
        code: exitCodes.notFound,
        err: expect.stringContaining('run: skerry why'),
      })
      expect((await w.skerry('why', 'rocket', 'x')).code).toBe(exitCodes.usage)
    }))
  it('does without what the controller has not', () =>
    world(async (w) => {
      site(w)
      const { code, out } = await w.skerry('why', 'vm', 'web')
      expect(code).toBe(0)
      expect(out).toContain('nothing is known to be wrong')
    }))
})

describe('logs', () => {
  it('tell the steps of a job with their times, and its commits', () =>
    world(
      async ({ skerry, engine }) => {
        const accepted = (
          await skerry('delete', 'zone', String(engine.add('zone', { name: 'z' })['uuid']), '-o', 'name')
        ).out.trim()
        const { code, out } = await skerry('logs', '--job', accepted)
        expect(code).toBe(0)
        expect(out).toContain(`job ${accepted}\nDeleteZone: done`)
        expect(out).toMatch(/^check +done +2026-01-02 03:04:05.020 +/m)
        expect(out).toContain('      1  2026-01-02 03:04:05.010  accepted\n')
        expect(out).toContain('step check done: 2 documents for agents\n')
        expect(out).toContain('no longer in the log')
        expect(asked.at(-1)).toEqual({ job: accepted })
        expect((await skerry('logs', '--job', 'f'.repeat(32))).code).toBe(exitCodes.notFound)
        expect(await skerry('logs')).toMatchObject({
          code: exitCodes.usage,
          err: expect.stringContaining('skerry logs --job'),
        })
      },
      { http },
    ))
})

it('logs of a job say which steps it has passed over', () =>
  world(async ({ skerry, engine }) => {
    const zone = String(engine.add('zone', { name: 'z' })['uuid'])
    const accepted = (await skerry('delete', 'zone', zone, '-o', 'name')).out.trim()
    engine.jobs.set(accepted, { ...engine.jobs.get(accepted)!, skipped: ['place'] })
    const { out } = await skerry('logs', '--job', accepted)
    expect(out).toMatch(/^place +skipped/m)
    expect(out).toMatch(/^make +done/m)
  }))

describe('logs of a VM', () => {
  it('are the end of what it has said, or what was searched there', () =>
    world(async (w) => {
      const { vm } = site(w)
      const asked = () => w.engine.calls.filter(({ api }) => api.api === 'GetVmConsoleLog').map(({ params }) => params)
      // What the engine makes up for a text.
      expect(await w.skerry('logs', 'web')).toMatchObject({ code: 0, out: 'text\n' })
      await w.skerry('logs', 'web', '--lines', '5', '--search', 'boot')
      expect(asked()).toEqual([
        { uuid: vm['uuid'], lines: 200 },
        { uuid: vm['uuid'], lines: 5, search: 'boot' },
      ])
      expect((await w.skerry('logs', 'web', '--lines', 'x')).code).toBe(exitCodes.usage)
      expect((await w.skerry('logs', 'web', '--job', JOB)).code).toBe(exitCodes.usage)
    }))
})

describe('top', () => {
  it('shows once, to what is no terminal, what was given out of what there is', () =>
    world(async (w) => {
      site(w)
      const { code, out } = await w.skerry('top')
      expect(code).toBe(0)
      expect(out).toMatch(/^h1 +Disconnected +###\.{7} {2}25% of 8 +########\.\. {2}75% of 4 GiB +1$/m)
      expect(out).toMatch(/^p1 +Connected +#####\.{5} {2}50% of 10 GiB$/m)
      expect(out).toMatch(/^web +h1 +2 +3 GiB$/m)
      expect((await w.skerry('top', '--interval', '0')).code).toBe(exitCodes.usage)
    }))
  it('looks again on a terminal until Ctrl-C', async () => {
    const stop = new AbortController()
    await world(
      async (w) => {
        site(w)
        let looks = 0
        const { out } = w.io
        w.io.out = (text) => {
          out(text)
          looks += 1
          if (looks === 3) stop.abort()
        }
        const { code } = await w.skerry('top', '--interval', '0.01')
        expect({ code, looks }).toEqual({ code: 0, looks: 3 })
        looks = 0
        await w.skerry('top', '--once')
        expect(looks).toBe(1)
      },
      { io: { tty: true, interrupted: stop.signal } },
    )
  })
})

it('columns are picked with --columns, also inside of what is shown; unknown ones are refused', () =>
  world(async (w) => {
    site(w)
    expect((await w.skerry('get', 'vm', '--columns', 'name,state,vmNics.ip')).out).toBe(
      'NAME  STATE    VMNICS.IP\nweb   Running  10.0.0.7,10.0.1.7\n',
    )
    expect((await w.skerry('get', 'vm', 'web', '--columns', 'memorySize,ip')).out).toBe(
      'MEMORYSIZE  IP\n3 GiB       10.0.0.7,10.0.1.7\n',
    )
    const { code, err } = await w.skerry('get', 'vm', '--columns', 'name,nope')
    expect({ code, err }).toMatchObject({
      code: exitCodes.usage,
      err: expect.stringMatching(/has no nope\n {2}allowed: .*vmNics/),
    })
    expect((await w.skerry('get', 'host', '--columns', 'password')).code).toBe(exitCodes.usage)
  }))

/** Names and types, whatever the values. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])]
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shape(one)]))
}

/** [format] Programs read these: a name that goes, or another type, is a break. New names may come, and are added to the file. */
it('JSON keeps its form', () =>
  world(
    async (w) => {
      const { vm } = site(w)
      const job = (await w.skerry('stop', 'vm', String(vm['uuid']), '-o', 'name')).out.trim()
      const commands = [
        'get zone',
        'get zone z',
        'create zone y',
        'create zone y --wait',
        'delete zone z --dry-run',
        'why zone z',
        'logs --job',
        'top',
        'audit --hosts',
        'get nothing-of-this-kind',
      ]
      const found: Record<string, unknown> = {}
      for (const command of commands) {
        const { out } = await w.skerry(...command.split(' '), ...(command.endsWith('--job') ? [job] : []), '-o', 'json')
        found[command] = out === '' ? 'nothing on stdout' : shape(JSON.parse(out))
      }
      const golden = JSON.parse(readFileSync(new URL('golden/json-v1.json', import.meta.url), 'utf8'))
      expect(found).toEqual(golden)
    },
    { http },
  ))
