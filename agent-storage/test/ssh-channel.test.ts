/** A server that lets us in and then gives no sftp: by silence, by hanging up, by a refusal. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { Server, type Session } from 'ssh2'
import { afterEach, expect, test } from 'vitest'
import { sshPort } from '../src/sftp/ssh.ts'

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
})
let ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends) end()
  ends = []
})

async function serverThat(
  onSession: (accept: () => Session, reject: () => void, hangUp: () => void) => void,
): Promise<{ port: number }> {
  const server = new Server({ hostKeys: [privateKey] }, (client) => {
    ends.push(() => client.end())
    client.on('error', () => undefined) // it ends as it likes
    client.on('authentication', (context) => context.accept())
    client.on('session', (accept, reject) => onSession(accept as () => Session, reject as () => void, () => client.end()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return server.address() as { port: number }
}

const opened = (port: number, timeoutMs: number) =>
  sshPort.open({ hostname: '127.0.0.1', port, username: 'root', password: 'any', hostKey: null }, { timeoutMs })

test('no answer to the wish for a channel', async () => {
  const { port } = await serverThat(() => undefined)
  await expect(opened(port, 2_000)).rejects.toMatchObject({ code: 'storage-unreachable', cause: { message: /no answer/ } })
})

test('a channel, and then no answer to the wish for sftp', async () => {
  const { port } = await serverThat((accept) => void accept().on('subsystem' as never, (() => undefined) as never))
  await expect(opened(port, 2_000)).rejects.toMatchObject({ code: 'storage-unreachable' })
})

test('hangs up instead', async () => {
  const { port } = await serverThat((_accept, _reject, hangUp) => hangUp())
  await expect(opened(port, 60_000)).rejects.toMatchObject({ code: 'storage-unreachable' })
})

test('refuses', async () => {
  const { port } = await serverThat((_accept, reject) => reject())
  await expect(opened(port, 60_000)).rejects.toMatchObject({
    code: 'storage-unreachable',
    message: `127.0.0.1:${port} offers no sftp`,
  })
})
