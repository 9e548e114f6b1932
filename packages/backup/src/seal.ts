/**
 * Encryption of a whole backup under a passphrase, as an age file: scrypt, then ChaCha20-Poly1305 in chunks, so that a change or a
 * cut anywhere is found. `age -d` opens it too.
 */
import { SkerryError } from '@skerry/contract'
import { Decrypter, Encrypter } from 'age-encryption'

const MAGIC = 'age-encryption.org/v1'
/** Shorter ones are guessed. */
const MIN_PASSPHRASE = 12

function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const from = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await from.next()
      if (done) controller.close()
      else controller.enqueue(new Uint8Array(value))
    },
    cancel: async () => void (await from.return?.()),
  })
}

/** Throws `invalid-argument` for a passphrase that would soon be guessed. */
export function checkPassphrase(passphrase: string): void {
  if (passphrase.length < MIN_PASSPHRASE)
    throw new SkerryError('invalid-argument', `a passphrase has at least ${MIN_PASSPHRASE} characters`, { field: 'passphrase' })
}

/** @param workFactor of scrypt, as a power of two; 18 takes about a second and 256 MiB. */
export async function* seal(source: AsyncIterable<Uint8Array>, passphrase: string, workFactor = 18): AsyncGenerator<Uint8Array> {
  checkPassphrase(passphrase)
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  encrypter.setScryptWorkFactor(workFactor)
  yield* (await encrypter.encrypt(streamOf(source))) as unknown as AsyncIterable<Uint8Array>
}

/** Is this the beginning of an encrypted backup? */
export const isSealed = (head: Uint8Array): boolean => Buffer.from(head).toString('latin1').startsWith(MAGIC)

/**
 * The text of a backup, encrypted or not. Throws `invalid-argument` when it is encrypted and there is no passphrase or a wrong one,
 * `backup-damaged` when it was changed since.
 */
export async function* open(source: AsyncIterable<Uint8Array>, passphrase: string | undefined): AsyncGenerator<Uint8Array> {
  const from = source[Symbol.asyncIterator]()
  const first = await from.next()
  const whole: AsyncIterable<Uint8Array> = {
    async *[Symbol.asyncIterator]() {
      if (!first.done) yield first.value
      yield* { [Symbol.asyncIterator]: () => from }
    },
  }
  if (first.done || !isSealed(first.value)) return yield* whole
  if (passphrase === undefined)
    throw new SkerryError('invalid-argument', 'this backup is encrypted: give --passphrase-file', { field: 'passphrase-file' })
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  const plain = await decrypter.decrypt(streamOf(whole)).catch((cause: unknown) => {
    throw new SkerryError('invalid-argument', 'the passphrase does not open this backup', { field: 'passphrase-file' }, { cause })
  })
  try {
    yield* plain as unknown as AsyncIterable<Uint8Array>
  } catch (cause) {
    if (cause instanceof SkerryError) throw cause
    throw new SkerryError('backup-damaged', 'the encrypted backup was changed or cut off', {}, { cause })
  }
}
