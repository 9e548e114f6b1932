/**
 * [format] Secret values, outside the graph and the log. Each is AES-256-GCM under its own random key, which is wrapped
 * (AES-256-GCM) by the site key; the id is bound to both, so that files cannot be exchanged. To shred is to overwrite and
 * remove: with its wrapped key gone, no copy of the site key opens the value again.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { SkerryError } from '@skerry/contract'
import { type Disk, errno, readWhole, writeWhole } from './disk.ts'

export interface Secrets {
  /** Stores a value; gives the id that a `secretRef` holds. */
  put(value: string): Promise<string>
  /** Throws `not-found` for an unknown or shredded id, `log-corrupt` when the file was changed. */
  get(id: string): Promise<string>
  /** Gone for good; nothing to do when it is gone already. */
  shred(id: string): Promise<void>
  list(): Promise<string[]>
}

export interface SecretsOptions {
  dir: string
  disk: Disk
  /** 32 bytes, see `loadSiteKey`. */
  siteKey: Buffer
  /** That many unpredictable bytes. */
  random: (size: number) => Buffer
}

interface Box {
  iv: string
  tag: string
  data: string
}

interface SecretFile {
  format: 1
  /** The value's own key, under the site key. */
  key: Box
  value: Box
}

const SUFFIX = '.secret'
const CHECK = 'site-key.check'
const ID = /^[0-9a-f]{32}$/

function seal(plain: Buffer, key: Buffer, id: string, iv: Buffer): Box {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(id))
  const data = Buffer.concat([cipher.update(plain), cipher.final()])
  return { iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64'), data: data.toString('base64') }
}

function unseal(box: Box, key: Buffer, id: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(box.iv, 'base64'), { authTagLength: 16 }).setAAD(
    Buffer.from(id),
  )
  decipher.setAuthTag(Buffer.from(box.tag, 'base64'))
  return Buffer.concat([decipher.update(Buffer.from(box.data, 'base64')), decipher.final()])
}

/** A UUIDv4 as 32 hex out of 16 random bytes. */
function newId(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex')
}

/** Refuses a site key that is not the one these secrets were made with: a new key would otherwise orphan them unnoticed. */
async function checkSiteKey({ dir, disk, siteKey }: SecretsOptions): Promise<void> {
  if (siteKey.length !== 32) throw new SkerryError('invalid-argument', 'the site key must be 32 bytes', { bytes: siteKey.length })
  const expected = createHmac('sha256', siteKey).update('skerry site key').digest()
  const found = await readWhole(disk, `${dir}/${CHECK}`)
  if (found === undefined) return writeWhole(disk, dir, CHECK, Buffer.from(expected.toString('hex')))
  const known = Buffer.from(found.toString('latin1'), 'hex')
  if (known.length !== expected.length || !timingSafeEqual(known, expected)) {
    throw new SkerryError('invalid-argument', 'this site key is not the one that the stored secrets were made with', { dir })
  }
}

/** Opens the secret store in a folder of its own. */
export async function openSecrets(options: SecretsOptions): Promise<Secrets> {
  const { dir, disk, siteKey, random } = options
  await disk.mkdir(dir)
  await checkSiteKey(options)
  const file = (id: string) => {
    if (!ID.test(id)) throw new SkerryError('invalid-argument', 'not the id of a secret', { id })
    return `${dir}/${id}${SUFFIX}`
  }

  return {
    async put(value) {
      const id = newId(random(16))
      const key = random(32)
      const content: SecretFile = {
        format: 1,
        key: seal(key, siteKey, id, random(12)),
        value: seal(Buffer.from(value, 'utf8'), key, id, random(12)),
      }
      await writeWhole(disk, dir, `${id}${SUFFIX}`, Buffer.from(JSON.stringify(content)))
      key.fill(0)
      return id
    },

    async get(id) {
      const text = await readWhole(disk, file(id))
      if (text === undefined) throw new SkerryError('not-found', 'there is no such secret', { id })
      try {
        const content = JSON.parse(text.toString('utf8')) as SecretFile
        return unseal(content.value, unseal(content.key, siteKey, id), id).toString('utf8')
      } catch (cause) {
        throw new SkerryError('log-corrupt', 'a stored secret cannot be opened', { file: `${id}${SUFFIX}`, offset: 0 }, { cause })
      }
    },

    async shred(id) {
      const path = file(id)
      try {
        const opened = await disk.open(path, 'write')
        await opened.write(0, random(await opened.size()))
        await opened.sync()
        await opened.close()
        await disk.unlink(path)
      } catch (thrown) {
        if (errno(thrown) !== 'ENOENT') throw thrown
      }
      await disk.syncDir(dir)
    },

    list: async () => (await disk.list(dir)).filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length)),
  }
}
