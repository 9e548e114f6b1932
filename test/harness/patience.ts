/**
 * Set up before each test file: how long a test waits for what it waits for. Vitest gives up after one second, which a busy machine
 * needs for nothing at all. A ceiling costs nothing where all is well, so none is below this one, whatever the test says.
 */
import { expect, vi } from 'vitest'

const PATIENCE_MS = 45_000

function patient<T extends { timeout?: number }>(options?: number | T): { timeout: number } {
  const given = typeof options === 'number' ? { timeout: options } : { ...options }
  return { ...given, timeout: Math.max(given.timeout ?? 0, PATIENCE_MS) }
}

/** Files of one process share these, and each file comes by here. */
const DONE = Symbol.for('skerry.patience')
if (!(DONE in vi)) {
  Object.defineProperty(vi, DONE, { value: true })
  const { waitFor, waitUntil } = vi
  vi.waitFor = (check, options) => waitFor(check, patient(options))
  vi.waitUntil = (check, options) => waitUntil(check, patient(options))
  const { poll } = expect
  expect.poll = (read, options) => poll(read, patient(options))
}
