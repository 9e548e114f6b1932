/** What was found wrong, and how it is shown. Pure. */
import { type ConditionCode, conditionKinds, type Row, resourceOf, type SiteCondition } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

export interface Finding {
  code: ConditionCode
  /** `site`, or the noun of a resource */
  noun: string
  uuid: string | null
  name: string | null
  /** one sentence: what, where, why */
  message: string
  /** other resources that it concerns */
  related?: readonly unknown[]
  details?: Row
  /** tells two of one code and uuid apart, such as a storage's parts on two hosts */
  place?: string
}

export const idOf = ({ code, uuid, place }: Pick<Finding, 'code' | 'uuid' | 'place'>): string =>
  [code, uuid ?? '-', ...(place ? [place] : [])].join('/')

export function conditionOf(finding: Finding, since: number): SiteCondition {
  const { code, noun, uuid, name, message } = finding
  const { severity, title, heals, hint } = conditionKinds[code]
  const concerned = [uuid, ...(finding.related ?? [])].filter((u): u is string => typeof u === 'string')
  return {
    ...{ id: idOf(finding), code, severity, noun, uuid, name },
    resourceUuids: [...new Set(concerned)],
    ...{ title, message, since, heals, hint },
    details: finding.details ?? {},
  }
}

export const ofSite = (code: ConditionCode, message: string, details: Row = {}, place?: string): Finding => ({
  ...{ code, noun: 'site', uuid: null, name: null, message, details },
  ...(place ? { place } : {}),
})

/** A resource of a table by the contract's noun. */
export const nounOf = (table: string): string => resourceOf(table)?.noun ?? table

export function nameOf(graph: Graph, table: string, uuid: unknown): string | null {
  const name = typeof uuid === 'string' ? graph.get(table, uuid)?.['name'] : undefined
  return typeof name === 'string' ? name : null
}

/** `vm web1`, or with the uuid where there is no name. */
export const called = (noun: string, name: string | null, uuid: string): string => `${noun} ${name ?? uuid}`
