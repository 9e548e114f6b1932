/** Secret parameters: found by their schema, swapped for references before anything is recorded (DESIGN §2). */
import { type Api, type Row, secretValue } from '@skerry/contract'
import type { z } from 'zod'

/** `secretValue`, also when optional or nullable. */
function isSecret(schema: z.ZodType): boolean {
  if (schema === secretValue) return true
  const inner = (schema.def as { innerType?: z.ZodType }).innerType
  return inner !== undefined && isSecret(inner)
}

export const secretFields = (api: Api): string[] =>
  Object.entries(api.params.shape as Record<string, z.ZodType>)
    .filter(([, schema]) => isSecret(schema))
    .map(([field]) => field)

export async function hideSecrets(api: Api, params: Row, secrets: { put(value: string): Promise<string> }): Promise<Row> {
  const hidden: Row = { ...params }
  for (const field of api.workflow ? secretFields(api) : [])
    if (typeof params[field] === 'string') hidden[field] = { $secret: await secrets.put(params[field]) }
  return hidden
}

/** References among the parameters of a job. */
export const secretIds = (params: Row): string[] =>
  Object.values(params).flatMap((v) =>
    v !== null && typeof v === 'object' && typeof (v as { $secret?: unknown }).$secret === 'string'
      ? [(v as { $secret: string }).$secret]
      : [],
  )
