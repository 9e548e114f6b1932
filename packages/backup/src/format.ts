/**
 * [format] A backup is lines of JSON: a header, then parts in this order, last a line with the SHA-256 of all bytes before it. A
 * part begins with `{"part":name}` and ends with how many lines stood in it and their SHA-256. Written in one go and read in one
 * go, so neither end ever holds more than a line. With a passphrase the whole text is an age file (age-encryption.org/v1).
 */
import { uuid } from '@skerry/contract'
import { z } from 'zod'

/** `graph`: rows at one seq. `secrets`: values as they lie on disk, under the site key. `keys`: the site's own keys. */
export const PARTS = ['graph', 'secrets', 'keys'] as const
export type BackupPart = (typeof PARTS)[number]

export const backupHeader = z.object({
  skerry: z.literal('backup'),
  v: z.literal(1),
  /** contract version of the rows */
  contract: z.number().int().min(1),
  incarnation: z.number().int().min(1),
  /** the one commit that everything in it is as of */
  seq: z.number().int().min(0),
  epoch: z.number().int().min(0),
  /** epoch ms */
  at: z.number().int().min(0),
  /** uuid of the controller */
  node: uuid,
})
export type BackupHeader = z.infer<typeof backupHeader>

export const graphLine = z.object({
  t: z.string(),
  rows: z.array(z.tuple([z.string(), z.number().int().min(0), z.record(z.string(), z.unknown())])),
})
/** A relative path without `..`: a backup never writes outside of the folder that it is restored to. */
const fileName = z.string().regex(/^(?!.*\.\.)[a-zA-Z0-9][a-zA-Z0-9._/-]{0,200}$/)
export const fileLine = z.object({ file: fileName, data: z.base64() })
export type SiteFile = z.infer<typeof fileLine>

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
export const partLine = z.object({ part: z.enum(PARTS) })
export const partEnd = z.object({ endOf: z.enum(PARTS), lines: z.number().int().min(0), sha256 })
export const backupEnd = z.object({ end: z.literal('backup'), sha256 })

/** What a reader is given, once each line has been checked. */
export type BackupLine =
  | { kind: 'header'; header: BackupHeader }
  | { kind: 'part'; part: BackupPart }
  | { kind: 'rows'; t: string; rows: [string, number, Record<string, unknown>][] }
  | { kind: 'file'; part: BackupPart; file: string; data: Buffer }
  | { kind: 'end-of-part'; part: BackupPart }
  | { kind: 'end' }
