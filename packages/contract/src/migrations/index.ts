/**
 * [format] Upcasters of the log. `migrations[v]` lifts a commit written under contract version `v` to `v + 1`; replay walks
 * them up to CONTRACT_VERSION. A snapshot's rows pass through them too, as a commit of `put`s. Pure, total, never removed:
 * the golden logs of every release replay through them in CI.
 */
import type { Commit } from '../commit.ts'

export * from './documents.ts'

export const migrations: Readonly<Record<number, (commit: Commit) => Commit>> = {}
