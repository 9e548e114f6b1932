/** The door with TLS: nothing in plain text, nothing older, and clients that trust another authority stay away. */
import { once } from 'node:events'
import { get } from 'node:https'
import { createConnection } from 'node:net'
import { connect } from 'node:tls'
import { createCa, issueServerCert, type KeyedCertificate } from '@skerry/bus'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Listening, listen } from '../src/http/index.ts'

describe('the door with TLS', () => {
  let ca: KeyedCertificate
  let door: Listening
  beforeAll(async () => {
    ca = await createCa()
    const { certPem, keyPem } = await issueServerCert(ca, { names: ['localhost'], ips: ['127.0.0.1'] })
    door = await listen({
      app: { fetch: async () => new Response('inside') },
      ...{ addr: '127.0.0.1', port: 0, defaultPassword: false },
      tls: { cert: certPem, key: keyPem },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    })
  })
  afterAll(() => door.close())

  const asked = (trusted: string, host = '127.0.0.1') =>
    new Promise<string>((resolve) => {
      const sent = get({ host, port: door.port, ca: trusted, agent: false }, async (answer) => {
        let text = ''
        for await (const chunk of answer) text += String(chunk)
        resolve(text)
      })
      sent.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    })

  it('answers who trusts its authority, under a name of its certificate', async () => {
    expect(door.url).toBe(`https://127.0.0.1:${door.port}`)
    expect(await asked(ca.certPem)).toBe('inside')
    expect(await asked(ca.certPem, 'localhost')).toBe('inside')
  })

  it('is refused by a client that trusts another authority', async () => {
    const stranger = await createCa()
    expect(await asked(stranger.certPem)).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|CERT/)
  })

  it('gives no byte of an answer in plain text', async () => {
    const socket = createConnection(door.port, '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined) // a reset ends it as well
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'close')
    expect(received).not.toContain('inside')
    expect(received).not.toContain('HTTP/1.1 200')
  })

  it('speaks no TLS older than 1.2', async () => {
    const old = {
      host: '127.0.0.1',
      port: door.port,
      ca: ca.certPem,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const
    const socket = connect(old)
    const outcome = await Promise.race([
      once(socket, 'secureConnect').then(() => 'connected'),
      once(socket, 'error').then(() => 'refused'),
    ]).catch(() => 'refused')
    socket.destroy()
    expect(outcome).toBe('refused')
  })
})
