/** What was made of each guest's metadata on this host, as files in its router's folder: what has to go is known after any crash. */
import { ipv4, mac } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { routerDir, routersDir } from '../routers/service.ts'
import type { Made } from './have.ts'

const FILE = /^([0-9a-f]{32})\.json$/
const folder = (stateDir: string, router: string) => `${routerDir(stateDir, router)}/metadata`
export const recordPath = (stateDir: string, router: string, nic: string) => `${folder(stateDir, router)}/${nic}.json`
const record = z.object({ mac, ip: ipv4, digest: z.string() })

/** By NIC. A file that says nothing is as none: the files are made again. */
export async function readRecords(files: Files, stateDir: string): Promise<Map<string, Made[]>> {
  const found = new Map<string, Made[]>()
  for (const router of (await files.list(routersDir(stateDir))) ?? []) {
    for (const name of (await files.list(folder(stateDir, router))) ?? []) {
      const nic = FILE.exec(name)?.[1]
      const made = nic && parse(await files.read(recordPath(stateDir, router, nic)))
      if (made) found.set(nic, [...(found.get(nic) ?? []), { router, ...made }])
    }
  }
  return found
}

function parse(text: string | undefined): z.infer<typeof record> | undefined {
  try {
    return record.safeParse(JSON.parse(text ?? '')).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export async function writeRecord(files: Files, stateDir: string, nic: string, { router, ...made }: Made): Promise<void> {
  await files.makeDir(folder(stateDir, router), 0o700)
  await files.write(recordPath(stateDir, router, nic), `${JSON.stringify(made)}\n`)
}
