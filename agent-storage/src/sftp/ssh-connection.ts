/** A connection over ssh2. Passwords only, also by keyboard-interactive: that is how many servers ask for them. */
import { createHash } from 'node:crypto'
import { SkerryError } from '@skerry/contract'
import { Client, type SFTPWrapper } from 'ssh2'
import type { SftpServer } from './port.ts'

/** A server that says nothing for three of these is gone. */
const KEEPALIVE_MS = 5_000

const fingerprint = (key: Buffer): string => `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`

export const whereOf = ({ hostname, port }: SftpServer) => ({ hostname, port })

export function lost(server: SftpServer, cause: unknown): SkerryError {
  const { hostname, port } = server
  return new SkerryError('storage-unreachable', `the storage server ${hostname}:${port} cannot be reached`, whereOf(server), {
    cause,
  })
}

export function connected(server: SftpServer, timeoutMs: number): Promise<{ client: Client; hostKey: string }> {
  const { hostname, port, username, password } = server
  const seen = { hostKey: '' }
  return new Promise((resolve, reject) => {
    const client = new Client()
    const refuse = (error: Error & { level?: string }) => reject(whyNot(server, seen.hostKey, error))
    client.on('error', refuse)
    // An end before it was ready, without an error: a server that hangs up.
    client.on('close', () => refuse(new Error('the server closed the connection')))
    client.on('ready', () => resolve({ client, hostKey: seen.hostKey }))
    client.on('keyboard-interactive', (...[, , , prompts, answer]) => answer(prompts.map(() => password)))
    client.connect({
      ...{ host: hostname, port, username, password, tryKeyboard: true },
      readyTimeout: timeoutMs,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: 3,
      hostVerifier: (key: Buffer) => {
        seen.hostKey = fingerprint(key)
        return server.hostKey === null || server.hostKey === seen.hostKey
      },
    })
  })
}

function whyNot(server: SftpServer, hostKey: string, error: Error & { level?: string }): SkerryError {
  const { hostname, port, username } = server
  if (server.hostKey !== null && hostKey !== '' && hostKey !== server.hostKey)
    return new SkerryError('storage-host-key', `another server answers at ${hostname}:${port} than before`, {
      ...whereOf(server),
      known: server.hostKey,
      shown: hostKey,
    })
  if (error.level === 'client-authentication')
    return new SkerryError('storage-login-failed', `${hostname}:${port} does not let ${username} in`, {
      ...whereOf(server),
      username,
    })
  return lost(server, error)
}

/** Its sftp. A server that has let us in may still hang up, or say nothing more: ssh2 then answers late, or never. */
export function channel(client: Client, server: SftpServer, timeoutMs: number): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    const fail = (why: unknown) => {
      clearTimeout(timer)
      const facts = [`${server.hostname}:${server.port} offers no sftp`, whereOf(server), { cause: why }] as const
      reject(new SkerryError('storage-unreachable', ...facts))
    }
    const timer = setTimeout(() => fail(new Error(`no answer for ${timeoutMs} ms`)), timeoutMs)
    client.on('close', () => fail(new Error('the connection was closed')))
    try {
      client.sftp((error, sftp) => {
        clearTimeout(timer)
        if (error) fail(error)
        else resolve(sftp)
      })
    } catch (error) {
      fail(error) // it hung up before we asked
    }
  })
}
