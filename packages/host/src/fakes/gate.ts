/**
 * The fakes' way to go wrong on demand. Every operation of a fake passes its gate: it may be made slow, fail once
 * (`failNext`), or fail because a name says so: whatever is called `fail…` fails.
 */
import { SkerryError } from '@skerry/contract'

export interface Gate {
  /** The next call of `op` (`ip.links.add`, `nft.apply`, `qemuImg.convert` …) fails with `error`. Calls queue up. */
  failNext(op: string, error?: Error): void
  /** Awaited before each operation: latency, or a hook that watches. */
  before: (op: string, args: readonly unknown[]) => Promise<void> | void
  /** The same object with every method gated under `prefix`. */
  wrap<T extends object>(prefix: string, tool: T): T
}

export function gate(): Gate {
  const planned = new Map<string, Error[]>()
  const self: Gate = {
    failNext(op, error = commandFailed(`${op} failed on demand`)) {
      planned.set(op, [...(planned.get(op) ?? []), error])
    },
    before: () => undefined,
    wrap(prefix, tool) {
      const pass = async (op: string, args: readonly unknown[]) => {
        const before = self.before(op, args)
        if (before) await before
        const error = planned.get(op)?.shift()
        if (error) throw error
        if (args.some(namesFailure)) throw commandFailed(`${op} failed because of the name`)
      }
      const entries = Object.entries(tool).map(([name, member]) => {
        if (typeof member !== 'function') return [name, member]
        const op = `${prefix}.${name}`
        return [
          name,
          async (...args: unknown[]) => {
            await pass(op, args)
            return (member as (...a: unknown[]) => unknown).apply(tool, args)
          },
        ]
      })
      return Object.fromEntries(entries)
    },
  }
  return self
}

/** The error of a real tool that ended with code 1. */
export const commandFailed = (message: string, stderr = message) =>
  new SkerryError('host-command-failed', message, { code: 1, stderr })

/** A name, the last part of a path, or a field of the first level that begins with `fail`. */
function namesFailure(arg: unknown): boolean {
  if (typeof arg === 'string') return arg.startsWith('fail', arg.lastIndexOf('/') + 1)
  if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) return false
  return Object.values(arg).some((value) => typeof value === 'string' && namesFailure(value))
}
