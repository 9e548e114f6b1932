/** Agents ask where a storage server is and how they get in, each time they go there. */
import { SFTP, SkerryError, sftpAsk } from '@skerry/contract'
import type { Ask } from './asks.ts'

export const sftpServers: Ask = {
  verb: sftpAsk.verb,
  kind: 'storage',
  async answer({ graph, sealed }, data) {
    const { backupStorageUuid } = sftpAsk.input.parse(data)
    const storage = graph.get('backupStorage', backupStorageUuid)
    if (storage?.['type'] !== SFTP)
      throw new SkerryError('not-found', `there is no storage server ${backupStorageUuid}`, {
        resource: 'backupStorage',
        uuid: backupStorageUuid,
      })
    return {
      hostname: storage['hostname'],
      port: storage['sshPort'],
      username: storage['username'],
      password: await sealed(storage['password'], sftpAsk.context(backupStorageUuid)),
      hostKey: storage['hostKey'] ?? null,
    }
  },
}
