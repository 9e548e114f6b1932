/** `<state>/up.json`: what `up` found and decided at its first run, so that later runs decide the same and a purge can put it back. */
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { readDocument, writeDocument } from './documents.ts'
import type { Layout } from './layout.ts'

const recordFile = z.object({
  siteName: z.string(),
  /** of the API, as of the last run */
  url: z.string(),
  /** by which the controller knows this machine */
  managementIp: z.string(),
  manager: z.enum(['systemd', 'supervisor']),
  libvirt: z.enum(['own', 'system']),
  /** folder of the command line's contexts in which one of ours was written */
  cliConfig: z.string().nullable(),
  /** the guest image, and the bundle that built it: other code may build another */
  guest: z.object({ path: z.string(), sha256: z.string(), builtBy: z.string() }).nullable(),
  /** private key that the context of the command line names; null: the person's own are used */
  sshKey: z.string().nullable().default(null),
  /** what the controller is given: absolute paths */
  extensions: z
    .object({ plugins: z.string().nullable(), workflows: z.string().nullable() })
    .default({ plugins: null, workflows: null }),
})
export type SiteRecord = z.infer<typeof recordFile>

export const readRecord = (files: Files, layout: Layout): Promise<SiteRecord | undefined> =>
  readDocument(files, layout.record, recordFile)

export const writeRecord = (files: Files, layout: Layout, record: SiteRecord): Promise<void> =>
  writeDocument(files, layout.record, record)
