/** Wiring only: agent-storage on this machine. */
import { startAgent } from '@skerry/agent'
import { buildStorage } from './build.ts'
import { sshPort } from './sftp/ssh.ts'

await startAgent({ kind: 'storage', build: (host, context) => buildStorage(host, context, { fetch, sftp: sshPort }) })
