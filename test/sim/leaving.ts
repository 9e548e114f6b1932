/** What must not outlive a process that is ended: programs that it started, and their folders. */

/** Done when this process exits, however it comes to that; gives back how to do without. */
export function whenLeaving(undo: () => void): () => void {
  process.once('exit', undo)
  return () => void process.off('exit', undo)
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

/** A signal ends this process by an exit, so that what is to be done then is done. */
export function leaveOnSignals(): void {
  for (const [signal, number] of Object.entries(SIGNALS)) process.once(signal, () => process.exit(128 + number))
}
