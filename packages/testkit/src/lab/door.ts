/** The socket that QEMU opens for orders to the lab. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const AGAIN_MS = 20
/** Not made yet; or made and not listening yet; or left by a QEMU that was killed, until the next one makes its own. */
const SOON = new Set(['ENOENT', 'ECONNREFUSED'])

/** Resolves when somebody listens there; undefined when QEMU was over before. Throws what else goes wrong. */
export async function openDoor(path: string, over: () => boolean): Promise<Socket | undefined> {
  for (;;) {
    const door = connect(path)
    try {
      await once(door, 'connect')
      return door
    } catch (error) {
      door.destroy()
      if (!SOON.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
    if (over()) return undefined
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}
