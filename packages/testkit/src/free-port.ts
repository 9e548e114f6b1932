/** Ports for servers of tests that must know theirs before they listen. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below those that the kernel gives to whoever asks for any (from 32768 on, ip_local_port_range): between choosing one here and
 * listening on it, no outgoing connection and no server on port 0 gets it.
 */
const [FROM, BELOW] = [12_000, 32_000]

/** A TCP port of the loopback address on which nobody listens. Throws when, of many that were tried, none was free. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(FROM, BELOW)
    const server = createServer()
    const listening = new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true)).once('error', () => resolve(false))
    })
    server.listen(port, '127.0.0.1')
    if (!(await listening)) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error(`no free port was found between ${FROM} and ${BELOW}`)
}
