/** What wakes the reconciler. */
import { type FakeHost, fakeHost } from '@skerry/host'
import { beforeEach, describe, expect, test } from 'vitest'
import { Folders } from '../src/leases/folder.ts'
import { LeaseWatch } from '../src/leases/watch.ts'
import { confOf } from '../src/routers/service.ts'
import { routerSpec } from './world.ts'

const ROUTER = 'a'.repeat(32)
const DIR = `/state/routers/${ROUTER}`
const MAC = '02:00:00:00:00:0a'

let host: FakeHost
let nowMs: number
let timers: { fn: () => void; atMs: number }[]
let signals: number
/** What the last one was limited to. */
let of: readonly { noun: string; uuid: string }[] | undefined
let changed: ((name: string) => void) | undefined
let watch: LeaseWatch

/** Lets time pass; what is due runs to its end. */
async function advance(ms: number): Promise<void> {
  const end = nowMs + ms
  for (;;) {
    const next = timers.filter((t) => t.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0]
    if (!next) break
    nowMs = next.atMs
    timers.splice(timers.indexOf(next), 1)
    next.fn()
    for (let turns = 0; turns < 50; turns++) await Promise.resolve()
  }
  nowMs = end
}

beforeEach(async () => {
  nowMs = 0
  timers = []
  signals = 0
  changed = undefined
  host = fakeHost({ nowMs: () => 1_700_000_000_000 + nowMs })
  await host.files.makeDir(DIR, 0o755)
  await host.files.write(`${DIR}/dnsmasq.conf`, confOf(routerSpec('br'), DIR, []))
  await host.files.write(`${DIR}/hosts`, `${MAC},10.10.0.10\n`)
  await host.ip.at().links.set('eth1', { name: 'lan0', up: true })
  await host.ip.at().addresses.add('lan0', '10.10.0.1/24')
  await host.dnsmasq.start({ dir: DIR })
  watch = new LeaseWatch({
    host,
    folders: new Folders(host.files),
    stateDir: '/state',
    timers: {
      set: (fn, ms) => {
        const timer = { fn, atMs: nowMs + ms }
        timers.push(timer)
        return timer
      },
      clear: (handle) => {
        timers = timers.filter((t) => t !== handle)
      },
      nowMs: () => nowMs,
    },
    watchFolder: (_dir, told) => {
      changed = told
      return () => {
        changed = undefined
      }
    },
    signal: (named) => {
      signals += 1
      of = named
    },
    onFault: (error) => {
      throw error
    },
  })
  watch.attend(ROUTER)
  await advance(5_000)
  signals = 0
})

describe('the watch on leases', () => {
  test('wakes at once when a guest got its lease, and not at its renewals', async () => {
    await host.requestLease(DIR, MAC)
    changed?.('leases')
    await advance(100)
    expect(signals).toBe(1)
    await host.requestLease(DIR, MAC)
    changed?.('leases')
    changed?.('log')
    await advance(10_000)
    expect(signals).toBe(1)
  })

  test('names the lease of the guest where its line says whose it is, and nothing where it does not', async () => {
    const nic = 'c'.repeat(32)
    await host.files.write(`${DIR}/hosts`, `# ${nic}\n${MAC},10.10.0.10\n02:00:00:00:00:0b,10.10.0.11\n`)
    await host.requestLease(DIR, MAC)
    changed?.('leases')
    await advance(100)
    expect(of).toEqual([{ noun: 'lease', uuid: nic }])
    await host.requestLease(DIR, '02:00:00:00:00:0b')
    changed?.('leases')
    await advance(100)
    expect([signals, of]).toEqual([2, undefined])
  })

  test('finds with its timer what the folder did not tell', async () => {
    await host.requestLease(DIR, MAC)
    await advance(5_000)
    expect(signals).toBe(1)
  })

  test('wakes when dnsmasq died', async () => {
    host.processTable.kill((await host.dnsmasq.running(DIR))?.pid ?? 0)
    await advance(5_000)
    expect(signals).toBe(1)
    await advance(60_000)
    expect(signals).toBe(1)
  })

  test('lets go of a router that is gone, and of all when it ends', async () => {
    await host.files.remove(DIR)
    await advance(5_000)
    expect(changed).toBeUndefined()
    watch.stop()
    await advance(60_000)
    expect(timers).toEqual([])
  })
})
