import { kvmDesired } from '@skerry/contract'
import { describe, expect, test } from 'vitest'
import type { SeenBridge } from '../src/bridges/observe.ts'
import { planBridges, reportBridge } from '../src/bridges/plan.ts'
import { cases, contextOf, uuid } from './cases.ts'

describe('a plan for a bridge:', () => {
  for (const { name, want, have, changes, status } of cases('bridges')) {
    test(name, () => {
      const wanted =
        want.buried || want.orphan
          ? undefined
          : { uuid, generation: { incarnation: 1, seq: 5 }, facts: {}, spec: kvmDesired.bridge.spec.parse(want) }
      const seen = { uuid, name: 'skbr1', ...have } as SeenBridge
      expect(planBridges(wanted ? [wanted] : [], [seen], contextOf(want.buried === true))).toEqual(
        changes.map((change) => ({ uuid, ...(change as object) })),
      )
      if (!status) return
      const { condition, observed, error } = reportBridge(wanted, seen)
      expect({ condition, observed, code: error?.code }).toEqual({
        condition: status.condition,
        observed: status.observed,
        code: status.code,
      })
      if (status.details) expect(error?.details).toEqual(status.details)
    })
  }
})
