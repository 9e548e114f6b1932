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

/** The secret store of a process that may be told to take another site key. */
export interface KeyedSecrets extends Secrets {
  /** 32 bytes that stay the same whatever the site key is: for hashes that are compared years later. Secret. */
  readonly sealKey: Buffer
  /** Puts everything under another site key, one file at a time; both keys open until it has ended. May be repeated. */
  rewrap(next: Buffer): Promise<void>
}

export interface SecretsOptions {
  dir: string
  disk: Disk
  /** 32 bytes, see `loadSiteKey`. */
  siteKey: Buffer
  /** The key that a rotation was about to bring when the last process ended: what it reached is under this one. */
  nextKey?: Buffer | undefined
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
/** The seal key under the site key; absent while it still is the site key itself. */
const SEAL = 'seal-key.wrapped'
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

const fingerprint = (siteKey: Buffer) => createHmac('sha256', siteKey).update('skerry site key').digest()

/** Refuses site keys of which none is the one these secrets were made with: a new key would otherwise orphan them unnoticed. */
async function checkSiteKey({ dir, disk }: SecretsOptions, keys: readonly Buffer[]): Promise<void> {
  for (const { length } of keys)
    if (length !== 32) throw new SkerryError('invalid-argument', 'the site key must be 32 bytes', { bytes: length })
  const found = await readWhole(disk, `${dir}/${CHECK}`)
  if (found === undefined) return writeWhole(disk, dir, CHECK, Buffer.from(fingerprint(keys.at(-1)!).toString('hex')))
  const known = Buffer.from(found.toString('latin1'), 'hex')
  if (!keys.some((key) => known.length === 32 && timingSafeEqual(known, fingerprint(key)))) {
    throw new SkerryError('invalid-argument', 'this site key is not the one that the stored secrets were made with', { dir })
  }
}

function unsealWithAny(box: Box, keys: readonly Buffer[], id: string): Buffer {
  for (const key of keys.slice(0, -1)) {
    try {
      return unseal(box, key, id)
    } catch {
      // it is under another of them
    }
  }
  return unseal(box, keys.at(-1)!, id)
}

/** Opens the secret store in a folder of its own. */
export async function openSecrets(options: SecretsOptions): Promise<KeyedSecrets> {
  const { dir, disk, siteKey, nextKey } = options
  await disk.mkdir(dir)
  const keys = nextKey ? [nextKey, siteKey] : [siteKey]
  await checkSiteKey(options, keys)
  const wrapped = await readWhole(disk, `${dir}/${SEAL}`)
  const sealKey = wrapped === undefined ? siteKey : unsealWithAny(JSON.parse(wrapped.toString('utf8')) as Box, keys, SEAL)
  return new SecretFolder(options, keys, sealKey)
}

class SecretFolder implements KeyedSecrets {
  readonly sealKey: Buffer
  readonly #o: SecretsOptions
  /** The first wraps; all open. */
  #keys: Buffer[]
  /** What replaces or removes a file waits for its turn: a value that is shredded must not be written back. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: SecretsOptions, keys: Buffer[], sealKey: Buffer) {
    this.#o = options
    this.#keys = keys
    this.sealKey = sealKey
  }

  #path(id: string): string {
    if (!ID.test(id)) throw new SkerryError('invalid-argument', 'not the id of a secret', { id })
    return `${this.#o.dir}/${id}${SUFFIX}`
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined) // its own caller is told
    return mine
  }

  async put(value: string): Promise<string> {
    const { random, disk, dir } = this.#o
    const id = newId(random(16))
    const key = random(32)
    const content: SecretFile = {
      format: 1,
      key: seal(key, this.#keys[0]!, id, random(12)),
      value: seal(Buffer.from(value, 'utf8'), key, id, random(12)),
    }
    await writeWhole(disk, dir, `${id}${SUFFIX}`, Buffer.from(JSON.stringify(content)))
    key.fill(0)
    return id
  }

  async get(id: string): Promise<string> {
    const text = await readWhole(this.#o.disk, this.#path(id))
    if (text === undefined) throw new SkerryError('not-found', 'there is no such secret', { id })
    return opened(id, () => {
      const content = JSON.parse(text.toString('utf8')) as SecretFile
      return unseal(content.value, unsealWithAny(content.key, this.#keys, id), id).toString('utf8')
    })
  }

  shred(id: string): Promise<void> {
    const { disk, dir, random } = this.#o
    const path = this.#path(id)
    return this.#inTurn(async () => {
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
    })
  }

  async list(): Promise<string[]> {
    const names = await this.#o.disk.list(this.#o.dir)
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))
  }

  async rewrap(next: Buffer): Promise<void> {
    const { disk, dir, random } = this.#o
    if (next.length !== 32) throw new SkerryError('invalid-argument', 'the site key must be 32 bytes', { bytes: next.length })
    // From here on what is put is under the new key: nothing can be missed below.
    if (!this.#keys[0]!.equals(next)) this.#keys = [next, ...this.#keys]
    await writeWhole(disk, dir, SEAL, Buffer.from(JSON.stringify(seal(this.sealKey, next, SEAL, random(12)))))
    for (const id of await this.list()) await this.#inTurn(() => this.#rewrapOne(id, next))
    await writeWhole(disk, dir, CHECK, Buffer.from(fingerprint(next).toString('hex')))
    this.#keys = [next]
  }

  /** The value's own key stays; only what wraps it is another. */
  async #rewrapOne(id: string, next: Buffer): Promise<void> {
    const { disk, dir, random } = this.#o
    const text = await readWhole(disk, this.#path(id))
    if (text === undefined) return // shredded meanwhile
    const content = opened(id, () => {
      const now = JSON.parse(text.toString('utf8')) as SecretFile
      return { ...now, key: seal(unsealWithAny(now.key, this.#keys, id), next, id, random(12)) }
    })
    await writeWhole(disk, dir, `${id}${SUFFIX}`, Buffer.from(JSON.stringify(content)))
  }
}

function opened<T>(id: string, open: () => T): T {
  try {
    return open()
  } catch (cause) {
    throw new SkerryError('log-corrupt', 'a stored secret cannot be opened', { file: `${id}${SUFFIX}`, offset: 0 }, { cause })
  }
}
