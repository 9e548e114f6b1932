/** `fs.watch` as the small port that `LeaseWatch` wants. */
import { watch } from 'node:fs'

export function watchFolder(dir: string, changed: (name: string) => void): () => void {
  let watcher: ReturnType<typeof watch> | undefined
  try {
    watcher = watch(dir, { persistent: false }, (_event, name) => {
      if (name) changed(name)
    })
    // The folder went, or the kernel has no watch left: the timer of the caller finds what changes.
    watcher.on('error', () => watcher?.close())
  } catch (error) {
    // ENOENT, ENOSPC (no watch left) and EMFILE are the same story; whatever else is a defect.
    if (!['ENOENT', 'ENOSPC', 'EMFILE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  return () => watcher?.close()
}
