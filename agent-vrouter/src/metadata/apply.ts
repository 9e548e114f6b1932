/** Carries out one change of a guest's metadata. Decides nothing. */
import { routerNetns } from '@skerry/contract'
import { type Files, lighttpdFiles, moveElements } from '@skerry/host'
import { METADATA_IP, METADATA_READERS, toReader } from '../routers/flat.ts'
import { ROUTER_TABLE } from '../routers/rules.ts'
import { routerDir } from '../routers/service.ts'
import { filesOf } from './content.ts'
import type { MetadataChange } from './have.ts'
import type { MetadataPorts } from './observe.ts'
import { recordPath, writeRecord } from './records.ts'

export async function apply({ host, stateDir }: MetadataPorts, change: MetadataChange): Promise<void> {
  const dir = routerDir(stateDir, change.router)
  const netns = routerNetns(change.router)
  const folder = (ip: string) => `${lighttpdFiles(dir).root}/${ip}`
  switch (change.op) {
    case 'files.write':
      return writeFiles(host.files, folder(change.spec.ip), filesOf(change.spec))
    case 'files.remove':
      return host.files.remove(folder(change.ip))
    case 'record.write':
      return writeRecord(host.files, stateDir, change.uuid, change.made)
    case 'record.remove':
      return host.files.remove(recordPath(stateDir, change.router, change.uuid))
    case 'readers.move': {
      const move = { add: change.add.map(toReader), remove: change.remove.map(toReader) }
      return host.nft.at(netns).apply(moveElements(ROUTER_TABLE, METADATA_READERS, move))
    }
    case 'server.start':
      return host.lighttpd.start({ dir, netns, address: METADATA_IP })
    case 'server.stop':
      return host.lighttpd.stop(dir)
  }
}

/** Parts that may have more than these files, from what the guest was told before. */
const PARTS = ['latest/user-data', 'latest/meta-data/public-keys']

async function writeFiles(files: Files, folder: string, texts: Record<string, string>): Promise<void> {
  // others pass through, but can't look: what a guest is told may be a secret
  await files.makeDir(folder, 0o711)
  for (const part of PARTS) await files.remove(`${folder}/${part}`)
  for (const [path, text] of Object.entries(texts)) {
    const parts = path.split('/').slice(0, -1)
    for (let n = 1; n <= parts.length; n++) await files.makeDir(`${folder}/${parts.slice(0, n).join('/')}`, 0o711)
    await files.write(`${folder}/${path}`, text)
  }
}
