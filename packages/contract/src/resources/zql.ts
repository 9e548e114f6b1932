/** ZStack's query language: what `q=` can't say (or, parentheses, nested queries, sums), and several questions in one call. */
import { z } from 'zod'
import { call } from '../api.ts'

const rows = z.array(z.record(z.string(), z.unknown()))

/** Answer to one statement (zstack-core §2.28, `ZQLQueryReturn`). Lists of pairs stand for maps whose keys are objects, as ZStack writes them. */
export const zqlReturn = z.object({
  name: z.string().optional(),
  inventories: z.array(z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())])).optional(),
  inventoryCounts: z.array(z.tuple([z.record(z.string(), z.unknown()), z.number()])).optional(),
  inventoryAggregateFunctions: z.array(z.tuple([z.record(z.string(), z.unknown()), z.unknown()])).optional(),
  total: z.number().optional(),
  returnWith: z.record(z.string(), z.unknown()).optional(),
  explain: z.record(z.string(), z.unknown()).optional(),
})
export type ZqlReturn = z.infer<typeof zqlReturn>

export const zqlQuery = call('ZQLQuery', 'GET', '/zql', {
  params: {
    zql: z.string().max(65_536).optional(),
    /** says with each answer which indexes were used and how many rows were looked at */
    explain: z.boolean().optional(),
  },
  verb: 'zql',
  rights: 'account',
  summary: 'Ask in ZQL: query, count, sum or search, several statements separated by ;',
  result: { kind: 'fields', schema: z.object({ results: rows }) },
})

export const batchQuery = call('BatchQuery', 'GET', '/batch-queries', {
  params: {
    /** query('QueryVmInstance state=Running'), zql('count host'), call('GetVersion', '{}'), put('name', value) */
    script: z.string().max(65_536).optional(),
  },
  verb: 'batch',
  rights: 'account',
  summary: 'Ask several things in one script, which puts the answers together',
  result: { kind: 'fields', schema: z.object({ result: z.record(z.string(), z.unknown()) }) },
})
