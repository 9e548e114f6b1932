/** What a storage server does behind the port, whatever it is made of. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SftpPort, SftpServer } from '../src/sftp/port.ts'
import { RemoteFiles } from '../src/sftp/remote-files.ts'

export interface ServerAtHand {
  port: SftpPort
  server: SftpServer
  /** A folder on it that is empty. */
  folder: string
  /** A folder on a disk with room for less than 32 MiB. */
  small: string
  /** Ends all connections, as a network does; the server goes on taking others. */
  hangUp(): Promise<void> | void
  stop(): Promise<void>
}

const within = { timeoutMs: 10_000 }
const MIB = 1024 * 1024

export function sftpConformance(name: string, start: () => Promise<ServerAtHand>): void {
  describe(`a storage server (${name})`, () => {
    let at: ServerAtHand
    beforeAll(async () => {
      at = await start()
    })
    afterAll(() => at?.stop())
    const open = (more: Partial<SftpServer> = {}) => at.port.open({ ...at.server, ...more }, within)

    test('tells who it is, and is refused when it was another', async () => {
      const first = await open({ hostKey: null })
      expect(first.hostKey).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
      first.close()
      const again = await open({ hostKey: first.hostKey })
      expect(again.hostKey).toBe(first.hostKey)
      again.close()
      const known = `SHA256:${'A'.repeat(43)}`
      await expect(open({ hostKey: known })).rejects.toMatchObject({
        code: 'storage-host-key',
        details: { known, shown: first.hostKey },
      })
    })

    test('lets nobody in with a wrong password, and repeats none', async () => {
      const error = await open({ password: 'a wrong password' }).catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'storage-login-failed', details: { username: at.server.username } })
      expect(JSON.stringify(error)).not.toContain('a wrong password')
    })

    test('makes, lists, reads, replaces and removes', async () => {
      const session = await open()
      const path = (name: string) => `${at.folder}/${name}`
      expect([await session.stat(path('no')), await session.list(path('no')), await session.readAt(path('no'), 0, 9)]).toEqual([
        undefined,
        undefined,
        undefined,
      ])
      await session.makeDir(path('d'))
      await session.makeDir(path('d'))
      await session.writeAt(path('d/b'), 0, Buffer.from('0123456789'))
      await session.writeAt(path('d/b'), 4, Buffer.from('xy'))
      await session.writeAt(path('d/b'), 10, Buffer.from('ab'))
      expect(Buffer.from((await session.readAt(path('d/b'), 2, 100))!).toString()).toBe('23xy6789ab')
      expect(await session.readAt(path('d/b'), 12, 5)).toHaveLength(0)
      await session.writeAt(path('d/a'), 0, Buffer.from('new'), { truncate: true })
      await session.sync(path('d/a'))
      await expect(session.sync(path('d/no'))).rejects.toMatchObject({ code: 'host-command-failed' })
      expect(await session.list(path('d'))).toEqual(['a', 'b'])
      await session.rename(path('d/a'), path('d/b'))
      expect(await session.stat(path('d/b'))).toMatchObject({ kind: 'file', sizeBytes: 3 })
      expect(await session.stat(path('d'))).toMatchObject({ kind: 'folder' })
      await expect(session.remove(path('d'))).rejects.toMatchObject({ code: 'host-command-failed', details: { path: path('d') } })
      await session.remove(path('d/b'))
      await session.remove(path('d/b'))
      await session.remove(path('d'))
      expect(await session.list(at.folder)).toEqual([])
      const { totalBytes, availableBytes } = await session.capacity(at.folder)
      expect(totalBytes).toBeGreaterThan(0)
      expect(availableBytes).toBeLessThanOrEqual(totalBytes)
      session.close()
    })

    test('carries what is larger than its packets, whole', async () => {
      const session = await open()
      const bytes = randomBytes(3 * MIB + 17)
      await session.writeAt(`${at.folder}/large`, 0, bytes)
      expect(Buffer.from((await session.readAt(`${at.folder}/large`, 0, 4 * MIB))!).equals(bytes)).toBe(true)
      await session.remove(`${at.folder}/large`)
      session.close()
    })

    test('says that its disk is full', async () => {
      const session = await open()
      const path = `${at.small}/too-much`
      await expect(session.writeAt(path, 0, new Uint8Array(32 * MIB))).rejects.toMatchObject({
        code: 'disk-full',
        details: { path },
      })
      await session.remove(path)
      session.close()
    })

    test('that hangs up ends a session, and its files are gone on with over another', async () => {
      const session = await open()
      await at.hangUp()
      await expect(session.stat(at.folder)).rejects.toMatchObject({ code: 'storage-unreachable' })
      await expect(session.stat(at.folder)).rejects.toMatchObject({ code: 'storage-unreachable' })
      const sleep = () => new Promise<void>((resolve) => setTimeout(resolve, 20))
      const files = new RemoteFiles({ open, sleep, signal: new AbortController().signal })
      const bytes = randomBytes(9 * MIB)
      const sink = await files.sink(`${at.folder}/part`)
      for (let n = 0; n < 9; n++) {
        if (n % 4 === 2) await at.hangUp()
        await sink.write(bytes.subarray(n * MIB, (n + 1) * MIB))
      }
      await sink.close()
      await at.hangUp()
      await files.rename(`${at.folder}/part`, `${at.folder}/whole`)
      expect(Buffer.from((await files.readAt(`${at.folder}/whole`, 0, 10 * MIB))!).equals(bytes)).toBe(true)
      await files.write(`${at.folder}/text`, 'said')
      expect([await files.read(`${at.folder}/text`), await files.list(at.folder)]).toEqual(['said', ['text', 'whole']])
      for (const name of ['text', 'whole']) await files.remove(`${at.folder}/${name}`)
      await files.close()
    })

    test('that is not there is unreachable', async () => {
      const { code } = (await at.port
        .open({ ...at.server, hostname: '127.0.0.9', port: 9 }, within)
        .catch((e: unknown) => e)) as { code: string }
      expect(code).toBe('storage-unreachable')
    })
  })
}
