/** Parameters of one API against its schema. Values are never repeated in errors: they may be secret. */
import { type Api, ip, SkerryError, uuid as uuidSchema } from '@skerry/contract'

export interface Unchecked {
  api: Api
  /** parameters, path variables merged in */
  input: Record<string, unknown>
  /** path variables by name */
  variables: Record<string, string>
}

export type Checked = { ok: true; params: Record<string, unknown> } | { ok: false; error: SkerryError; notANumber: boolean }

const pathSchemas: Record<string, typeof ip> = { ip, dns: ip }

/** What never was is answered by the calls themselves (`valid: false`, `{}`, an empty list); `imageId` may be a client's own word. Settings have names. */
const ASKABLE = new Set(['sessionUuid', 'apiId', 'imageId', 'category', 'name'])

/** A path variable that can't be any resource's uuid names nothing that exists. */
function badVariable(name: string, value: string): SkerryError | undefined {
  const schema = pathSchemas[name]
  if (schema) {
    return schema.safeParse(value).success
      ? undefined
      : new SkerryError('invalid-argument', `invalid field[${name}]: must be an IPv4 or IPv6 address`, { field: name })
  }
  if (ASKABLE.has(name) || uuidSchema.safeParse(value).success) return undefined
  return new SkerryError('not-found', `invalid field[${name}]: there is no resource with this uuid`, { field: name })
}

/** Parameters against the API's schema; unknown ones are dropped, as ZStack does. Values are never repeated in the error: they may be secret. */
export function checkCall({ api, input, variables }: Unchecked): Checked {
  for (const [name, value] of Object.entries(variables)) {
    const error = badVariable(name, value)
    if (error) return { ok: false, error, notANumber: false }
  }
  const parsed = api.params.safeParse(input)
  if (parsed.success) return { ok: true, params: { ...parsed.data, ...variables } }
  const issues = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message }))
  const message = issues.map(({ field, problem }) => `invalid field[${field}]: ${problem}`).join('; ')
  const details = { field: issues[0]?.field, issues }
  const notANumber = parsed.error.issues.some(
    (issue) =>
      issue.code === 'invalid_type' &&
      (issue.expected === 'number' || issue.expected === 'int') &&
      valueAt(input, issue.path) !== undefined,
  )
  return { ok: false, error: new SkerryError('invalid-argument', message.slice(0, 4_000), details), notANumber }
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined),
    input,
  )
}
