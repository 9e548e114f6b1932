/** Ends the simulator of a state folder, and what one that was killed has left. Its machines are kept. */
import { SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { pino } from 'pino'
import { Children } from './children.ts'
import { findSimulator } from './door.ts'
import type { SimulatedLayout } from './layout.ts'

const ENDED_MS = 60_000

/** Where none runs, nothing happens. Throws `not-ready` when it does not end. */
export async function endSimulator(
  { files, process: processes }: Pick<Host, 'files' | 'process'>,
  layout: SimulatedLayout,
): Promise<void> {
  const running = await findSimulator(files, layout)
  if (running) {
    const who = await processes.get(running.health.pid)
    await running.stop()
    if (who && !(await processes.waitGone(who, ENDED_MS)))
      throw new SkerryError('not-ready', `the simulator (pid ${who.pid}) has not ended after ${ENDED_MS} ms`)
  }
  // of one that was killed
  await new Children({ files, processes, path: layout.children, log: pino({ level: 'warn' }) }).endLeftovers()
  await files.remove(layout.door)
}
