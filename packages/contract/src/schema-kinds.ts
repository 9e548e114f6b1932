/** What a zod schema of the contract says about a value's form. Used to render, to coerce query strings, and to describe query fields. */
import type { z } from 'zod'
import { time } from './scalars.ts'

export type SchemaKind = 'string' | 'number' | 'boolean' | 'time' | 'list' | 'map' | 'object' | 'other'

const wrappers = new Set(['optional', 'nullable', 'default', 'readonly'])

/** The schema inside `.optional()`, `.nullable()` and the like. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (wrappers.has(inner.def.type)) inner = (inner.def as unknown as { innerType: z.ZodType }).innerType
  return inner
}

/** `time` is recognised by identity: every timestamp in the contract is the one scalar. */
export function kindOf(schema: z.ZodType): SchemaKind {
  const inner = unwrap(schema)
  if (inner === time) return 'time'
  switch (inner.def.type) {
    case 'string':
    case 'enum':
      return 'string'
    case 'number':
    case 'int':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
      return 'list'
    case 'record':
      return 'map'
    case 'object':
      return 'object'
    case 'literal': {
      const value = (inner as z.ZodLiteral).def.values[0]
      return typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string'
    }
    default:
      return 'other'
  }
}

/** Schema of a list's elements. */
export const elementOf = (schema: z.ZodType): z.ZodType => (unwrap(schema) as z.ZodArray<z.ZodType>).element

/** Schema of a map's values. */
export const mapValueOf = (schema: z.ZodType): z.ZodType => (unwrap(schema) as z.ZodRecord<z.ZodString, z.ZodType>).valueType

/** Fields of an object schema. */
export const shapeOf = (schema: z.ZodType): Record<string, z.ZodType> =>
  (unwrap(schema) as z.ZodObject).shape as Record<string, z.ZodType>
