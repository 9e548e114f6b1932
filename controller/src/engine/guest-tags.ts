/**
 * System tags of a VM that speak to its guest: `hostname::{name}`, `sshkey::{line of authorized_keys}` and `userdata::{base64}`
 * (zstack-core, Appendix A). What they may say, and what they say. Pure.
 */
import { hostname, SkerryError } from '@skerry/contract'

export interface GuestTags {
  hostname: string | undefined
  sshKeys: string[]
  /** as cloud-init reads it */
  userData: string | null
}

const FORM = /^(hostname|sshkey|userdata)::(.*)$/s
/** A document holds at most 256 KiB, and the text in it is escaped. */
const MAX_USER_DATA = 49_152
/** Algorithms of OpenSSH, one word of base64, perhaps a comment. */
const SSH_KEY =
  /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{16,}={0,2}( [^\u0000-\u001f\u007f]*)?$/

/** Throws `invalid-argument` where a guest could not use what the tag says. Tags of other forms pass. The value is not repeated: user data may hold secrets. */
export function checkGuestTag(tag: string): void {
  const [, kind, value] = FORM.exec(tag) ?? []
  if (kind === undefined || value === undefined) return
  const problem = problems[kind as keyof typeof problems](value)
  if (problem !== undefined)
    throw new SkerryError('invalid-argument', `the system tag ${kind}::… ${problem}`, { field: 'systemTags', tag: kind })
}

/** Throws `invalid-argument` for what is no line of `authorized_keys` without options. */
export function checkSshKey(text: string): void {
  if (SSH_KEY.test(text)) return
  const message = 'invalid field[publicKey]: must be a public SSH key on one line, such as ssh-ed25519 AAAA… comment'
  throw new SkerryError('invalid-argument', message, { field: 'publicKey' })
}

/** Throws where a VM would have two host names, or two texts of user data. */
export function checkGuestTagsTogether(tags: readonly string[]): void {
  for (const kind of ['hostname', 'userdata']) {
    if (tags.filter((tag) => FORM.exec(tag)?.[1] === kind).length < 2) continue
    const message = `a VM has one ${kind}: system tags hold more than one ${kind}::…`
    throw new SkerryError('invalid-argument', message, { field: 'systemTags', tag: kind })
  }
}

const problems = {
  hostname: (value: string) =>
    hostname.safeParse(value).success ? undefined : 'is no host name (RFC 1123): letters, digits, - and .',
  sshkey: (value: string) =>
    SSH_KEY.test(value) ? undefined : 'is no public SSH key: it must be one line such as ssh-ed25519 AAAA… comment',
  userdata(value: string) {
    const bytes = Buffer.from(value, 'base64')
    if (value === '' || bytes.toString('base64') !== value)
      return 'is not base64 (RFC 4648, with padding and without line breaks)'
    if (bytes.length > MAX_USER_DATA) return `holds ${bytes.length} bytes; at most ${MAX_USER_DATA} can be handed on`
    const text = bytes.toString('utf8')
    return Buffer.from(text, 'utf8').equals(bytes) && !text.includes('\0') ? undefined : 'is not base64 of UTF-8 text'
  },
}

/** What the tags say; undefined: nothing to the guest. Of two host names the last counts. Tags that no guest could use are passed over. */
export function guestTagsOf(tags: readonly string[]): GuestTags | undefined {
  const of = (kind: keyof typeof problems) =>
    tags.flatMap((tag) => {
      const [, found, value] = FORM.exec(tag) ?? []
      return found === kind && value !== undefined && problems[kind](value) === undefined ? [value] : []
    })
  const [names, sshKeys, texts] = [of('hostname'), of('sshkey'), of('userdata')]
  if (names.length + sshKeys.length + texts.length === 0) return undefined
  const text = texts.at(-1)
  return { hostname: names.at(-1), sshKeys, userData: text === undefined ? null : Buffer.from(text, 'base64').toString('utf8') }
}
