import { row, uuid } from '@skerry/contract'
import { z } from 'zod'

/** Journaled input of every workflow; `params` was checked against its API when the call was accepted. */
export const input = z.object({ uuid, table: z.string(), params: row, accountUuid: z.string(), cascade: z.string().optional() })
