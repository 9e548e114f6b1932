/** What was made of each VIP on this host. */
import { vrouterDesired } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { recordsOf } from '../routers/records.ts'
import type { Spec } from './rules.ts'

const records = recordsOf<Spec>('vips', vrouterDesired.vip.spec)

export const recordPath = (stateDir: string, router: string, vip: string) => records.path({ stateDir, router, uuid: vip })
export const readRecords = (files: Files, stateDir: string) => records.read(files, stateDir)
export const writeRecord = (files: Files, at: { stateDir: string; router: string; vip: string }, spec: Spec): Promise<void> =>
  records.write(files, { ...at, uuid: at.vip }, spec)
