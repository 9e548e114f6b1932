/** A store on a fake disk with a counted clock and counted ids, for the tests of this folder. */
import type { Change } from '@skerry/contract'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { openStore, type Store, type StoreLimits } from '../src/store/store.ts'

export const DIR = '/state'
export const BY = { actor: 'system' }
export const tables = { vm: { indexes: ['hostUuid'] }, host: { indexes: [] } }

export interface World {
  disk: FakeDisk
  store: Store
  errors: unknown[]
}

export async function world(disk: FakeDisk = fakeDisk(), limits: Partial<StoreLimits> = {}, clock = counted()): Promise<World> {
  const errors: unknown[] = []
  let ids = 0
  const store = await openStore({
    dir: DIR,
    disk,
    tables,
    clock,
    newId: () => String(++ids).padStart(32, '0'),
    limits: { reserveBytes: 0, autoSnapshot: false, ...limits },
    report: (error) => errors.push(error),
  })
  return { disk, store, errors }
}

export function counted(start = 1_700_000_000_000): () => number {
  let now = start
  return () => now++
}

/** A numbered change; `padding` makes its record longer. */
export const put = (n: number, padding = 0): Change => ({
  ops: [
    {
      o: 'put',
      t: 'vm',
      k: `vm${n}`,
      v: { uuid: `vm${n}`, hostUuid: `h${n % 3}`, n, ...(padding ? { x: 'ä'.repeat(padding) } : {}) },
    },
  ],
  facts: [{ noun: 'vm', uuid: `vm${n}`, event: 'created' }],
})

/** Small, fast and seeded. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = []
  for await (const item of items) out.push(item)
  return out
}
