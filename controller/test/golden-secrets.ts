/** The small files beside the log: secrets under a site key, and the node's own document. Written by the code itself, with fixed numbers for randomness. */
import { createHash } from 'node:crypto'
import { openDocument } from '../src/store/document.ts'
import { type FakeDisk, fakeDisk } from '../src/store/fake-disk.ts'
import { openSecrets, type Secrets } from '../src/store/secrets.ts'
import { id } from './world.ts'

export const DIR = '/state'
export const values = ['a password', 'пароль with "quotes" & <brackets>', 'x'.repeat(4096)]
export const node = { uuid: id('node'), publishedSeq: 42 }

/** Bytes that look random and are the same each time. */
function fixedBytes(): (size: number) => Buffer {
  let n = 0
  return (size) => Buffer.concat([createHash('sha512').update(`${n++}`).digest(), Buffer.alloc(size)]).subarray(0, size)
}

export const openAt = (disk: FakeDisk, siteKey: Buffer): Promise<Secrets> =>
  openSecrets({ dir: `${DIR}/secrets`, disk, siteKey, random: fixedBytes() })

export async function recordSecrets(): Promise<FakeDisk> {
  const disk = fakeDisk()
  const siteKey = createHash('sha256').update('the site key of the golden folder').digest()
  await disk.mkdir(DIR)
  const key = await disk.open(`${DIR}/site.key`, 'create')
  await key.write(0, siteKey)
  await key.sync()
  const secrets = await openAt(disk, siteKey)
  for (const value of values) await secrets.put(value)
  const { low } = await openDocument(disk, `${DIR}/node.json`, { uuid: node.uuid, publishedSeq: 0 })
  await low.write()
  low.data.publishedSeq = node.publishedSeq
  await low.write()
  return disk
}
