import { expect, test } from 'vitest'
import { FakeSftp } from '../src/sftp/fake.ts'
import { RemoteFiles } from '../src/sftp/remote-files.ts'
import { sftpConformance } from './sftp-conformance.ts'

sftpConformance('fake', async () => {
  const port = new FakeSftp()
  const there = port.server('store')
  there.password = 'right'
  there.disk.makeDir('/srv/images', 0o755)
  there.disk.makeDir('/small', 0o755)
  there.disk.totalBytes = 18 * 1024 * 1024
  return {
    port,
    server: { hostname: 'store', port: 22, username: 'user', password: 'right', hostKey: null },
    folder: '/srv/images',
    small: '/small',
    hangUp: () => void (there.hangsUpAfter = 0),
    stop: async () => undefined,
  }
})

test('what a store has written there is on the server’s disk before it counts', async () => {
  const port = new FakeSftp()
  const there = port.server('store')
  there.disk.makeDir('/srv', 0o755)
  const server = { hostname: 'store', port: 22, username: 'user', password: '', hostKey: null }
  const signal = new AbortController().signal
  const files = new RemoteFiles({ open: () => port.open(server), sleep: async () => undefined, signal })
  await files.write('/srv/ref.json', '{}')
  const sink = await files.sink('/srv/image.part')
  await sink.write(new Uint8Array(100))
  await sink.close()
  expect([...there.disk.files.keys()].sort()).toEqual(['/srv/image.part', '/srv/ref.json'])
  expect([...there.unsynced]).toEqual([])
})
