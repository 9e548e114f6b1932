/** kill -9 of the controller under write load, again and again: nothing acknowledged is lost, nothing is half done. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareAddresses, compareCounters, openStore, realDisk, type Store, tables } from '@skerry/controller/in-process'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compared, Writer } from '../harness/kill-load.ts'
import { type LoneController, loneController } from '../harness/lone-controller.ts'
import { seeded } from '../harness/seeded.ts'
import { sleep } from '../harness/site.ts'

const KILLS = 200
const WRITERS = 6
/** A life under load ends after up to so many acknowledged writes, and so many milliseconds more. */
const LIFE_WRITES = 60
const LIFE_MS = 10
/** About three minutes are needed where nothing else runs. */
const CEILING_MS = 30 * 60_000
/** Some are killed while they start. */
const STILLBORN = 0.1
const START_MS = 600
/** After so many kills the log itself is looked at. */
const LOOK_EVERY = 25

/** What the files say, opened by another process than the one that wrote them. */
async function opened(logDir: string, without: (file: string) => boolean = () => false): Promise<Store> {
  for (const file of await readdir(logDir)) if (without(file)) await rm(join(logDir, file))
  const limits = { reserveBytes: 0, autoSnapshot: false }
  return openStore({ dir: logDir, disk: realDisk, tables, clock: Date.now, newId: () => '0'.repeat(32), limits })
}

/** Rows that stand for a half-done write. */
function halves({ graph }: Store): string[] {
  const found: string[] = []
  for (const [key, tag] of graph.rows('tag'))
    if (!['zone', 'cluster', 'diskOffering', 'l2Network'].some((table) => graph.get(table, tag['resourceUuid'] as string)))
      found.push(`tag ${key} of nothing`)
  for (const table of ['cluster', 'l2Network'])
    for (const [key, row] of graph.rows(table))
      if (!graph.get('zone', row['zoneUuid'] as string)) found.push(`${table} ${key} without its zone`)
  for (const [key, row] of graph.rows('callKey'))
    if (!graph.get('job', row['job'] as string)) found.push(`key ${key} without its job`)
  for (const [key, row] of graph.rows('jobStep'))
    if (!graph.get('job', row['jobUuid'] as string)) found.push(`step ${key} without its job`)
  return found
}

async function lookAtLog(controller: LoneController): Promise<{ snapshots: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-look-'))
  try {
    for (const name of ['a', 'b']) await cp(join(controller.stateDir, 'log'), join(dir, name), { recursive: true })
    const store = await opened(join(dir, 'a'))
    expect(store.recovery).toMatchObject({ badSnapshots: [] })
    expect(store.recovery.corrupt).toBeUndefined()
    expect(halves(store).slice(0, 5)).toEqual([])
    expect([...compareCounters(store.graph), ...compareAddresses(store.graph)]).toEqual([])
    const hash = store.graph.hash()
    await store.close()
    const snapshots = (await readdir(join(dir, 'b'))).filter((file) => file.startsWith('snapshot-')).sort()
    const newest = snapshots.at(-1)
    const again = await opened(join(dir, 'b'), (file) => file === newest)
    // Without the newest snapshot the log is what says it, unless the manifest knows that there was one.
    if (again.recovery.corrupt === undefined) expect(again.graph.hash()).toBe(hash)
    await again.close()
    return { snapshots: snapshots.length }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

describe.runIf(requireOrSkip('kill -9 of the controller', { programs: ['nats-server', 'flock'] }))(
  'a controller killed with -9',
  () => {
    const seed = Number(process.env['SKERRY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    const random = seeded(seed)
    let controller: LoneController
    let writers: Writer[]

    beforeAll(async () => {
      controller = await loneController({ args: ['--history-mib', '8'] })
      controller.begin()
      await controller.ready()
      await controller.login()
      writers = Array.from({ length: WRITERS }, (_, i) => new Writer(controller, `w${i}`, seeded(seed + i + 1)))
    })
    afterAll(() => controller?.stop())

    const acknowledged = () => writers.reduce((sum, { counts }) => sum + counts.acknowledged, 0)

    /** One life under load, ended by kill -9. */
    async function life(): Promise<void> {
      const enough = acknowledged() + random() * LIFE_WRITES
      const writing = Promise.all(writers.map((writer) => writer.write()))
      const killing = (async () => {
        while (acknowledged() < enough) await sleep(1)
        await sleep(random() * LIFE_MS)
        await controller.end('SIGKILL')
      })()
      await Promise.race([killing, writing])
      await Promise.all([killing, writing])
    }

    /** Starts it, and asks for what was under way until everything is known. */
    async function nextLife(): Promise<void> {
      controller.begin()
      if (random() < STILLBORN) {
        await sleep(random() * START_MS)
        await controller.end('SIGKILL')
        controller.begin()
      }
      await controller.ready()
      const clear = await Promise.all(writers.map((writer) => writer.clear()))
      expect(clear).not.toContain(false)
    }

    it(
      `${KILLS} times under write load loses no acknowledged write and leaves none half done (seed ${seed})`,
      async () => {
        let snapshots = 0
        for (let kill = 1; kill <= KILLS; kill++) {
          await life()
          if (kill % LOOK_EVERY === 0) snapshots = Math.max(snapshots, (await lookAtLog(controller)).snapshots)
          await nextLife()
          const { there, told } = await compared(controller, writers)
          expect(there, `after kill ${kill}, seed ${seed}`).toEqual(told)
        }
        const total = { acknowledged: 0, repeated: 0, lookedUp: 0, happened: 0 }
        for (const { counts } of writers)
          for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += counts[key]
        console.log(`seed ${seed}: ${JSON.stringify(total)}, ${snapshots} snapshots`)
        expect(total.acknowledged, 'there was a load').toBeGreaterThan(KILLS * 20)
        expect(total.repeated, 'calls were killed under way').toBeGreaterThan(KILLS)
        expect(snapshots, 'segments and snapshots were written under it too').toBeGreaterThan(0)
        const open = await controller.call('QueryJob', { q: ['state!=done'], limit: 100 })
        expect(open.body!['inventories'], 'every job that was accepted has come to its end').toEqual([])
      },
      CEILING_MS,
    )
  },
)
