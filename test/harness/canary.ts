/**
 * Values that must turn up nowhere, and the search for them in all their disguises. Canaries share one mark, so that one
 * search finds them all; secrets that the site itself makes (sessions, tokens) are searched for one by one.
 */
import { gunzipSync } from 'node:zlib'

/** Letters and digits only: it stands as it is inside JSON, URLs and XML. Twelve: base64 is compared in whole groups. */
const MARK = 'c4n4ryQ7xk9w'

export interface Haystack {
  where: string
  bytes: Buffer
}

export interface Found {
  where: string
  /** what the value is, and how it was written there */
  what: string
  around: string
}

interface Needle {
  what: string
  bytes: Buffer
}

/** The text inside a base64 text, whatever stood before it: without the characters that its neighbours share. */
function insideBase64(value: Buffer, encoding: 'base64' | 'base64url'): Buffer[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), value])
      .toString(encoding)
      .replace(/=+$/, '')
    const whole = Math.floor(((before + value.length) * 8) / 6)
    return Buffer.from(text.slice(Math.ceil((before * 8) / 6), whole))
  })
}

const utf16be = (value: string) => Buffer.from(value, 'utf16le').swap16()

/** Every way in which a value may be written down. URL and JSON escapes leave letters and digits as they are. */
function needles(what: string, value: string): Needle[] {
  const bytes = Buffer.from(value)
  const as = (how: string, ...forms: Buffer[]) => forms.map((form) => ({ what: `${what} ${how}`, bytes: form }))
  return [
    ...as('as it is', bytes, Buffer.from(encodeURIComponent(value)), Buffer.from(JSON.stringify(value).slice(1, -1))),
    ...as('in UTF-16', Buffer.from(value, 'utf16le'), utf16be(value)),
    ...as('in hex', Buffer.from(bytes.toString('hex')), Buffer.from(bytes.toString('hex').toUpperCase())),
    ...as('in base64', ...insideBase64(bytes, 'base64'), ...insideBase64(bytes, 'base64url')),
    ...as('backwards', Buffer.from([...value].reverse().join(''))),
  ]
}

export class Canaries {
  #count = 0
  readonly #own = new Map<string, string>()

  /** A new value; `label` tells in a report where it went in. It holds what careless programs break on. */
  value(label: string): string {
    this.#count += 1
    return `${MARK}${this.#count}-${label}"é&<%`
  }

  /** The same in letters and digits, for places that take no others. */
  plain(): string {
    this.#count += 1
    return `${MARK}${this.#count}0000000000000000`
  }

  /** As short as can be: messages about broken text quote only a little of it. */
  short(): string {
    this.#count += 1
    return `${MARK}${this.#count}`
  }

  /** A secret that the site has made. */
  made(what: string, value: string): string {
    this.#own.set(value, what)
    return value
  }

  /** Where any of them stands. Compressed parts are looked into. */
  search(haystacks: Iterable<Haystack>): Found[] {
    const all = [...needles('a canary', MARK), ...[...this.#own].flatMap(([value, what]) => needles(what, value))]
    const unique = [...new Map(all.map((needle) => [needle.bytes.toString('latin1'), needle])).values()]
    return [...haystacks].flatMap((haystack) => [haystack, ...compressedIn(haystack)]).flatMap((one) => findIn(one, unique))
  }
}

function findIn({ where, bytes }: Haystack, all: readonly Needle[]): Found[] {
  return all.flatMap(({ what, bytes: needle }) => {
    const at = bytes.indexOf(needle)
    if (at < 0) return []
    const around = bytes.toString('latin1', Math.max(0, at - 120), at + needle.length + 60).replace(/[^\x20-\x7e]/g, '.')
    return [{ where, what, around }]
  })
}

const GZIP = Buffer.from([0x1f, 0x8b, 0x08])

/** What gzip has packed anywhere inside. Bytes that only look like its beginning don't unpack, and hold nothing. */
function compressedIn({ where, bytes }: Haystack): Haystack[] {
  const found: Haystack[] = []
  for (let at = bytes.indexOf(GZIP); at !== -1; at = bytes.indexOf(GZIP, at + 1)) {
    try {
      const unpacked = { where: `${where} (unpacked at ${at})`, bytes: gunzipSync(bytes.subarray(at), { finishFlush: 2 }) }
      found.push(unpacked, ...compressedIn(unpacked))
    } catch (error) {
      if (!(error as NodeJS.ErrnoException).code?.startsWith('Z_')) throw error
    }
  }
  return found
}
