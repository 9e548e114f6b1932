/**
 * How agent-storage comes to a storage server: where it is and its password are asked of the controller each time, so they stand in no
 * document, no command and no ledger. The password comes sealed to this agent.
 */
import type { BuildContext } from '@skerry/agent'
import { SkerryError, sftpAsk, subjects } from '@skerry/contract'
import type { SftpPort } from './port.ts'
import { RemoteFiles } from './remote-files.ts'

const ASK_MS = 10_000
const OPEN_MS = 15_000

export interface AccessPorts extends Pick<BuildContext, 'identity' | 'bus' | 'unseal'> {
  sftp: SftpPort
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Runs `act` with the files of that backup storage's server; its connections are closed afterwards. */
export async function withStore<T>(
  ports: AccessPorts,
  { backupStorageUuid, signal, pausesMs }: { backupStorageUuid: string; signal: AbortSignal; pausesMs?: readonly number[] },
  act: (files: RemoteFiles) => Promise<T>,
): Promise<T> {
  const open = async () => ports.sftp.open(await serverOf(ports, backupStorageUuid), { timeoutMs: OPEN_MS })
  const files = new RemoteFiles({ open, sleep: ports.sleep, signal, ...(pausesMs ? { pausesMs } : {}) })
  try {
    return await act(files)
  } finally {
    await files.close()
  }
}

async function serverOf({ identity, bus, unseal }: AccessPorts, backupStorageUuid: string) {
  const connection = bus()
  if (!connection)
    throw new SkerryError('agent-unreachable', 'this agent has no connection to its controller', { backupStorageUuid })
  const { kind, uuid } = identity
  const reply = await connection.request(subjects.ask(kind, uuid, sftpAsk.verb), { backupStorageUuid }, { timeoutMs: ASK_MS })
  const { password, ...server } = sftpAsk.reply.parse(reply.data)
  return { ...server, password: unseal(password, sftpAsk.context(backupStorageUuid)).toString('utf8') }
}
