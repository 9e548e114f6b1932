/** What the conformance suites run in: a broker of either kind, connections that each test opens, and ways to wait. */
import { SkerryError } from '@skerry/contract'
import { expect } from 'vitest'
import type { ConnectionOptions, GatheringBus } from '../../src/index.ts'

export interface World {
  connect(options: ConnectionOptions): Promise<GatheringBus>
  /** Breaks every connection. */
  breakLinks(): Promise<void>
  mendLinks(): Promise<void>
  end(): Promise<void>
}

export interface Setup {
  readonly world: Pick<World, 'breakLinks' | 'mendLinks'>
  /** What the connections of this test reported. */
  readonly errors: readonly SkerryError[]
  /** A connection that is closed after the test. */
  connect(options?: ConnectionOptions): Promise<GatheringBus>
  /** Two connections and a subject of the test's own. */
  pair(): Promise<{ a: GatheringBus; b: GatheringBus; at: string }>
}

export const MIB = 1_048_576
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function eventually(check: () => boolean, ceilingMs = 45_000): Promise<void> {
  const until = performance.now() + ceilingMs
  while (!check()) {
    if (performance.now() > until) throw new Error('did not happen in time')
    await pause(5)
  }
}

/** The error a promise rejects with; anything else fails the test. */
export async function failure(promise: Promise<unknown>): Promise<SkerryError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (!('error' in outcome)) throw new Error(`expected a failure, got ${JSON.stringify(outcome.value)}`)
  expect(outcome.error).toBeInstanceOf(SkerryError)
  return outcome.error as SkerryError
}
