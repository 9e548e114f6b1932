/** Messages of vici, strongSwan's control protocol (its README.vici): sections of values and lists, in bytes. Pure. */
import { SkerryError } from '@skerry/contract'

/** A value is bytes and may hold anything: text goes out as UTF-8, and what comes in is read as text. */
export interface ViciMessage {
  [key: string]: string | Uint8Array | readonly string[] | ViciMessage
}

const SECTION_START = 1
const SECTION_END = 2
const KEY_VALUE = 3
const LIST_START = 4
const LIST_ITEM = 5
const LIST_END = 6

const tooLong = (what: string, max: number) =>
  new SkerryError('invalid-argument', `${what} is longer than the ${max} bytes that charon takes`, { max })

/** With its length in 8 (names) or 16 (values) bits before it. */
function sized(value: string | Uint8Array, bits: 8 | 16): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value)
  const max = bits === 8 ? 0xff : 0xffff
  if (bytes.length > max) throw tooLong(bits === 8 ? 'a name' : 'a value', max)
  const length = Buffer.alloc(bits / 8)
  length.writeUIntBE(bytes.length, 0, bits / 8)
  return Buffer.concat([length, bytes])
}

export function encodeVici(message: ViciMessage): Buffer {
  const parts: Buffer[] = []
  for (const [key, value] of Object.entries(message)) {
    const name = sized(key, 8)
    if (typeof value === 'string' || value instanceof Uint8Array) {
      parts.push(Buffer.of(KEY_VALUE), name, sized(value, 16))
    } else if (Array.isArray(value)) {
      parts.push(Buffer.of(LIST_START), name)
      for (const one of value as readonly string[]) parts.push(Buffer.of(LIST_ITEM), sized(one, 16))
      parts.push(Buffer.of(LIST_END))
    } else {
      parts.push(Buffer.of(SECTION_START), name, encodeVici(value as ViciMessage), Buffer.of(SECTION_END))
    }
  }
  return Buffer.concat(parts)
}

/** Throws `host-command-failed` for what is no message. */
export function decodeVici(bytes: Buffer): ViciMessage {
  const reader = new Reader(bytes)
  const message = reader.section(true)
  return message
}

class Reader {
  readonly #bytes: Buffer
  #at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Up to its end, or to that of the message. */
  section(outermost: boolean): ViciMessage {
    const found: ViciMessage = {}
    while (this.#at < this.#bytes.length) {
      const type = this.#number(1)
      if (type === SECTION_END && !outermost) return found
      const key = type === SECTION_START || type === KEY_VALUE || type === LIST_START ? this.#text(1) : broken()
      found[key] = type === SECTION_START ? this.section(false) : type === KEY_VALUE ? this.#text(2) : this.#list()
    }
    return outermost ? found : broken()
  }

  #list(): string[] {
    const items: string[] = []
    for (;;) {
      const type = this.#number(1)
      if (type === LIST_END) return items
      if (type !== LIST_ITEM) broken()
      items.push(this.#text(2))
    }
  }

  #number(size: 1 | 2): number {
    if (this.#at + size > this.#bytes.length) broken()
    const value = this.#bytes.readUIntBE(this.#at, size)
    this.#at += size
    return value
  }

  #text(size: 1 | 2): string {
    const length = this.#number(size)
    if (this.#at + length > this.#bytes.length) broken()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }
}

const broken = (): never => {
  throw new SkerryError('host-command-failed', 'charon has answered something that is no vici message', {})
}
