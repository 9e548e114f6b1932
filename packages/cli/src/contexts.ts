/** Where the command line talks to, and as whom: `contexts.json`, readable by its owner only. */
import { CheckedFile, type Checks } from '@skerry/agent/checked-file'
import { SkerryError } from '@skerry/contract/errors'
import { files } from '@skerry/host/files'
import { Low } from 'lowdb'

export interface Context {
  url: string
  account?: string
  session?: string
  /** PEM file of the site's CA */
  ca?: string
  nats?: { url: string; creds?: string; ca?: string }
  /** private key that guests of the site take */
  sshKey?: string
}
export interface Contexts {
  current: string
  contexts: Record<string, Context>
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const mayBeText = (value: unknown): value is string | undefined => value === undefined || isText(value)

function isContext(value: unknown): value is Context {
  if (!isObject(value)) return false
  const { url, account, session, ca, nats, sshKey } = value
  if (!isText(url) || ![account, session, ca, sshKey].every(mayBeText)) return false
  return nats === undefined || (isObject(nats) && isText(nats['url']) && [nats['creds'], nats['ca']].every(mayBeText))
}

/** By hand: each command reads this file, and a schema library takes longer to load than the command to run. */
const contextsFile: Checks<Contexts> = {
  safeParse(value) {
    if (!isObject(value) || !isText(value['current']) || !isObject(value['contexts'])) return { success: false }
    return Object.values(value['contexts']).every(isContext)
      ? { success: true, data: value as unknown as Contexts }
      : { success: false }
  },
}

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
