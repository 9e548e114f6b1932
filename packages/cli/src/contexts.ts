/** Where the command line talks to, and as whom: `contexts.json`, readable by its owner only. */
import { CheckedFile } from '@skerry/agent'
import { SkerryError } from '@skerry/contract'
import { files } from '@skerry/host'
import { Low } from 'lowdb'
import { z } from 'zod'

const context = z.object({
  url: z.string(),
  account: z.string().optional(),
  session: z.string().optional(),
  /** PEM file of the site's CA */
  ca: z.string().optional(),
  nats: z.object({ url: z.string(), creds: z.string().optional(), ca: z.string().optional() }).optional(),
})
export type Context = z.infer<typeof context>
const contextsFile = z.object({ current: z.string(), contexts: z.record(z.string(), context) })
export type Contexts = z.infer<typeof contextsFile>

export const DEFAULT_URL = 'http://127.0.0.1:8080'
const empty = (): Contexts => ({ current: 'default', contexts: {} })

async function opened(folder: string): Promise<Low<Contexts>> {
  const disk = files()
  await disk.makeDir(folder, 0o700)
  const file = new CheckedFile(disk, `${folder}/contexts.json`, contextsFile)
  const low = new Low<Contexts>(file, empty())
  await low.read()
  if (file.damage?.what === 'both')
    throw new SkerryError('internal', `${folder}/contexts.json cannot be read; move it away and log in again`)
  low.data ??= empty()
  return low
}

export async function readContexts(folder: string): Promise<Contexts> {
  return (await opened(folder)).data
}

/** Writes one context and makes it the current one. Durable when it resolves. */
export async function saveContext(folder: string, name: string, value: Context): Promise<void> {
  const low = await opened(folder)
  low.data = { current: name, contexts: { ...low.data.contexts, [name]: value } }
  await low.write()
}
