/** Rules about addresses from which one may log in (identity/access-rules.ts reads them). */
import { addressesOf } from '../identity/access-rules.ts'
import { creation } from './resource.create.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, need } from './world.ts'

export const accessControlRules: readonly Action[] = [
  creation({
    workflow: 'accessControlRule.create',
    table: 'accessControlRule',
    row: ({ input: { params } }) => ({ rule: params['rule'], strategy: params['controlStrategy'] }),
    check: ({ params }) => void addressesOf(params['rule'] as string),
  }),
  resourceUpdating('accessControlRule.update', {
    also: () => ({}),
    check({ graph, table, uuid, params }) {
      need(graph, table, uuid)
      if (params['rule'] !== undefined) addressesOf(params['rule'] as string)
    },
  }),
]
