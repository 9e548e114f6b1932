/** Scalar schemas shared by every resource, document and subject. Data only: no `.transform()`, so they also print as JSON Schema. */
import { z } from 'zod'

/** UUIDv4 without dashes, lower case: the id form of every resource (zstack-core §1.2). */
export const uuid = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex characters')

/**
 * A display name. ZStack's own pattern allows CJK, letters, digits and `-_.():+" `, no space at either end
 * (zstack-rest.json, CreateZone.name); at most 255 characters. Nothing that a shell, XML or nft would interpret gets in.
 */
export const name = z
  .string()
  .min(1)
  .max(255)
  .regex(/^(?! )[\u4e00-\u9fa5a-zA-Z0-9\-_.():+" ]*(?<! )$/, 'may hold letters, digits, spaces inside and -_.():+"')

/** Free text for people: any printable character, no control characters except tab and newline. */
export const text = z
  .string()
  .max(2048)
  .regex(/^[^\u0000-\u0008\u000b-\u001f\u007f]*$/, 'must not hold control characters')

/** One line of text that only people read: any printable characters. */
export const line = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line without control characters')

/** A size in bytes, exact in a double. */
export const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** Epoch milliseconds. Stored form of every timestamp; dialects print it. */
export const time = z.number().int().min(0)

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4Form = new RegExp(`^${octet}(\\.${octet}){3}$`)
export const ipv4 = z.string().regex(ipv4Form, 'must be an IPv4 address')
/** TCP or UDP */
export const port = z.number().int().min(1).max(65_535)
const cidr4Form = new RegExp(`^${octet}(\\.${octet}){3}/(3[0-2]|[12]?\\d)$`)
export const cidr4 = z.string().regex(cidr4Form, 'must be an IPv4 network such as 10.0.0.0/24')

/** Any spelling; what is recorded has the one of RFC 5952. No zone, no embedded IPv4. */
export const ipv6 = z.string().regex(z.regexes.ipv6, 'must be an IPv6 address')
export const cidr6 = z.string().regex(z.regexes.cidrv6, 'must be an IPv6 network such as fd00:1::/64')
/** Of either family. */
export const ip = z.string().regex(new RegExp(`${ipv4Form.source}|${z.regexes.ipv6.source}`), 'must be an IPv4 or IPv6 address')

/** Of either family. */
export const cidr = z
  .string()
  .regex(new RegExp(`${cidr4Form.source}|${z.regexes.cidrv6.source}`), 'must be a network such as 10.0.0.0/24 or fd00:1::/64')

/** Lower-case, colon separated. */
export const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'must be a MAC address')

/** A Linux network interface name (IFNAMSIZ − 1 = 15 bytes). */
export const ifname = z.string().regex(/^(?!\.{1,2}$)[a-zA-Z0-9_.-]{1,15}$/, 'must be an interface name of at most 15 characters')

/** An absolute, normalised path: no `..`, no `//`, no characters that XML, qcow2's `json:` or a URL would interpret. */
export const path = z
  .string()
  .max(1024)
  .regex(/^\/(?!.*\/\/)(?!.*(^|\/)\.\.?(\/|$))[A-Za-z0-9_./+@ -]*$/, 'must be an absolute path without .. and special characters')

/** SHA-256, lower-case hex. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** A DNS label or dotted name (RFC 1123). */
export const hostname = z
  .string()
  .max(253)
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/, 'must be a host name')

/**
 * [format] A secret field holds only a reference in the graph: `{ "$secret": <id> }`. The value lives in the controller's
 * secret store (AES-256-GCM under its own key, wrapped by the site key) and is shredded when the reference goes.
 */
export const secretRef = z.object({ $secret: uuid })
/** What a caller sends for a secret field; the controller swaps it for a `secretRef` before anything is recorded. */
export const secretValue = z.string().min(1).max(4096)

/** A password that somebody logs in with, as clients send it. Only a scrypt of this is kept. */
export const loginPassword = z.string().regex(/^[0-9a-fA-F]{128}$/, 'must be the SHA-512 of the password, in hex')

/** [format] Version of a desired document: which history (raised by a restore) and which commit in it. Ordered pairwise. */
export const generation = z.object({ incarnation: z.number().int().min(1), seq: z.number().int().min(0) })
export type Generation = z.infer<typeof generation>

/** −1, 0 or 1 as `a` is older than, equal to or newer than `b`. */
export function compareGeneration(a: Generation, b: Generation): -1 | 0 | 1 {
  if (a.incarnation !== b.incarnation) return a.incarnation < b.incarnation ? -1 : 1
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1
}
