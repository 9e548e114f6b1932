/** `skerry query`: what it asks for, what it shows, and how it says that something is wrong. */
import { batchCalls, zqlCalls } from '@skerry/controller/testing'
import { describe, expect, it } from 'vitest'
import { exitCodes } from '../src/index.ts'
import { type World, world } from './cli-world.ts'

/** A door whose engine answers ZQL from its graph, with two zones and 23 clusters. */
const site = (test: (w: World) => Promise<void>) =>
  world(async (w) => {
    const { engine } = w
    const { graph } = engine
    const slices = { graph, freeze: () => graph.freeze(), monotonic: () => 0, pause: async () => undefined }
    const calls: ReturnType<typeof batchCalls> = {
      ...zqlCalls(slices),
      ...batchCalls({ ...slices, call: (call) => engine.call(call) }),
    }
    engine.call = async (call) => calls[call.api.api]!(call)
    const [east, west] = ['east', 'west'].map((name) => String(engine.add('zone', { name, state: 'Enabled' })['uuid']))
    for (const [name, zoneUuid] of [['a', east], ['b', west], ['c', west]] as const) engine.add('cluster', { name, zoneUuid }) // biome-ignore format: one line
    for (let n = 0; n < 20; n++) engine.add('cluster', { name: `e${n}`, zoneUuid: east })
    await test(w)
  })

describe('conditions', () => {
  it('find resources of a noun, sorted, counted, with the fields asked for', () =>
    site(async ({ skerry }) => {
      const found = await skerry('query', 'cluster', 'zone.name=west', 'name~=%', '--sort', '-name', '--fields', 'name')
      expect([found.err, found.out]).toEqual(['', 'NAME\nc\nb\n'])
      expect((await skerry('query', 'clusters', 'zone.name=west', '--count')).out).toBe('2\n')
      expect((await skerry('query', 'zone', 'name=nowhere')).out).toBe('nothing found\n')
    }))

  it('are explained as a tree', () =>
    site(async ({ skerry }) => {
      const { out } = await skerry('query', 'cluster', 'zone.name=west', 'name!=b', '--fields', 'name', '--explain')
      expect(out).toContain('query  cluster  looked at 2  found 1')
      expect(out).toContain('├─ relation  zone.name  zone.name=west  at most 2')
      expect(out).toContain('└─ test  cluster.name  name!=b  (row by row)')
      expect(out).toMatch(/rows looked at: .*cluster \d+/)
      expect(out).toContain('tables scanned: none')
    }))

  it('name the nearest where a noun or a field is unknown', () =>
    site(async ({ skerry }) => {
      const noun = await skerry('query', 'clutser', 'name=a')
      expect([noun.code, noun.err]).toEqual([exitCodes.usage, expect.stringContaining('there is no clutser to query; did you mean cluster?')]) // biome-ignore format: one line
      const field = await skerry('query', 'cluster', 'zone.nmae=east')
      expect([field.code, field.err]).toEqual([exitCodes.usage, expect.stringContaining('did you mean name?')])
      const operator = await skerry('query', 'cluster', 'name')
      expect([operator.code, operator.err]).toEqual([exitCodes.usage, expect.stringContaining('operator')])
      expect((await skerry('query')).code).toBe(exitCodes.usage)
    }))
})

describe('ZQL', () => {
  it('answers each statement as a table, in one word or in several', () =>
    site(async ({ skerry }) => {
      const text =
        "query cluster.name where zone.name = 'west' order by name return with (total, zone.name); count zone named as 'zones'"
      const { out, err } = await skerry('query', text)
      expect([err, out.split('\n')]).toEqual(['', expect.arrayContaining(['# 1', 'NAME', 'b', 'c', 'total 2', '# zones'])])
      expect(out).toMatch(/UUID +ZONE.NAME\n/)
      expect((await skerry('query', 'count', 'cluster')).out).toBe('total 23\n')
      const counts = await skerry('query', 'count cluster group by name order by name limit 1')
      expect(counts.out).toBe('NAME  COUNT\na     1\ntotal 23\n')
      expect((await skerry('query', "query max(cluster.name) where zone.name = 'west'")).out).toBe('NAME  VALUE\nc     c\n')
      expect(JSON.parse((await skerry('query', 'count cluster', '-o', 'json')).out)).toEqual([{ total: 23 }])
    }))

  it('shows whole resources by the columns of their lists', () =>
    site(async ({ skerry }) => {
      const listed = (await skerry('get', 'cluster')).out
      expect((await skerry('query', 'query cluster')).out).toBe(listed)
    }))

  it('is explained, and says where it can not be read', () =>
    site(async ({ skerry }) => {
      const { out } = await skerry('query', "query zone.name where name = 'east'", '--explain')
      expect(out).toContain('NAME\neast\n')
      expect(out).toContain("└─ index  zone.name  name = 'east'  at most 1")
      const wrong = await skerry('query', 'query zone where name = east')
      expect(wrong.code).toBe(exitCodes.usage)
      expect(wrong.err).toContain("mismatched input 'east' expecting a value: 'text', a number, true or false at line 1:24")
      expect((await skerry('query', 'count zone', '--limit', '3')).err).toContain('--limit is for conditions')
    }))
})

describe('--script', () => {
  it('runs the script in a file, and shows as JSON or YAML what it puts', () =>
    site(async ({ skerry, files }) => {
      files.set('/in/west.groovy', 'put("west", query("QueryCluster zone.name=west sortBy=name").result.name)')
      const { out, err } = await skerry('query', '--script', '/in/west.groovy')
      expect([err, JSON.parse(out)]).toEqual(['', { west: ['b', 'c'] }])
      expect((await skerry('query', '--script', '/in/west.groovy', '-o', 'yaml')).out).toBe('west:\n  - b\n  - c\n')
      expect((await skerry('query', 'cluster', '--script', '/in/west.groovy')).code).toBe(exitCodes.usage)
      files.set('/in/west.groovy', 'put("a",\n  b)')
      const wrong = await skerry('query', '--script', '/in/west.groovy')
      expect([wrong.code, wrong.err]).toEqual([exitCodes.usage, expect.stringContaining('No such property: b, error at line 2')])
    }))
})

describe('--count-conditions', () => {
  it('counts what can be asked, without a controller: at least four million over four relations', () =>
    world(
      async ({ skerry }) => {
        const { out, err } = await skerry('query', '--count-conditions')
        const total = Number(/(\d+) conditions \(field × operator\) on \d+ resources/.exec(out)?.[1])
        expect([err, total]).toEqual(['', expect.any(Number)])
        expect(total).toBeGreaterThanOrEqual(4_000_000)
        const { byDepth } = JSON.parse((await skerry('query', '--count-conditions', '--depth', '1', '-o', 'json')).out)
        expect(byDepth).toHaveLength(2)
        expect((await skerry('query', '--count-conditions', '--depth', '99')).code).toBe(exitCodes.usage)
      },
      { loggedIn: false },
    ))
})
