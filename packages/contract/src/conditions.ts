/**
 * What can be wrong at a site, as one closed list. A condition holds as long as its cause does: it is raised when that is
 * found and cleared when it is gone, and is never written to the log, so it can also tell of a log that can't be written.
 */
import { z } from 'zod'
import { conditionKinds, severities } from './condition-kinds.ts'

export type ConditionCode = keyof typeof conditionKinds
export const conditionCodes = Object.keys(conditionKinds) as [ConditionCode, ...ConditionCode[]]

/** One condition as `/v1/conditions` and the alarms on NATS show it; times are epoch milliseconds on NATS, ISO text over HTTP. */
export const siteCondition = z.object({
  /** code and what it is about: the same cause has the same id each time */
  id: z.string(),
  code: z.enum(conditionCodes),
  severity: z.enum(severities),
  /** `site`, or the noun of the resource */
  noun: z.string(),
  uuid: z.string().nullable(),
  name: z.string().nullable(),
  /** the resource itself, and those that it concerns: its VM, its host */
  resourceUuids: z.array(z.string()),
  title: z.string(),
  message: z.string(),
  /** since when this controller process knows */
  since: z.number(),
  heals: z.string(),
  hint: z.string(),
  /** facts: host, agent, path, job, step, the error */
  details: z.record(z.string(), z.unknown()),
})
export type SiteCondition = z.infer<typeof siteCondition>

/** What `alarm` subjects carry. */
export const alarm = z.object({ change: z.enum(['raised', 'cleared']), at: z.number(), condition: siteCondition })
export type Alarm = z.infer<typeof alarm>

/** The site at a glance, as `/v1/status` shows it beside its conditions. */
export interface SiteOverview {
  controller: { uuid: string; version: string; upMs: number }
  store: { writable: boolean; reason: string | null; durableSeq: number; bytes: number; oldestSeq: number }
  nats: { state: string }
  agents: { total: number; connected: number }
  hosts: { total: number; connected: number }
  vms: { total: number; byState: Record<string, number> }
  jobs: { processing: number; undoing: number; stuck: number }
}
