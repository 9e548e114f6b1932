/**
 * [format] Which ledger this is, in `<dir>/id.json`: made with it, and lost with it. What was meant for another may have been overtaken
 * by what only that one knew (tombstones, epochs, results of commands), so it is refused, however late it comes.
 */
import { SkerryError, uuid } from '@skerry/contract'
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type LedgerFiles } from './checked-file.ts'

const idFile = z.object({ v: z.literal(1), id: uuid })

/** The id of the ledger in that folder, made where it has none. A full disk keeps none: then it is this process's alone. */
export async function ledgerId(files: LedgerFiles, dir: string, newId: () => string): Promise<string> {
  const file = new CheckedFile(files, `${dir}/id.json`, idFile)
  const known = await file.read()
  if (known) return known.id
  const id = newId()
  try {
    await new Low(file, { v: 1 as const, id }).write()
  } catch (error) {
    if (!(error instanceof SkerryError && error.code === 'disk-full')) throw error
  }
  return id
}

/** Throws `agent-unreachable` where a request names another ledger than this: whoever sent it learns of this one by a heartbeat. */
export function needSameLedger(data: unknown, id: string | undefined): void {
  const meant = (data as { ledger?: unknown } | null | undefined)?.ledger
  if (id === undefined || meant === undefined || meant === id) return
  throw new SkerryError('agent-unreachable', 'this agent has begun a new ledger since this was sent', { meant, ledger: id })
}
