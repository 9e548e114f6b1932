/** What was made of each connection on this host, and its key as it came: sealed to this agent. */
import { ipsecDesired, uuid } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { type RecordPlace, recordsOf } from '../routers/records.ts'
import { routerDir } from '../routers/service.ts'

export const ipsecRecords = recordsOf('ipsec', ipsecDesired.ipsec.spec)

const sealedKey = z.object({ keyUuid: uuid, key: z.string() })
export type SealedKey = z.infer<typeof sealedKey>

export const keyPath = ({ stateDir, router, uuid: of }: RecordPlace) => `${routerDir(stateDir, router)}/ipsec/${of}.key`
/** Where this router's charon lives. */
export const charonDir = (stateDir: string, router: string) => `${routerDir(stateDir, router)}/charon`

/** One that can't be read is as none: it is asked for again. */
export async function readKey(files: Files, at: RecordPlace): Promise<SealedKey | undefined> {
  const text = await files.read(keyPath(at))
  try {
    return sealedKey.safeParse(JSON.parse(text ?? '')).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
