/** Agent-storage over a host: the same for the real machine and for fakes. */
import type { AgentParts, BuildContext } from '@skerry/agent'
import type { Host } from '@skerry/host'
import { imageDownload } from './commands/image.download.ts'
import { imageRemove } from './commands/image.remove.ts'
import { storageCapacity } from './commands/storage.capacity.ts'
import { inventory } from './inventory.ts'
import { poolModule } from './pools/index.ts'
import { volumeModule } from './volumes/index.ts'

export function buildStorage(
  host: Host,
  { ledger, timers }: Pick<BuildContext, 'ledger' | 'timers'>,
  ports: { fetch: typeof fetch },
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
  const images = { host, fetch: ports.fetch, sleep, nowMs: () => timers.nowMs(), locks: new Map<string, Promise<unknown>>() }
  return {
    modules: [poolModule({ files, setFacts: factsOf('pool') }), volumeModule({ files, qemuImg, setFacts: factsOf('volume') })],
    commands: [imageDownload(images), imageRemove(images), storageCapacity(host)],
    inventory: () => inventory(files, ledger),
  }
}
