/** The port over ssh2 against a stock sshd. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { realHost } from '@skerry/host'
import { requireOrSkip } from '@skerry/testkit'
import { describe } from 'vitest'
import { sshPort } from '../src/sftp/ssh.ts'
import { sftpConformance } from './sftp-conformance.ts'
import { startSshd } from './sshd.ts'

const available = requireOrSkip('storage servers over ssh', { root: true, programs: ['sshd', 'ssh-keygen', 'openssl'] })

describe.skipIf(!available)('over ssh', () => {
  sftpConformance('sshd', async () => {
    const sshd = await startSshd()
    const { exec } = realHost()
    const [folder, small] = [join(sshd.dir, 'images'), join(sshd.dir, 'small')]
    for (const path of [folder, small]) await mkdir(path)
    await exec.run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', small], { timeoutMs: 10_000 })
    return {
      port: sshPort,
      server: { hostname: '127.0.0.1', port: sshd.port, username: 'root', password: sshd.password, hostKey: null },
      ...{ folder, small, hangUp: sshd.hangUp },
      async stop() {
        await exec.run('umount', [small], { timeoutMs: 10_000 })
        await sshd.stop()
      },
    }
  })
})
