/**
 * Power cuts: the controller runs in a machine of its own whose plug is pulled at random moments under write load (kill -9 of a
 * process alone never tests fsync: the kernel, and with it the page cache, lives on). An agent's ledger is written beside it.
 */
import { type Lab, SHARE } from '@skerry/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { sleep, until } from '../harness/site.ts'
import { broken } from './kept.ts'
import { type LabSite, labRuns, type Running, SLOW_MS, STATE, startLabSite } from './lab-site.ts'
import { buildLedgerProgram, LedgerPromises } from './ledger.ts'
import { Promises, startWriters, type WriterKind } from './writers.ts'

const SEED = 20_261_122
/** Each takes a boot under emulation. CI has time for half of the twenty; `SKERRY_POWER_CUTS=20 scripts/test lab` pulls all. */
const CUTS = Number(process.env['SKERRY_POWER_CUTS'] ?? 10)
const HOUR = 3_600_000
const LOG = `${STATE}/controller/log`
/** As long as a block that was lost while the file's length was not. */
const TORN_BYTES = 4096

/** Every way to ask for a flush succeeds, and nothing is asked for. */
const NEVER_FLUSH = `import fs from 'node:fs'
import { open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
for (const name of ['fsync', 'fdatasync']) fs[name] = (_fd, done) => process.nextTick(done, null)
const file = await open('/dev/null')
for (const name of ['sync', 'datasync']) Object.getPrototypeOf(file)[name] = async () => undefined
await file.close()
syncBuiltinESMExports()
`

/** mulberry32: the same seed gives the same moments. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const sites: LabSite[] = []
afterAll(async () => {
  for (const site of sites) await site.stop()
})

interface Chain {
  site: LabSite
  running: Running
  promised: Promises
  ledger: LedgerPromises
}

async function begin(): Promise<Chain> {
  const { site, running } = await startLabSite({ host: true, prepare: buildLedgerProgram })
  sites.push(site)
  return { site, running, promised: new Promises(), ledger: new LedgerPromises() }
}

interface Load {
  writes: number
  moreMs: number
  /** default: all kinds */
  kinds?: readonly WriterKind[]
  /** of the ledger's writer */
  env?: Record<string, string>
}

/** Writes until so many more are acknowledged and a moment longer, then pulls the plug. */
async function writeAndCut({ site, running, promised, ledger }: Chain, o: Load): Promise<void> {
  await ledger.start(running.lab, o.env)
  const upTo = promised.acknowledged + o.writes
  const writing = startWriters(site, promised, o.kinds)
  const enough = until(`${o.writes} acknowledged writes`, SLOW_MS, () => promised.acknowledged >= upTo)
  enough.catch(() => undefined) // whoever is first is heard
  await Promise.race([enough, writing.ended])
  await sleep(o.moreMs)
  await site.cut(running)
  await writing.ended
  await ledger.heard()
}

async function keptBy({ site, running, promised, ledger }: Chain): Promise<string[]> {
  return [...(await ledger.broken(running.lab)), ...(await broken(site, promised))]
}

/** As Promise.all, but nothing goes on behind the back of who takes the sites down. */
async function all<T>(work: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

interface Cuts {
  cuts: number
  seed: number
  /** After this cut, the last segment gets an end that is no record. */
  tornAfter?: number
}

async function cutAgainAndAgain(chain: Chain, { cuts, seed, tornAfter }: Cuts): Promise<void> {
  const next = random(seed)
  for (let cut = 1; cut <= cuts; cut += 1) {
    const o = { writes: Math.floor(next() * 25), moreMs: Math.floor(next() * 250) }
    await writeAndCut(chain, o)
    const told = `seed ${seed}, cut ${cut}: ${o.moreMs} ms after ${o.writes} writes`
    const torn = cut === tornAfter
    chain.running = await chain.site.boot(torn ? { before: tear } : {})
    expect(await keptBy(chain), told).toEqual([])
    const opened = await recoveryOf(chain.running)
    expect(opened, told).not.toHaveProperty('corrupt')
    if (torn) expect(opened, told).toMatchObject({ file: expect.stringMatching(/\.seg$/) })
    // the cut itself may have torn a record too: what lies on the disk after the last whole one goes as one end
    if (torn) expect(opened.tornBytes, told).toBeGreaterThanOrEqual(TORN_BYTES)
    console.log(`${told}; ${chain.promised.acknowledged} writes and ${chain.ledger.count} of the ledger so far, all kept`)
  }
}

async function tear(lab: Lab): Promise<void> {
  const segments = (await lab.must(['ls', LOG], { timeoutMs: SLOW_MS })).split('\n').filter((name) => name.endsWith('.seg'))
  await lab.must(['truncate', '-s', `+${TORN_BYTES}`, `${LOG}/${segments.at(-1)}`], { timeoutMs: SLOW_MS })
}

/** What the controller told in its own log when it opened the store. */
async function recoveryOf({ controller }: Running): Promise<Record<string, unknown>> {
  const opened = (await controller.stdout()).split('\n').find((line) => line.includes('"log opened"'))
  return JSON.parse(opened ?? '{}')
}

describe.skipIf(!labRuns('power cuts'))('power cuts under write load', () => {
  const chains: Chain[] = []

  test(`${CUTS} of them: no acknowledged write is lost, none is half applied, every accepted job ends, a torn end is cut and reported`, {
    timeout: HOUR,
  }, async () => {
    // Two machines at once, one processor each: booting uses one only.
    chains.push(...(await all([begin(), begin()])))
    const [one, other] = chains as [Chain, Chain]
    await all([
      cutAgainAndAgain(one, { cuts: CUTS / 2, seed: SEED }),
      cutAgainAndAgain(other, { cuts: CUTS / 2, seed: SEED + 1, tornAfter: 3 }),
    ])
    for (const { promised, ledger } of chains) {
      expect(promised.acknowledged).toBeGreaterThan(2.5 * CUTS)
      expect(ledger.count).toBeGreaterThan(2.5 * CUTS)
    }
  })

  test('a controller and an agent that never flush lose what they acknowledged: the suite above would see it', {
    timeout: HOUR,
  }, async () => {
    const [chain] = chains as [Chain]
    await chain.site.off(chain.running)
    const unsafe = { NODE_OPTIONS: `--import=${SHARE}/never-flush.mjs` }
    chain.running = await chain.site.boot({ files: { 'never-flush.mjs': NEVER_FLUSH }, env: unsafe })
    await writeAndCut(chain, { writes: 20, moreMs: 0, kinds: ['zones', 'counter'], env: unsafe })
    chain.running = await chain.site.boot()
    const lost = await keptBy(chain)
    expect(lost.filter((line) => line.startsWith('zone') && line.endsWith('is lost')).length).toBeGreaterThan(0)
    expect(lost.filter((line) => line.startsWith('ledger') && line.includes('is lost')).length).toBeGreaterThan(0)
  })
})
