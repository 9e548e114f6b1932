/** Agent-storage over a host: the same for the real machine and for fakes. */
import type { AgentParts, BuildContext } from '@skerry/agent'
import type { Host } from '@skerry/host'
import { imageDownload } from './commands/image.download.ts'
import { imageRemove } from './commands/image.remove.ts'
import { storageCapacity } from './commands/storage.capacity.ts'
import { storageConnect, storageForget } from './commands/storage.connect.ts'
import { volumeCopy } from './commands/volume.copy.ts'
import { volumeFileCommands } from './commands/volume.files.ts'
import { linkCommands } from './commands/volume.link.ts'
import { inventory } from './inventory.ts'
import { isoModule } from './isos/index.ts'
import { poolModule } from './pools/index.ts'
import type { SftpPort } from './sftp/port.ts'
import { Uploads } from './uploads/index.ts'
import { ImageCache } from './volumes/cache.ts'
import { volumeModule } from './volumes/index.ts'

type BuildParts = Pick<BuildContext, 'ledger' | 'timers' | 'identity' | 'bus' | 'unseal'>

export function buildStorage(
  host: Host,
  { ledger, timers, ...context }: BuildParts,
  ports: { fetch: typeof fetch; sftp: SftpPort },
): AgentParts {
  const { files, qemuImg } = host
  const factsOf = (noun: string) => (uuid: string, facts: Record<string, unknown>) => ledger.setFacts(noun, uuid, facts)
  const sleep = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = timers.set(resolve, ms)
      const end = () => {
        timers.clear(timer)
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
    })
  const access = { ...context, sftp: ports.sftp, sleep }
  const images = { ...access, host, fetch: ports.fetch, nowMs: () => timers.nowMs(), locks: new Map<string, Promise<unknown>>() }
  const cache = new ImageCache({ ...access, host })
  const uploads = new Uploads({ ...images, timers })
  return {
    modules: [
      poolModule({ files, setFacts: factsOf('pool') }),
      isoModule({ files, cache }),
      volumeModule({ files, qemuImg, cache, setFacts: factsOf('volume') }),
    ],
    commands: [
      imageDownload(images),
      imageRemove(images, uploads),
      ...uploads.commands(),
      storageCapacity(host),
      storageConnect(access),
      storageForget(access),
      ...volumeFileCommands(host),
      volumeCopy(host),
      ...linkCommands(host),
    ],
    inventory: () => inventory(files, ledger),
    stop: () => uploads.close(),
  }
}

export { FakeSftp, FakeSftpServer, fakeKey } from './sftp/fake.ts'
export type { SftpPort } from './sftp/port.ts'
