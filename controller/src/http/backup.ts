/** `/v1/backup`: the controller's state as one stream of bytes. A failure half-way breaks the connection: half a backup is none. */
import { SkerryError } from '@skerry/contract'
import type { Door, Visit } from './context.ts'

/** One at a time: each keeps a view of the graph open, which every later write feeds. */
const serving = new WeakSet<object>()

export function serveBackup(door: Door, visit: Visit): Response {
  const source = door.backup
  if (source === undefined) throw new SkerryError('not-ready', 'this controller makes no backups')
  if (serving.has(door)) throw new SkerryError('conflict', 'another backup is being made')
  serving.add(door)
  const chunks = source()[Symbol.asyncIterator]()
  let gone = false
  const end = async () => {
    gone = true
    serving.delete(door)
    await chunks.return?.()
  }
  visit.request.signal.addEventListener('abort', () => void end().catch((error) => warn(door, error)), { once: true })
  const stream = new ReadableStream<Uint8Array>({
    // pull: a slow reader slows the reading of the graph down instead of filling our memory
    async pull(controller) {
      try {
        const { done, value } = await chunks.next()
        if (gone) return
        if (!done) return controller.enqueue(value)
        controller.close()
      } catch (cause) {
        door.log.error({ err: cause }, 'a backup could not be finished')
        controller.error(cause)
      }
      serving.delete(door)
    },
    cancel: end,
  })
  return new Response(stream, { headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' } })
}

const warn = (door: Door, err: unknown) => door.log.warn({ err }, 'a backup that nobody reads any more could not be ended')
